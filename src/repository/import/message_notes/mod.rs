//! Notes of imports on the messages they made, in a collection of our own.
//!
//! A note outlives its message: by it a further import knows what it may change, and that a message was deleted here. It
//! is written before the message, so no message of ours is without one.

mod packs;

use std::collections::HashMap;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;
use serde::{Deserialize, Serialize};

use self::packs::{StoredPack, holding, key_of, pack};
use crate::{
    domain::{
        document::{message_change::ImportedMessage, source_hash::SourceHash},
        field_value::Date,
        stable_hash::stable_hash,
    },
    repository::{
        Connection, PRIMARY_ONLY, RepositoryError,
        connection::{
            commands::{Update, commands_for, update_each},
            error::{are_only_duplicate_keys, is_duplicate_key},
        },
    },
};

const COLLECTION: &str = "rocketchat_import_service_messages";

/// A staged record, by the beginning of a hash of its `_id`.
type RecordKey = u64;

/// Reads and writes notes on messages.
#[derive(Debug, Clone)]
pub struct MessageNotes {
    notes: Collection<StoredNote>,
}

/// The staged record that a message is one and the same with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The root of the operation.
    pub root: String,
    /// The `_id` of the staged record.
    pub record: String,
}

/// The staged record that made a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    root: String,
    record: RecordKey,
}

impl Maker {
    /// Whether it belongs to this root operation.
    #[must_use]
    pub fn is_of(&self, root: &str) -> bool {
        self.root == root
    }

    /// Whether it is this record.
    #[must_use]
    pub fn is(&self, record: &SourceRecord) -> bool {
        self.root == record.root && self.record == record_key(&record.record)
    }
}

/// What an import noted of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageNote {
    /// `None` for a message that was there before.
    pub made_by: Option<Maker>,
    pub imported: ImportedMessage,
}

/// A message, and where the note on it lies.
#[derive(Debug, Clone, Copy)]
pub struct NotedPlace<'a> {
    /// The message's `_id`.
    pub id: &'a str,
    /// The room, by the id that stays the same when the same source is imported again.
    pub room: &'a str,
    pub ts: Date,
}

/// A note on a message that is about to be made.
#[derive(Debug, Clone)]
pub struct PlacedNote<'a> {
    pub place: NotedPlace<'a>,
    /// The `_id` of the staged record that makes it.
    pub record: &'a str,
    pub imported: ImportedMessage,
}

/// A note in a document of its own: on a message that came out of its order, that has no id in its source, or that was
/// changed later.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredNote {
    /// The message's `_id`.
    #[serde(rename = "_id")]
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_by: Option<SourceRecord>,
    /// The record of the last import that the message was recognised in. Only of messages without an id in their source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_by: Option<SourceRecord>,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited_at: Option<DateTime>,
}

impl MessageNotes {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { notes: connection.collection(COLLECTION) }
    }

    /// Stores notes on messages that have none. The next write by a majority takes them along.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn add(&self, root: &str, notes: &[PlacedNote<'_>]) -> Result<(), RepositoryError> {
        let (packs, others) = pack(root, notes);
        if !packs.is_empty() {
            let collection = self.notes.clone_with_type::<StoredPack>();
            collection.insert_many(packs).ordered(false).write_concern(PRIMARY_ONLY.clone()).await?;
        }
        let single = |position: usize| {
            let PlacedNote { place, record, imported } = notes.get(position)?;
            let by = SourceRecord { root: root.to_owned(), record: (*record).to_owned() };
            Some(stored_note(place.id, by, None, imported))
        };
        for part in commands_for(others.len()) {
            let singles: Vec<StoredNote> = others[part].iter().filter_map(|position| single(*position)).collect();
            let inserted = self.notes.insert_many(singles).ordered(false).write_concern(PRIMARY_ONLY.clone()).await;
            // An instance that held the lease before notes the same.
            inserted.map(|_| ()).or_else(|error| if are_only_duplicate_keys(&error) { Ok(()) } else { Err(error) })?;
        }
        Ok(())
    }

    /// Stores notes on messages that have one of an earlier operation, and whose room was deleted and is made again.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn begin_again(&self, root: &str, notes: &[PlacedNote<'_>]) -> Result<(), RepositoryError> {
        let update = |PlacedNote { place, record, imported }: &PlacedNote<'_>| {
            let by = doc! { "root": root, "record": *record };
            let mut change = change_to(imported);
            if let Ok(set) = change.get_document_mut("$set") {
                set.insert("madeBy", by);
            }
            Update { filter: doc! { "_id": place.id }, change, upsert: true }
        };
        update_each(&self.notes, &notes.iter().map(update).collect::<Vec<_>>()).await
    }

    /// Stores the note on a message without an id in its source, and recognises it in the record that makes it. False if
    /// there is a note.
    pub async fn begin(&self, id: &str, by: SourceRecord, imported: &ImportedMessage) -> Result<bool, RepositoryError> {
        let note = stored_note(id, by.clone(), Some(by), imported);
        match self.notes.insert_one(note).write_concern(PRIMARY_ONLY.clone()).await {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate_key(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the notes on these messages, by the messages' ids.
    pub async fn of(&self, places: &[NotedPlace<'_>]) -> Result<HashMap<String, MessageNote>, RepositoryError> {
        if places.is_empty() {
            return Ok(HashMap::new());
        }
        let (mut notes, singles) = tokio::try_join!(self.packed(places), self.singles(places))?;
        for single in singles {
            let (id, note) = message_note(single);
            // What was noted later stands alone, without the maker.
            let made_by = note.made_by.or_else(|| notes.remove(&id)?.made_by);
            notes.insert(id, MessageNote { made_by, ..note });
        }
        Ok(notes)
    }

    async fn packed(&self, places: &[NotedPlace<'_>]) -> Result<HashMap<String, MessageNote>, RepositoryError> {
        let wanted = places.iter().map(|place| (key_of(place.id), place.id)).collect();
        let mut packs = self.notes.clone_with_type::<StoredPack>().find(holding(places)).await?;
        let mut notes = HashMap::new();
        while let Some(pack) = packs.try_next().await? {
            pack.read(&wanted, &mut notes);
        }
        Ok(notes)
    }

    async fn singles(&self, places: &[NotedPlace<'_>]) -> Result<Vec<StoredNote>, RepositoryError> {
        let ids: Vec<&str> = places.iter().map(|place| place.id).collect();
        Ok(self.notes.find(doc! { "_id": { "$in": ids } }).await?.try_collect().await?)
    }

    /// Notes what was imported last of these messages, also of those without a note.
    ///
    /// # Errors
    /// Some may have been noted all the same.
    pub async fn renew(&self, imported: &[(&str, ImportedMessage)]) -> Result<(), RepositoryError> {
        let update = |(id, imported): &(&str, ImportedMessage)| Update {
            filter: doc! { "_id": id },
            change: change_to(imported),
            upsert: true,
        };
        update_each(&self.notes, &imported.iter().map(update).collect::<Vec<_>>()).await
    }

    /// Recognises a message in a record, unless another record of the same import was faster. False if one was.
    pub async fn take(&self, id: &str, by: &SourceRecord) -> Result<bool, RepositoryError> {
        let taken = doc! { "root": &by.root, "record": &by.record };
        let free = doc! { "_id": id, "takenBy.root": { "$ne": &by.root } };
        let update = self.notes.update_one(free, doc! { "$set": { "takenBy": taken.clone() } });
        if update.await?.matched_count == 1 {
            return Ok(true);
        }
        Ok(self.notes.find_one(doc! { "_id": id, "takenBy": taken }).await?.is_some())
    }
}

/// The change of a note that keeps who made the message.
fn change_to(imported: &ImportedMessage) -> Document {
    let source = imported.source.to_text();
    if let Some(edited_at) = imported.edited_at.map(bson_date) {
        doc! { "$set": { "source": source, "editedAt": edited_at } }
    } else {
        doc! { "$set": { "source": source }, "$unset": { "editedAt": "" } }
    }
}

fn bson_date(date: Date) -> DateTime {
    DateTime::from_millis(date.epoch_millis())
}

fn record_key(record: &str) -> RecordKey {
    stable_hash([record]).first_chunk().copied().map_or(0, RecordKey::from_be_bytes)
}

fn stored_note(id: &str, by: SourceRecord, taken_by: Option<SourceRecord>, imported: &ImportedMessage) -> StoredNote {
    StoredNote {
        id: id.to_owned(),
        made_by: Some(by),
        taken_by,
        source: imported.source.to_text(),
        edited_at: imported.edited_at.map(bson_date),
    }
}

fn message_note(stored: StoredNote) -> (String, MessageNote) {
    let edited_at = stored.edited_at.map(|date| Date::from_epoch_millis(date.timestamp_millis()));
    let made_by = stored.made_by.map(|by| Maker { record: record_key(&by.record), root: by.root });
    let imported = ImportedMessage { source: SourceHash::from_text(&stored.source), edited_at };
    (stored.id, MessageNote { made_by, imported })
}
