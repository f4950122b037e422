//! Packs of notes: those on a stretch of one room's messages, in one document.
//!
//! A pack costs the database a small part of what its notes cost one by one. It is found by its room and by the times of
//! its messages, so it holds messages that came in their order: others would lie in packs that all reach over each other.

use std::{collections::HashMap, time::Duration};

use bson::{Binary, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype};
use serde::{Deserialize, Serialize};

use super::{Maker, MessageNote, NotedPlace, PlacedNote, RecordKey, bson_date};
use crate::domain::{
    document::{
        message_change::ImportedMessage,
        source_hash::{HASH_BYTES, SourceHash},
    },
    field_value::Date,
    stable_hash::stable_hash,
};

/// The time from the first to the last message of a pack, at most. Packs are looked for so far behind a message.
const LONGEST_STRETCH: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// How far a later import may have moved a message: those of one moment are moved apart, and in a longer export there may be
/// more of them.
const LONGEST_MOVE: Duration = Duration::from_secs(10 * 60);
/// A message, by the beginning of a hash of its `_id`.
type MessageKey = [u8; MESSAGE_KEY_BYTES];

const MESSAGE_KEY_BYTES: usize = 16;
const NOTE_BYTES: usize = MESSAGE_KEY_BYTES + size_of::<RecordKey>() + HASH_BYTES + size_of::<i64>();
/// Stands for a message without `editedAt`.
const NEVER_EDITED: i64 = i64::MIN;

/// A pack as it is stored. Releases before this one stored each note in a document of its own, whose `_id` is a text; they do
/// not see packs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredPack {
    #[serde(rename = "_id")]
    id: PackId,
    /// The root of the operation that made the messages.
    root: String,
    /// For each message: its key, the key of its record, the hash of its source, and its `editedAt` in milliseconds. Numbers
    /// begin with their highest byte.
    notes: Binary,
}

/// The order of the fields is that of the database's index.
#[derive(Debug, Serialize, Deserialize)]
struct PackId {
    room: String,
    /// The time of the last message.
    to: DateTime,
    /// The time of the first message.
    from: DateTime,
    /// Keeps packs of one stretch apart.
    pack: ObjectId,
}

impl StoredPack {
    /// Adds what the pack says of these messages.
    pub(super) fn read(&self, wanted: &HashMap<MessageKey, &str>, found: &mut HashMap<String, MessageNote>) {
        let (notes, _) = self.notes.bytes.as_chunks::<NOTE_BYTES>();
        for (message, note) in notes.iter().filter_map(|note| self.note(note)) {
            if let Some(id) = wanted.get(&message) {
                found.entry((*id).to_owned()).or_insert(note);
            }
        }
    }

    fn note(&self, bytes: &[u8; NOTE_BYTES]) -> Option<(MessageKey, MessageNote)> {
        let (message, rest) = bytes.split_first_chunk()?;
        let (record, rest) = rest.split_first_chunk()?;
        let (source, edited_at) = rest.split_first_chunk()?;
        let edited_at = i64::from_be_bytes(*edited_at.first_chunk()?);
        let edited_at = (edited_at != NEVER_EDITED).then(|| Date::from_epoch_millis(edited_at));
        let made_by = Maker { root: self.root.clone(), record: RecordKey::from_be_bytes(*record) };
        let imported = ImportedMessage { source: SourceHash::from_bytes(*source), edited_at };
        Some((*message, MessageNote { made_by: Some(made_by), imported }))
    }
}

/// The key under which packs know a message.
pub(super) fn key_of(id: &str) -> MessageKey {
    let mut key = MessageKey::default();
    key.copy_from_slice(&stable_hash([id])[..MESSAGE_KEY_BYTES]);
    key
}

/// A pack that is being put together.
struct OpenPack<'a> {
    room: &'a str,
    from: Date,
    to: Date,
    notes: Vec<u8>,
}

impl<'a> OpenPack<'a> {
    fn new(place: &NotedPlace<'a>) -> Self {
        Self { room: place.room, from: place.ts, to: place.ts, notes: Vec::new() }
    }

    fn reaches(&self, ts: Date) -> bool {
        ts.epoch_millis().saturating_sub(self.from.epoch_millis()) <= millis(LONGEST_STRETCH)
    }

    fn add(&mut self, note: &PlacedNote<'_>) {
        let ImportedMessage { source, edited_at } = &note.imported;
        self.to = note.place.ts;
        self.notes.extend(key_of(note.place.id));
        self.notes.extend(super::record_key(note.record).to_be_bytes());
        self.notes.extend(source.as_bytes());
        self.notes.extend(edited_at.map_or(NEVER_EDITED, Date::epoch_millis).to_be_bytes());
    }

    fn close(self, root: &str) -> StoredPack {
        StoredPack {
            id: PackId {
                room: self.room.to_owned(),
                to: bson_date(self.to),
                from: bson_date(self.from),
                pack: ObjectId::new(),
            },
            root: root.to_owned(),
            notes: Binary { subtype: BinarySubtype::Generic, bytes: self.notes },
        }
    }
}

/// Packs the notes of messages that come in their order; the places of the others.
pub(super) fn pack(root: &str, notes: &[PlacedNote<'_>]) -> (Vec<StoredPack>, Vec<usize>) {
    let (mut open, mut packs, mut others): (HashMap<&str, OpenPack<'_>>, _, _) =
        (HashMap::new(), Vec::new(), Vec::new());
    for (position, note) in notes.iter().enumerate() {
        let place = &note.place;
        let pack = open.entry(place.room).or_insert_with(|| OpenPack::new(place));
        if place.ts < pack.to {
            others.push(position);
            continue;
        }
        if !pack.reaches(place.ts) {
            packs.push(std::mem::replace(pack, OpenPack::new(place)).close(root));
        }
        pack.add(note);
    }
    packs.extend(open.into_values().map(|pack| pack.close(root)));
    (packs, others)
}

/// The packs that may hold notes on these messages.
pub(super) fn holding(places: &[NotedPlace<'_>]) -> Document {
    let mut stretches: HashMap<&str, (Date, Date)> = HashMap::new();
    for place in places {
        let (from, to) = stretches.entry(place.room).or_insert((place.ts, place.ts));
        (*from, *to) = ((*from).min(place.ts), (*to).max(place.ts));
    }
    let of_room = |(room, (from, to)): (&str, (Date, Date))| {
        let moment = |date: Date, moved: i64| DateTime::from_millis(date.epoch_millis().saturating_add(moved));
        let (first, last) = (moment(from, -millis(LONGEST_MOVE)), moment(to, millis(LONGEST_MOVE)));
        let beyond = moment(to, millis(LONGEST_MOVE + LONGEST_STRETCH) + 1);
        doc! {
            "_id": { "$gte": { "room": room, "to": first }, "$lt": { "room": room, "to": beyond } },
            "_id.from": { "$lte": last },
        }
    };
    doc! { "$or": stretches.into_iter().map(of_room).collect::<Vec<_>>() }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_value::{FieldValue, Fields};

    const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

    fn note<'a>(id: &'a str, room: &'a str, day: i64) -> PlacedNote<'a> {
        let source = SourceHash::new(&Fields::default().with("id", FieldValue::Text(id.into())));
        let edited_at = (id == "edited").then(|| Date::from_epoch_millis(7));
        let place = NotedPlace { id, room, ts: Date::from_epoch_millis(day * DAY_MILLIS) };
        PlacedNote { place, record: id, imported: ImportedMessage { source, edited_at } }
    }

    fn lengths(packs: &[StoredPack]) -> Vec<usize> {
        let mut lengths: Vec<usize> = packs.iter().map(|pack| pack.notes.bytes.len() / NOTE_BYTES).collect();
        lengths.sort_unstable();
        lengths
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let notes = [note("one", "A", 0), note("edited", "A", 1), note("other", "B", 0)];
        let (packs, others) = pack("root", &notes);
        assert_eq!((lengths(&packs), others), (vec![1, 2], Vec::new()));
        let wanted = ["one", "edited", "unknown"].map(|id| (key_of(id), id)).into_iter().collect();
        let mut found = HashMap::new();
        for pack in packs {
            let stored: StoredPack = bson::deserialize_from_slice(&bson::serialize_to_vec(&pack).unwrap()).unwrap();
            stored.read(&wanted, &mut found);
        }
        assert_eq!(found.len(), 2);
        for expected in &notes[..2] {
            let found = &found[expected.place.id];
            assert_eq!(found.imported, expected.imported);
            let maker = Maker { root: "root".to_owned(), record: super::super::record_key(expected.record) };
            assert_eq!(found.made_by, Some(maker));
        }
    }

    #[test]
    fn a_pack_reaches_no_further_than_it_is_looked_for() {
        let notes = [note("a", "A", 0), note("b", "A", 31), note("c", "A", 32), note("d", "A", 90)];
        assert_eq!(lengths(&pack("root", &notes).0), [1, 1, 2]);
    }

    #[test]
    fn messages_out_of_their_order_are_in_no_pack() {
        let notes = [note("a", "A", 5), note("b", "A", 4), note("c", "B", 3), note("d", "A", 5)];
        let (packs, others) = pack("root", &notes);
        assert_eq!((lengths(&packs), others), (vec![1, 2], vec![1]));
    }
}
