//! Notes of imports on the rooms they made, and on who joined them, in a collection of our own.

use std::collections::{HashMap, HashSet};

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::repository::{
    Connection, JoinedPeople, RepositoryError,
    connection::commands::{Update, update_each},
};

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

    /// Notes that the root operation makes these rooms, which are not there; the notes on them. One that another operation
    /// made was deleted here, and its note begins anew.
    pub async fn begin(&self, rooms: &[&str], operation: &str) -> Result<HashMap<String, RoomNote>, RepositoryError> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let begin = |room: &&str| Update {
            filter: doc! { "_id": room },
            change: doc! { "$setOnInsert": { "madeBy": operation, "joined": [], "at": DateTime::now() } },
            upsert: true,
        };
        update_each(&self.notes, &rooms.iter().map(begin).collect::<Vec<_>>()).await?;
        let mut found = self.notes.find(doc! { "_id": { "$in": rooms } }).await?;
        let mut notes = HashMap::new();
        while let Some(note) = found.try_next().await? {
            notes.insert(note.get_str("_id").unwrap_or_default().to_owned(), room_note(&note));
        }
        let again = |(room, note): (&String, &mut RoomNote)| {
            *note = RoomNote { made_by: operation.to_owned(), joined: HashSet::new() };
            Update {
                filter: doc! { "_id": room },
                change: doc! { "$set": { "madeBy": operation, "joined": [], "at": DateTime::now() } },
                upsert: false,
            }
        };
        let deleted = notes.iter_mut().filter(|(_, note)| note.made_by != operation);
        update_each(&self.notes, &deleted.map(again).collect::<Vec<_>>()).await?;
        Ok(notes)
    }

    /// Returns those of these rooms that the root operation has made.
    pub async fn made_by(&self, operation: &str, rooms: &HashSet<&str>) -> Result<HashSet<String>, RepositoryError> {
        let rooms: Vec<&str> = rooms.iter().copied().collect();
        let made = doc! { "_id": { "$in": rooms }, "madeBy": operation };
        let found = self.notes.find(made).projection(doc! { "_id": 1 }).await?;
        let id = |note: Document| note.get_str("_id").unwrap_or_default().to_owned();
        Ok(found.map_ok(id).try_collect().await?)
    }

    /// Returns the note on a room that an import made.
    pub async fn find(&self, room: &str) -> Result<Option<RoomNote>, RepositoryError> {
        Ok(self.notes.find_one(doc! { "_id": room }).await?.as_ref().map(room_note))
    }

    /// Notes that these people have joined their rooms.
    ///
    /// # Errors
    /// Some may have been noted all the same.
    pub async fn add_joined(&self, joined: &[JoinedPeople<'_>]) -> Result<(), RepositoryError> {
        let joined = joined.iter().filter(|joined| !joined.people.is_empty());
        let update = |JoinedPeople { room, people, .. }: &JoinedPeople<'_>| Update {
            filter: doc! { "_id": room },
            change: doc! { "$addToSet": { "joined": { "$each": people } } },
            upsert: false,
        };
        update_each(&self.notes, &joined.map(update).collect::<Vec<_>>()).await
    }
}

fn room_note(note: &Document) -> RoomNote {
    let joined = note.get_array("joined").into_iter().flatten().filter_map(Bson::as_str);
    RoomNote {
        made_by: note.get_str("madeBy").unwrap_or_default().to_owned(),
        joined: joined.map(str::to_owned).collect(),
    }
}
