//! Notes of imports on the rooms they made, and on who joined them, in a collection of our own.

use std::collections::HashSet;

use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;

use crate::repository::{Connection, RepositoryError};

const COLLECTION: &str = "rocketchat_import_service_rooms";

/// Reads and writes notes on rooms.
#[derive(Debug, Clone)]
pub struct RoomNotes {
    notes: Collection<Document>,
}

/// What imports noted of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomNote {
    /// The root of the operation that made the room.
    pub made_by: String,
    /// The `_id`s of the people who joined by an import.
    pub joined: HashSet<String>,
}

impl RoomNotes {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { notes: connection.collection(COLLECTION) }
    }

    /// Notes that the root operation makes the room, unless another one has.
    pub async fn begin(&self, room: &str, operation: &str) -> Result<(), RepositoryError> {
        let note = doc! { "$setOnInsert": { "madeBy": operation, "joined": [], "at": DateTime::now() } };
        self.notes.update_one(doc! { "_id": room }, note).upsert(true).await?;
        Ok(())
    }

    /// Returns the note on a room that an import made.
    pub async fn find(&self, room: &str) -> Result<Option<RoomNote>, RepositoryError> {
        let Some(note) = self.notes.find_one(doc! { "_id": room }).await? else { return Ok(None) };
        let joined = note.get_array("joined").into_iter().flatten().filter_map(Bson::as_str);
        Ok(Some(RoomNote {
            made_by: note.get_str("madeBy").unwrap_or_default().to_owned(),
            joined: joined.map(str::to_owned).collect(),
        }))
    }

    /// Notes that these people have joined.
    pub async fn add_joined(&self, room: &str, people: &[&str]) -> Result<(), RepositoryError> {
        if people.is_empty() {
            return Ok(());
        }
        let change = doc! { "$addToSet": { "joined": { "$each": people } } };
        self.notes.update_one(doc! { "_id": room }, change).await?;
        Ok(())
    }
}
