//! Zip archives, read in place.
//!
//! The widely used crates keep a map of all names, about half a kilobyte an entry. Exports of 4.5 million entries exist,
//! so this reader walks the central directory, which lies at the end of the file, as often as it is needed and keeps
//! offsets at most. Inflating is flate2's.

mod directory;
mod entry;
mod names;
mod torn;

use std::{collections::HashMap, io, sync::Arc};

use super::{
    held_names::is_among_held_files,
    read_at::ReadAt,
    record::{Place, Problem, Refusal},
};
use directory::{Directory, Header, NoHeader};
pub(super) use entry::EntryReader;
pub(super) use names::composed;

/// Bounds that keep an archive from costing more than its size suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub entries: u64,
    /// Of all entries together, unpacked.
    pub unpacked_bytes: u64,
    /// How many times its own size the archive may unpack to, beyond [`Limits::unpacked_slack_bytes`].
    pub ratio: u64,
    pub unpacked_slack_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 10_000_000,
            unpacked_bytes: 2 << 40,
            // JSON and CSV of chats pack 5 to 30 to 1; what deflate can reach at all is about 1,000 to 1.
            ratio: 200,
            unpacked_slack_bytes: 64 << 20,
        }
    }
}

/// The shape of an importer's archives, which tells a folder round everything from the folder of a room.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// The names of files at the root, in lower case. One folder round everything is stepped into where it holds one of them.
    pub(super) known: &'static [&'static str],
    /// The folders of rooms, where an archive of messages alone is enough.
    pub(super) rooms: Option<RoomFolders>,
}

/// Folders that hold files of messages, and nothing between them and the folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomFolders {
    /// The end of the names of files of messages, in lower case.
    pub(super) ending: &'static str,
    /// A folder of messages that has its name from the format, in lower case.
    pub(super) special: &'static str,
}

/// An archive whose directory was walked once and found sound.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    file: Arc<dyn ReadAt>,
    directory: Directory,
    /// The one folder round everything, with the slash after it; empty if there is none.
    top: String,
    /// Offsets in the directory of the files at the root that the importer knows, by lower-case name.
    known: HashMap<String, u64>,
    entry_count: u64,
}

/// A file of an archive.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Below the top folder, with `/` between folders, composed.
    pub(super) name: Arc<str>,
    /// Of its header in the directory; finds it again by [`Archive::entry_at`].
    pub(super) offset: u64,
    header: Header,
}

/// Anything the directory lists.
#[derive(Debug)]
pub(super) enum Listed {
    File(Entry),
    Folder,
    /// What operating systems leave behind.
    SystemFile(Place),
    Refused(Problem),
}

impl Archive {
    /// Checks the directory from its first entry to its last.
    pub(super) fn open(file: Arc<dyn ReadAt>, shape: Shape, limits: Limits) -> Result<Self, Refusal> {
        let size = file.len().map_err(|error| Refusal::unreadable(&error))?;
        let directory = Directory::find(file.as_ref(), size)?.ok_or_else(|| torn::refusal(file.as_ref(), size))?;
        let mut archive = Self { file, directory, top: String::new(), known: HashMap::new(), entry_count: 0 };
        archive.survey(size, shape, limits)?;
        Ok(archive)
    }

    fn survey(&mut self, size: u64, Shape { known, rooms }: Shape, limits: Limits) -> Result<(), Refusal> {
        let mut unpacked = 0_u64;
        let mut packed = 0_u64;
        let mut folder = CommonFolder::default();
        let mut below = HashMap::new();
        let mut messages = MessagePlaces::default();
        let mut last = String::new();
        for header in self.directory.headers(&self.file) {
            let header = header.map_err(|none| why_no_header(&none, self.entry_count, &last))?;
            self.entry_count += 1;
            if self.entry_count > limits.entries {
                return Err(Refusal::new(format!("The archive has more than {} entries.", limits.entries)));
            }
            let name = names::decoded(&header);
            if header.is_encrypted() {
                let reason =
                    format!("The archive is encrypted (entry {:?}); export it without a password.", shown(&name));
                return Err(Refusal::new(reason));
            }
            if !self.directory.holds(&header) {
                let reason = format!("The archive is torn: entry {:?} lies beyond its end.", shown(&name));
                return Err(Refusal::new(reason));
            }
            unpacked = unpacked.saturating_add(header.size);
            packed = packed.saturating_add(header.packed_size);
            let cleaned = names::cleaned(&name);
            last = name;
            let Ok(name) = cleaned else { continue };
            if names::is_system_file(&name) || name.ends_with('/') {
                continue;
            }
            let lower = name.to_lowercase();
            if known.contains(&lower.as_str()) {
                self.known.entry(lower).or_insert(header.offset);
            } else if let Some((top, rest)) = lower.split_once('/') {
                folder.saw(top, &name[..name.find('/').unwrap_or_default()]);
                if known.contains(&rest) {
                    below.entry(rest.to_owned()).or_insert(header.offset);
                } else if rooms.is_some_and(|rooms| rest.ends_with(rooms.ending)) && !is_among_held_files(&name) {
                    messages.saw(rest);
                }
                continue;
            }
            folder.saw_root_file();
        }
        let allowed = size.saturating_mul(limits.ratio).saturating_add(limits.unpacked_slack_bytes);
        if unpacked > limits.unpacked_bytes.min(allowed) {
            return Err(Refusal::new(format!(
                "The archive would unpack to {unpacked} bytes, which is more than a file of {size} bytes may."
            )));
        }
        if packed > size {
            return Err(Refusal::new("The archive's entries overlap each other."));
        }
        if let Some(top) = folder.only() {
            let is_special = rooms.is_some_and(|rooms| top.eq_ignore_ascii_case(rooms.special));
            if !below.is_empty() || (messages.are_all_deeper() && !is_special) {
                self.top = format!("{top}/");
                self.known = below;
            }
        }
        Ok(())
    }

    /// Everything the directory lists, in its order.
    pub(super) fn listed(&self) -> impl Iterator<Item = Listed> + Send + use<> {
        let top = self.top.clone();
        // A directory that was sound when it was opened can only fail by the file's own failure, which the reader sees.
        self.directory.headers(&self.file).map_while(Result::ok).map(move |header| listed_as(header, &top))
    }

    /// The file whose header begins at `offset` of the directory.
    pub(super) fn entry_at(&self, offset: u64) -> io::Result<Entry> {
        let header = self.directory.header_at(&self.file, offset)?;
        match listed_as(header, &self.top) {
            Listed::File(entry) => Ok(entry),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a file of the archive")),
        }
    }

    /// The file at the root with this name in lower case, one of those the importer knows.
    pub(super) fn known(&self, name: &str) -> Option<u64> {
        self.known.get(name).copied()
    }

    pub(super) fn knows_any(&self) -> bool {
        !self.known.is_empty()
    }

    pub(super) const fn entry_count(&self) -> u64 {
        self.entry_count
    }

    /// The unpacked bytes of a file.
    pub(super) fn read(&self, entry: &Entry) -> io::Result<EntryReader> {
        EntryReader::new(&self.file, &self.directory, &entry.header)
    }
}

impl Entry {
    pub(super) fn place(&self) -> Place {
        Place::entry(&self.name)
    }

    /// Bytes when unpacked, as the directory says.
    pub(super) const fn size(&self) -> u64 {
        self.header.size
    }
}

fn listed_as(header: Header, top: &str) -> Listed {
    let decoded = names::decoded(&header);
    let name = match names::cleaned(&decoded) {
        Ok(name) => name,
        Err(reason) => return Listed::Refused(Problem::entry(Place::entry(&shown(&decoded).into()), reason)),
    };
    if names::is_system_file(&name) {
        return Listed::SystemFile(Place::entry(&name.into()));
    }
    if name.ends_with('/') {
        return Listed::Folder;
    }
    // The folder round everything may be spelt in several ways.
    let name = name.get(top.len()..).unwrap_or_default();
    Listed::File(Entry { name: name.into(), offset: header.offset, header })
}

/// Why the directory cannot be read to its end, with the entry that it was read up to.
fn why_no_header(none: &NoHeader, entries: u64, last: &str) -> Refusal {
    match none {
        NoHeader::Unreadable(error) => Refusal::unreadable(error),
        NoHeader::Damaged if entries == 0 => Refusal::new("The zip archive is torn: its directory is damaged."),
        NoHeader::Damaged => Refusal::new(format!(
            "The zip archive is torn: its directory is damaged after entry {:?}, number {entries}.",
            shown(last)
        )),
    }
}

/// A name without what could forge a line of a log.
fn shown(name: &str) -> String {
    name.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// Where the files of messages lie below the first folders of their names.
#[derive(Debug, Default)]
struct MessagePlaces {
    is_any_direct: bool,
    is_any_deeper: bool,
}

impl MessagePlaces {
    fn saw(&mut self, below: &str) {
        if below.contains('/') {
            self.is_any_deeper = true;
        } else {
            self.is_any_direct = true;
        }
    }

    /// Whether each of them lies in a further folder.
    const fn are_all_deeper(&self) -> bool {
        self.is_any_deeper && !self.is_any_direct
    }
}

/// The first part of all names, if they share it.
#[derive(Debug, Default)]
enum CommonFolder {
    #[default]
    NoneYet,
    One {
        lower: String,
        spelt: String,
    },
    None,
}

impl CommonFolder {
    fn saw(&mut self, lower: &str, spelt: &str) {
        match self {
            Self::NoneYet => *self = Self::One { lower: lower.to_owned(), spelt: spelt.to_owned() },
            Self::One { lower: seen, .. } if seen == lower => {}
            Self::One { .. } | Self::None => *self = Self::None,
        }
    }

    fn saw_root_file(&mut self) {
        *self = Self::None;
    }

    fn only(&self) -> Option<&str> {
        match self {
            Self::One { spelt, .. } => Some(spelt),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
