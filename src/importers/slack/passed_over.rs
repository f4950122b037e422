//! What lies in an export and is no user, room or message of a room.

use indexmap::IndexMap;

use crate::importers::{
    archive::{Archive, Entry, Listed},
    entries::element_count,
    held_names::file_id,
    record::{Element, PassedOver, Place},
};

use super::{KNOWN, canvases, day_of, rooms::Rooms};

/// Folders that are counted by name; the rest is counted together.
const MAX_FOLDERS: usize = 1000;

/// Lists that Slack puts beside those that are imported.
const LISTS: [(&str, &str); 4] = [
    ("integration_logs.json", "integration log"),
    ("content_flags.json", "content flag"),
    ("huddle_transcripts.json", "huddle transcript"),
    ("lists.json", "list"),
];

/// Everything that no other part reads, counted by kind and reason.
pub(super) fn passed_over(archive: &Archive, rooms: &Rooms) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut groups: IndexMap<(&'static str, String), (u64, Place)> = IndexMap::new();
    for listed in archive.listed() {
        let (kind, reason, count, place) = match listed {
            Listed::Folder => continue,
            Listed::Refused(problem) => {
                elements.push(problem.into());
                continue;
            }
            Listed::SystemFile(place) => ("system file", "Left behind by an operating system.".to_owned(), 1, place),
            Listed::File(entry) => match unread(archive, &entry, rooms, groups.len()) {
                Some((kind, reason, count)) => (kind, reason, count, entry.place()),
                None => continue,
            },
        };
        groups.entry((kind, reason)).or_insert((0, place)).0 += count;
    }
    let groups = groups
        .into_iter()
        .map(|((kind, reason), (count, place))| Element::from(PassedOver { kind, reason, count, place }));
    elements.extend(groups);
    elements
}

/// The kind of a file that no other part reads, why it is left out, and how many elements it holds.
fn unread(archive: &Archive, entry: &Entry, rooms: &Rooms, groups: usize) -> Option<(&'static str, String, u64)> {
    let lower = entry.name.to_lowercase();
    let is_list = KNOWN.iter().any(|name| archive.known(name) == Some(entry.offset)) || lower == canvases::LIST;
    if is_list || day_of(entry, rooms).is_some() {
        return None;
    }
    if let Some((name, kind)) = LISTS.iter().find(|(name, _)| *name == lower) {
        let count = element_count(archive, entry).unwrap_or(1);
        return Some((kind, format!("Rocket.Chat has no place for {name}."), count));
    }
    if file_id(&entry.name).is_some() {
        return Some(("file", "It is taken from here when the files of messages are fetched.".to_owned(), 1));
    }
    let Some((folder, file)) = entry.name.split_once('/') else {
        return Some(("unknown file", "No file of a Slack export.".to_owned(), 1));
    };
    let Some(stem) = file.strip_suffix(".json").filter(|stem| !stem.contains('/')) else {
        return Some(("unknown file", "No list of messages.".to_owned(), 1));
    };
    let reason = if groups < MAX_FOLDERS {
        format!("The folder {folder:?} belongs to no room of the export.")
    } else {
        "Its folder belongs to no room of the export.".to_owned()
    };
    let kind = if canvases::is_file_of_canvases(stem) { canvases::KIND } else { "message" };
    Some(match element_count(archive, entry) {
        Ok(count) => (kind, reason, count),
        Err(_) => ("unknown file", "No list of messages.".to_owned(), 1),
    })
}
