//! Notes of imports on the messages they made, in a collection of our own.
//!
//! A note outlives its message: by it a further import knows what it may change, and that a message was deleted here. It
//! is written before the message, so no message of ours is without one.

use std::collections::{HashMap, HashSet};

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::{Collection, error::ErrorKind};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        document::{message_change::ImportedMessage, source_hash::SourceHash},
        field_value::Date,
    },
    repository::{
        Connection, PRIMARY_ONLY, RepositoryError,
        connection::{commands::commands_for, error::are_only_duplicate_keys},
    },
};

const COLLECTION: &str = "rocketchat_import_service_messages";

/// Reads and writes notes on messages.
#[derive(Debug, Clone)]
pub struct MessageNotes {
    connection: Connection,
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

/// What an import noted of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageNote {
    /// The message's `_id`.
    pub id: String,
    /// The record that made the message; `None` for one that was there before.
    pub made_by: Option<SourceRecord>,
    /// The record of the last import that the message was recognised in. Only of messages without an id in their source.
    pub taken_by: Option<SourceRecord>,
    pub imported: ImportedMessage,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredNote {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_by: Option<SourceRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_by: Option<SourceRecord>,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited_at: Option<DateTime>,
}

impl MessageNotes {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), notes: connection.collection(COLLECTION) }
    }

    /// Stores new notes; the places of those whose messages have one. The next write by a majority takes them along.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn add(&self, notes: &[MessageNote]) -> Result<HashSet<usize>, RepositoryError> {
        let mut places = HashSet::new();
        for part in commands_for(notes.len()) {
            let stored: Vec<StoredNote> = notes[part.clone()].iter().map(stored_note).collect();
            let inserted = self.notes.insert_many(stored).ordered(false).write_concern(PRIMARY_ONLY.clone()).await;
            let Err(error) = inserted else { continue };
            match error.kind.as_ref() {
                ErrorKind::InsertMany(failure) if are_only_duplicate_keys(&error) => {
                    places.extend(failure.write_errors.iter().flatten().map(|error| part.start + error.index));
                }
                _ => return Err(error.into()),
            }
        }
        Ok(places)
    }

    /// Returns the notes on these messages, by the messages' ids.
    pub async fn of(&self, ids: &[&str]) -> Result<HashMap<String, MessageNote>, RepositoryError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut found = self.notes.find(doc! { "_id": { "$in": ids } }).await?;
        let mut notes = HashMap::new();
        while let Some(note) = found.try_next().await? {
            notes.insert(note.id.clone(), message_note(note));
        }
        Ok(notes)
    }

    /// Notes what was imported last of these messages, also of those without a note.
    ///
    /// # Errors
    /// Some may have been noted all the same.
    pub async fn renew(&self, imported: &[(&str, ImportedMessage)]) -> Result<(), RepositoryError> {
        if imported.is_empty() {
            return Ok(());
        }
        let update = |(id, imported): &(&str, ImportedMessage)| {
            let mut change = doc! { "$set": { "source": imported.source.as_str() } };
            match imported.edited_at.map(bson_date) {
                Some(edited_at) => {
                    if let Ok(set) = change.get_document_mut("$set") {
                        set.insert("editedAt", edited_at);
                    }
                }
                None => {
                    change.insert("$unset", doc! { "editedAt": "" });
                }
            }
            doc! { "q": { "_id": id }, "u": change, "upsert": true }
        };
        let updates: Vec<Document> = imported.iter().map(update).collect();
        let command = doc! { "update": COLLECTION, "updates": updates, "ordered": false };
        let answer = self.connection.database().run_command(command).await?;
        if answer.contains_key("writeErrors") {
            // One by one, so that the driver says what is wrong.
            for one in imported {
                let update = update(one);
                if let (Ok(q), Ok(u)) = (update.get_document("q"), update.get_document("u")) {
                    self.notes.update_one(q.clone(), u.clone()).upsert(true).await?;
                }
            }
        }
        Ok(())
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

fn bson_date(date: Date) -> DateTime {
    DateTime::from_millis(date.epoch_millis())
}

fn stored_note(note: &MessageNote) -> StoredNote {
    StoredNote {
        id: note.id.clone(),
        made_by: note.made_by.clone(),
        taken_by: note.taken_by.clone(),
        source: note.imported.source.as_str().to_owned(),
        edited_at: note.imported.edited_at.map(bson_date),
    }
}

fn message_note(stored: StoredNote) -> MessageNote {
    let edited_at = stored.edited_at.map(|date| Date::from_epoch_millis(date.timestamp_millis()));
    MessageNote {
        id: stored.id,
        made_by: stored.made_by,
        taken_by: stored.taken_by,
        imported: ImportedMessage { source: SourceHash::from_stored(stored.source), edited_at },
    }
}
