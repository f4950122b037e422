//! Slack exports: a zip of JSON lists of users and rooms, and for each room a folder with a list of messages a day.
//!
//! Source: `apps/meteor/server/lib/import/slack/SlackImporter.ts`.

mod attachments;
mod blocks;
mod canvases;
mod files;
mod message;
mod messages;
mod names;
mod passed_over;
mod people;
mod rooms;
mod survey;
mod text;

use std::{collections::HashSet, ops::Range, sync::Arc};

use crate::domain::record_type::RecordType;

use super::{
    Options,
    archive::{Archive, Entry, Listed, Shape},
    entries::EntryElements,
    read_at::ReadAt,
    reader::{Elements, Parts},
    record::Refusal,
};
use canvases::Canvases;
use messages::RoomMessages;
use names::Names;
use rooms::{List, Rooms};
use survey::Survey;

const USERS: &str = "users.json";
/// All people of an organisation of several workspaces; stands beside or in place of `users.json`.
const ORG_USERS: &str = "org_users.json";
const KNOWN: [&str; 6] = [USERS, ORG_USERS, "channels.json", "groups.json", "mpims.json", "dms.json"];
/// Days alone are no export: their folders are named like rooms, but only the lists say which rooms are private.
pub(super) const SHAPE: Shape = Shape { known: &KNOWN, rooms: None };
/// Members under which a list may stand, in exports that came through other tools.
const LIST_MEMBERS: &[&str] = &["members", "users", "channels", "groups", "mpims", "ims"];
const MESSAGE_MEMBERS: &[&str] = &["messages"];

/// The parts before those of the rooms.
const FIRST_ROOM: u64 = 2;

/// An export whose lists are read and whose days are found.
#[derive(Debug)]
pub(super) struct Export {
    archive: Arc<Archive>,
    names: Arc<Names>,
    rooms: Arc<Rooms>,
    days: Vec<Day>,
    canvases: Canvases,
    /// The days of each room, in the order in which the rooms' folders appear.
    ranges: Vec<Range<usize>>,
    direct_message_max_users: usize,
}

/// A file of messages; 24 bytes each, for exports of millions of them.
#[derive(Debug, Clone, Copy)]
struct Day {
    /// Of the room's folder, by its first appearance.
    folder: u32,
    room: u32,
    /// Year, month and day as one number; the last one for names of another form.
    date: u32,
    offset: u64,
}

impl Export {
    pub(super) fn open(file: Arc<dyn ReadAt>, options: &Options) -> Result<Self, Refusal> {
        let archive = Arc::new(Archive::open(file, SHAPE, options.limits)?);
        if !archive.knows_any() {
            return Err(Refusal::new(format!(
                "None of the archive's {} entries is one of a Slack export's lists: {}.",
                archive.entry_count(),
                KNOWN.join(", ")
            )));
        }
        let mut names = Names::default();
        for file in [USERS, ORG_USERS] {
            people::add_names(&mut names, list(&archive, file, RecordType::User));
        }
        let mut rooms = Rooms::default();
        for kind in List::ALL {
            rooms.add(kind, &mut names, list(&archive, kind.file(), RecordType::Channel));
        }
        let rooms = Arc::new(rooms);
        let (days, list_of_canvases) = days_of(&archive, &rooms);
        let ranges = days.chunk_by(|one, other| one.folder == other.folder).scan(0, |start, days| {
            let range = *start..*start + days.len();
            *start = range.end;
            Some(range)
        });
        Ok(Self {
            ranges: ranges.collect(),
            canvases: Canvases::new(archive.clone(), list_of_canvases, rooms.clone()),
            archive,
            names: Arc::new(names),
            rooms,
            days,
            direct_message_max_users: options.direct_message_max_users,
        })
    }

    fn users(&self) -> Elements {
        let lists =
            list(&self.archive, USERS, RecordType::User).chain(list(&self.archive, ORG_USERS, RecordType::User));
        let (archive, names) = (self.archive.clone(), self.names.clone());
        let days: Vec<u64> = self.days.iter().map(|day| day.offset).collect();
        let canvases = self.canvases.clone();
        let strangers = std::iter::once_with(move || {
            let talks = [List::Talks, List::GroupTalks].map(|kind| list(&archive, kind.file(), RecordType::Channel));
            let messages = EntryElements::new(archive, days, RecordType::Message, MESSAGE_MEMBERS)
                .map(canvases::as_message)
                .chain(canvases.messages());
            people::placeholders(&names, rooms::participants(talks.into_iter().flatten()), messages)
        });
        Box::new(people::users_in(lists).chain(strangers.flatten()))
    }

    fn channels(&self) -> Elements {
        let (archive, names, limit) = (self.archive.clone(), self.names.clone(), self.direct_message_max_users);
        let mut seen = HashSet::new();
        let rows = List::ALL
            .into_iter()
            .flat_map(move |kind| list(&archive, kind.file(), RecordType::Channel).map(move |element| (kind, element)));
        Box::new(rows.map(move |(kind, element)| rooms::room(element, kind, &names, limit, &mut seen)))
    }

    fn messages(&self, room: usize) -> Option<Elements> {
        let days = &self.days[self.ranges.get(room)?.clone()];
        let offsets: Vec<u64> = days.iter().map(|day| day.offset).collect();
        let room = self.rooms.id(days.first()?.room);
        let elements = || {
            EntryElements::new(self.archive.clone(), offsets.clone(), RecordType::Message, MESSAGE_MEMBERS)
                .map(canvases::as_message)
        };
        let mut messages = RoomMessages::new(room, self.names.clone(), Survey::new(elements));
        Some(Box::new(elements().flat_map(move |element| match canvases::without_link(&element) {
            Some(passed_over) => vec![passed_over],
            None => messages.staged(element),
        })))
    }
}

impl Parts for Export {
    fn part(&mut self, number: u64) -> Option<Elements> {
        match number {
            0 => Some(self.users()),
            1 => Some(self.channels()),
            _ => {
                let room = usize::try_from(number - FIRST_ROOM).ok()?;
                match room.checked_sub(self.ranges.len()) {
                    None => self.messages(room),
                    Some(0) => Some(Box::new(self.canvases.staged(&self.names))),
                    Some(1) => Some(Box::new(passed_over::passed_over(&self.archive, &self.rooms).into_iter())),
                    Some(_) => None,
                }
            }
        }
    }
}

/// Elements of one of the lists; none if it is not there.
fn list(archive: &Arc<Archive>, name: &str, kind: RecordType) -> EntryElements {
    EntryElements::new(archive.clone(), archive.known(name).into_iter().collect(), kind, LIST_MEMBERS)
}

/// The files of messages, and where the list of all canvases begins.
fn days_of(archive: &Archive, rooms: &Rooms) -> (Vec<Day>, Option<u64>) {
    let mut order: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
    let mut days = Vec::new();
    let mut list_of_canvases = None;
    for listed in archive.listed() {
        let Listed::File(entry) = listed else { continue };
        if entry.name.eq_ignore_ascii_case(canvases::LIST) {
            list_of_canvases.get_or_insert(entry.offset);
        }
        let Some((room, date)) = day_of(&entry, rooms) else { continue };
        let next = u32::try_from(order.len()).unwrap_or(u32::MAX);
        let folder = *order.entry(room).or_insert(next);
        days.push(Day { folder, room, date, offset: entry.offset });
    }
    // The order of entries is that of whatever program made the archive.
    days.sort_by_key(|day| (day.folder, day.date, day.offset));
    (days, list_of_canvases)
}

/// The room and the date of a file of messages.
fn day_of(entry: &Entry, rooms: &Rooms) -> Option<(u32, u32)> {
    let (folder, file) = entry.name.split_once('/')?;
    let stem = file.strip_suffix(".json")?;
    if stem.contains('/') {
        return None;
    }
    let room = rooms.of_folder(folder)?;
    let digits: String = stem.split('-').collect();
    let is_date = stem.len() == 10 && digits.len() == 8;
    Some((room, digits.parse().ok().filter(|_| is_date).unwrap_or(u32::MAX)))
}

/// The text of a message, and whom and which channels it mentions, with a few names known.
#[cfg(feature = "fuzzing")]
pub(super) fn converted_text(markup: &str) -> (String, Vec<String>, Vec<String>) {
    let names = few_names();
    let mut text = text::Text::new(&names, text::People::ByImportId);
    text.push_markup(markup);
    (text.shown, text.mentions, text.channels)
}

/// The messages of a room of which there is one day.
#[cfg(feature = "fuzzing")]
pub(super) fn messages_of_day(json: &[u8]) -> Vec<super::record::Element> {
    use super::{
        elements::{Damage, JsonElements},
        record::{At, Place, Problem},
    };
    let elements = || {
        JsonElements::new(json, MESSAGE_MEMBERS).map(|element| match element {
            Ok((number, json)) => Ok((Place { entry: None, at: At::Element(number) }, json)),
            Err(Damage::Element(_, reason) | Damage::Rest(reason)) => Err(Problem::entry(Place::default(), reason)),
        })
    };
    let mut messages = RoomMessages::new("C01", Arc::new(few_names()), Survey::new(elements));
    elements().flat_map(|element| messages.staged(element)).collect()
}

#[cfg(feature = "fuzzing")]
fn few_names() -> Names {
    Names::of(&[("U01", "ann"), ("U02", "bea")], &[("C01", "general"), ("C02", "dev-ops")])
}
