//! Messages of a folder: an author, a time and a text a row; with the other person second in `directmessages`.

use std::{collections::HashMap, sync::Arc};

use crate::domain::{field_value::Fields, record_type::RecordType};

use crate::importers::{
    archive::Archive,
    entries::{EntryRows, FoundRow, RowSource},
    json::{date, person, text},
    moments::{Moments, Told, told},
    reader::Elements,
    record::{Element, Note, PassedOver, Problem, Record},
    rows::{Row, Separators},
    stable_id::{stable_id, stable_number},
};

use super::{
    Folder, Room, channels,
    pair::{import_id, pair_of},
};

const TIME_COLUMN_NAMES: [&str; 4] = ["ts", "time", "timestamp", "date"];

/// Rows of files of messages.
pub(super) fn rows_of(archive: &Arc<Archive>, files: Vec<u64>) -> RowSource {
    Box::new(EntryRows::new(archive.clone(), files, RecordType::Message, Separators::Any))
}

/// Whether the row names the columns.
pub(super) fn is_header(row: &Row, time_column: usize) -> bool {
    let name = row.trimmed(time_column).to_lowercase();
    row.line == 1 && TIME_COLUMN_NAMES.contains(&name.as_str())
}

/// A row that can become a message.
pub(super) struct Message<'a> {
    /// The import id of its room, or the name of one that is not listed.
    pub(super) room: String,
    author: &'a str,
    time: Told,
    text: &'a str,
}

impl Message<'_> {
    fn hash(&self) -> u64 {
        stable_number(&[&self.room, self.author, &self.time.millis.to_string(), self.text])
    }
}

/// Reads a row, or says why it cannot.
pub(super) fn message<'a>(row: &'a Row, room: &Room) -> Result<Message<'a>, &'static str> {
    let shift = usize::from(*room == Room::Direct);
    if row.fields.len() < shift + 3 {
        return Err(if shift == 1 {
            "The row needs an author, a recipient, a time and a text."
        } else {
            "The row needs an author, a time and a text."
        });
    }
    let author = row.trimmed(0);
    if author.is_empty() {
        return Err("The row has no author.");
    }
    let room = match room {
        Room::Listed(id) | Room::Named(id) => id.clone(),
        Room::Direct => pair_of(row).map(|(from, to)| import_id(from, to)).ok_or("The row has no recipient.")?,
    };
    let time = told(row.trimmed(shift + 1))
        .ok_or("The time is neither milliseconds or seconds since 1970 nor a date of the form 2020-01-31T23:59:59Z.")?;
    Ok(Message { room, author, time, text: &row.fields[shift + 2] })
}

/// A message's place in time among those of its room: its millisecond, and its number among those that share it.
type Key = (i64, u32);

/// What has to be known of all messages of a folder before the first of them can be staged.
#[derive(Debug, Default)]
struct Survey {
    rooms: HashMap<Box<str>, RoomTimes>,
    /// How often each message that is there more than once was seen so far.
    repeated: HashMap<u64, u32>,
}

#[derive(Debug)]
struct RoomTimes {
    moments: Moments<Key>,
    /// How many messages of each shared millisecond were seen so far.
    shared: HashMap<i64, u32>,
}

impl RoomTimes {
    fn new(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        let shared = times.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| (pair[0], 0)).collect();
        let mut keys: Vec<(Key, u32)> = Vec::with_capacity(times.len());
        for millis in times {
            let number = keys.last().filter(|((last, _), _)| *last == millis).map_or(0, |((_, number), _)| number + 1);
            keys.push(((millis, number), 1));
        }
        Self { moments: Moments::new(keys, |(millis, _)| millis), shared }
    }

    /// The millisecond that the next message with this time gets.
    fn next(&mut self, millis: i64) -> i64 {
        let number = self.shared.get_mut(&millis).map_or(0, |seen| std::mem::replace(seen, *seen + 1));
        self.moments.of((millis, number), millis)
    }
}

fn survey(rows: RowSource, room: &Room) -> Survey {
    let mut times: HashMap<Box<str>, Vec<i64>> = HashMap::new();
    let mut hashes = Vec::new();
    for (_, row) in rows.flatten() {
        if let Ok(message) = message(&row, room) {
            hashes.push(message.hash());
            match times.get_mut(message.room.as_str()) {
                Some(times) => times.push(message.time.millis),
                None => drop(times.insert(message.room.into_boxed_str(), vec![message.time.millis])),
            }
        }
    }
    hashes.sort_unstable();
    let repeated = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| (pair[0], 0)).collect();
    let rooms = times.into_iter().map(|(room, times)| (room, RoomTimes::new(times))).collect();
    Survey { rooms, repeated }
}

/// The messages of a folder.
pub(super) fn messages_in(archive: &Arc<Archive>, folder: &Folder) -> Elements {
    messages_from(|| rows_of(archive, folder.files.clone()), folder.room.clone())
}

/// The messages of a room whose rows can be read twice.
pub(super) fn messages_from(rows: impl Fn() -> RowSource, room: Room) -> Elements {
    let mut survey = survey(rows(), &room);
    Box::new(rows().map(move |row| staged(row, &room, &mut survey)))
}

fn staged(row: FoundRow, room: &Room, survey: &mut Survey) -> Element {
    let (place, row) = match row {
        Ok(row) => row,
        Err(problem) => return problem.into(),
    };
    if is_header(&row, 1 + usize::from(*room == Room::Direct)) {
        return PassedOver::one("header", "The row names the columns.", place).into();
    }
    let message = match message(&row, room) {
        Ok(message) => message,
        Err(reason) => {
            let author = Some(row.trimmed(0)).filter(|author| !author.is_empty()).map(str::to_owned);
            return Problem::new(RecordType::Message, place, reason).with_ids(author).into();
        }
    };
    let millis = message.time.millis;
    let given = survey.rooms.get_mut(message.room.as_str()).map_or(millis, |times| times.next(millis));
    let repetition = survey.repeated.get_mut(&message.hash()).map_or(0, |seen| std::mem::replace(seen, *seen + 1));
    // The same whether the channel is listed or only its folder names it.
    let named = match room {
        Room::Named(name) => channels::import_id(name),
        Room::Listed(_) | Room::Direct => message.room.clone(),
    };
    let parts = [&named, message.author, &millis.to_string(), message.text, &repetition.to_string()];
    let id = format!("csv-{}", stable_id(&parts));
    let data = Fields::from_iter([
        ("_id", text(id)),
        ("rid", text(&*message.room)),
        ("u", person(message.author)),
        ("ts", date(given)),
        ("msg", text(message.text)),
    ]);
    let mut record = Record::new(RecordType::Message, data, place);
    if !message.time.in_millis {
        record.notes.push(Note::TimeRecognised);
    }
    record.into()
}
