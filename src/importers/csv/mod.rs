//! Rocket.Chat's own CSV export form: a zip of `users.csv`, `contacts.csv`, `channels.csv`, and a folder of messages for
//! each channel, with the folder `directmessages` for those between two people.
//!
//! Source: `apps/meteor/server/lib/import/csv/CsvImporter.ts`.

mod channels;
mod direct;
mod messages;
mod pair;
mod people;

use std::{collections::HashMap, sync::Arc};

use crate::domain::record_type::RecordType;

use super::{
    Options,
    archive::{Archive, Listed, RoomFolders, Shape, composed},
    contacts::contacts_in,
    entries::{EntryRows, RowSource},
    held_names::is_among_held_files,
    read_at::ReadAt,
    reader::{Elements, Parts},
    record::{Element, PassedOver, Refusal},
    rows::{Separators, trimmed},
};
use channels::ChannelNames;

const USERS: &str = "users.csv";
const CONTACTS: &str = "contacts.csv";
const CHANNELS: &str = "channels.csv";
const KNOWN: [&str; 3] = [USERS, CONTACTS, CHANNELS];
const DIRECT_MESSAGES: &str = "directmessages";
const MESSAGE_FILE: &str = ".csv";
const SHAPE: Shape =
    Shape { known: &KNOWN, rooms: Some(RoomFolders { ending: MESSAGE_FILE, special: DIRECT_MESSAGES }) };

/// The parts before those of the folders.
const FIRST_FOLDER: u64 = 3;

/// A CSV export whose files are found and whose channels are named.
#[derive(Debug)]
pub(super) struct Export {
    archive: Arc<Archive>,
    channels: ChannelNames,
    folders: Vec<Folder>,
}

/// Files with the messages of one room.
#[derive(Debug, Clone)]
struct Folder {
    room: Room,
    /// Offsets in the archive's directory, in its order.
    files: Vec<u64>,
    /// Whether all of them lie where an archive carries the files of its messages.
    is_held: bool,
}

/// Where the messages of a folder go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Room {
    /// A channel of `channels.csv`, by its import id.
    Listed(String),
    /// A channel that only its folder names.
    Named(String),
    /// To whom they go stands in each row.
    Direct,
}

impl Export {
    pub(super) fn open(file: Arc<dyn ReadAt>, options: &Options) -> Result<Self, Refusal> {
        let archive = Arc::new(Archive::open(file, SHAPE, options.limits)?);
        let channels = ChannelNames::read(main_file(&archive, CHANNELS, RecordType::Channel));
        let folders = folders_of(&archive, &channels);
        if folders.is_empty() && !archive.knows_any() {
            return Err(Refusal::new(format!(
                "None of the archive's {} entries is users.csv, contacts.csv, channels.csv or a CSV file in a folder \
                 named like a channel.",
                archive.entry_count()
            )));
        }
        Ok(Self { archive, channels, folders })
    }

    fn direct_files(&self) -> Vec<u64> {
        self.folders
            .iter()
            .filter(|folder| folder.room == Room::Direct)
            .flat_map(|folder| folder.files.clone())
            .collect()
    }
}

/// Rows of one of the files at the root; none if it is not there.
fn main_file(archive: &Arc<Archive>, name: &str, kind: RecordType) -> RowSource {
    let separators = if kind == RecordType::User { Separators::Any } else { Separators::CommaOrTab };
    Box::new(EntryRows::new(archive.clone(), archive.known(name).into_iter().collect(), kind, separators))
}

fn folders_of(archive: &Archive, channels: &ChannelNames) -> Vec<Folder> {
    let mut numbers: HashMap<Room, usize> = HashMap::new();
    let mut folders: Vec<Folder> = Vec::new();
    for listed in archive.listed() {
        let Listed::File(entry) = listed else { continue };
        let Some(name) = message_folder(&entry.name) else { continue };
        let room = room_of(name, channels);
        let number = *numbers.entry(room).or_insert_with_key(|room| {
            folders.push(Folder { room: room.clone(), files: Vec::new(), is_held: true });
            folders.len() - 1
        });
        folders[number].files.push(entry.offset);
        folders[number].is_held &= is_among_held_files(&entry.name);
    }
    folders
}

/// The first folder of a file of messages.
fn message_folder(name: &str) -> Option<&str> {
    let (folder, rest) = name.split_once('/')?;
    rest.to_lowercase().ends_with(MESSAGE_FILE).then_some(folder)
}

fn room_of(folder: &str, channels: &ChannelNames) -> Room {
    if folder.eq_ignore_ascii_case(DIRECT_MESSAGES) {
        return Room::Direct;
    }
    channels.id_of(folder).map_or_else(|| Room::Named(composed(trimmed(folder))), |id| Room::Listed(id.to_owned()))
}

impl Parts for Export {
    fn part(&mut self, number: u64) -> Option<Elements> {
        let main = |name, kind| main_file(&self.archive, name, kind);
        Some(match number {
            0 => Box::new(people::users_in(main(USERS, RecordType::User))),
            1 => Box::new(contacts_in(main(CONTACTS, RecordType::Contact))),
            2 => {
                let rows = main(CHANNELS, RecordType::Channel);
                let direct = messages::rows_of(&self.archive, self.direct_files());
                Box::new(self.channels.channels_in(rows).chain(direct::rooms_in(direct)))
            }
            _ => {
                let folder = usize::try_from(number - FIRST_FOLDER).ok()?;
                match self.folders.get(folder) {
                    Some(folder) => messages::messages_in(&self.archive, folder),
                    None if folder == self.folders.len() => Box::new(self.passed_over().into_iter()),
                    None => return None,
                }
            }
        })
    }

    fn reads_held_files_alone(&self) -> bool {
        !self.archive.knows_any() && self.folders.iter().all(|folder| folder.is_held)
    }
}

impl Export {
    /// What no other part reads, counted by kind.
    fn passed_over(&self) -> Vec<Element> {
        let mut system: Option<PassedOver> = None;
        let mut unknown: Option<PassedOver> = None;
        let mut elements = Vec::new();
        for listed in self.archive.listed() {
            let (group, kind, reason, place) = match listed {
                Listed::Folder => continue,
                Listed::Refused(problem) => {
                    elements.push(problem.into());
                    continue;
                }
                Listed::SystemFile(place) => (&mut system, "system file", "Left behind by an operating system.", place),
                Listed::File(entry) => {
                    let main = KNOWN.iter().any(|name| self.archive.known(name) == Some(entry.offset));
                    if main || message_folder(&entry.name).is_some() {
                        continue;
                    }
                    (&mut unknown, "unknown file", "No file of a CSV export.", entry.place())
                }
            };
            group.get_or_insert_with(|| PassedOver { kind, reason: reason.to_owned(), count: 0, place }).count += 1;
        }
        elements.extend(system.into_iter().chain(unknown).map(Element::from));
        elements
    }
}

/// The messages of one file, with a recipient in each row or without.
#[cfg(feature = "fuzzing")]
pub(super) fn messages_of_file(file: &[u8], direct: bool) -> Vec<Element> {
    let file: Arc<dyn ReadAt> = Arc::new(file.to_vec());
    let rows = || -> RowSource {
        super::entries::file_rows(&file, RecordType::Message).unwrap_or_else(|_| Box::new(std::iter::empty()))
    };
    let room = if direct { Room::Direct } else { Room::Named("general".to_owned()) };
    messages::messages_from(rows, room).collect()
}
