//! Notes of imports on the rooms they made or linked, on who joined them, and on what their sources said of them, in a
//! collection of our own.

use std::collections::{HashMap, HashSet};

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::{
    domain::document::room_source::RoomSource,
    repository::{
        Connection, JoinedPeople, RepositoryError,
        bson::{read::read_fields, write::document_of},
        connection::commands::{Update, update_each},
    },
};

const COLLECTION: &str = "rocketchat_import_service_rooms";

/// Reads and writes notes on rooms.
#[derive(Debug, Clone)]
pub struct RoomNotes {
    notes: Collection<Document>,
}

/// What imports noted of a room.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoomNote {
    /// The root of the operation that made the room; empty if no import did.
    pub made_by: String,
    /// The `_id`s of the people who joined by an import.
    pub joined: HashSet<String>,
    /// What the sources said of the room so far, if it follows them.
    pub source: Option<RoomSource>,
    /// Whether people here made the room, and an import found it by its name.
    pub is_linked: bool,
}

impl RoomNote {
    /// Whether an import made the room. Others have a note of what an import linked.
    pub fn is_of_made_room(&self) -> bool {
        !self.made_by.is_empty()
    }
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
            *note = RoomNote { made_by: operation.to_owned(), ..RoomNote::default() };
            let fresh = doc! { "madeBy": operation, "joined": [], "at": DateTime::now() };
            Update {
                filter: doc! { "_id": room },
                change: doc! { "$set": fresh, "$unset": { "source": "" } },
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

    /// Returns the note on a room that an import made or linked.
    pub async fn find(&self, room: &str) -> Result<Option<RoomNote>, RepositoryError> {
        Ok(self.notes.find_one(doc! { "_id": room }).await?.as_ref().map(room_note))
    }

    /// Notes what the sources said of rooms that follow them, and the rooms that were found by their names.
    ///
    /// # Errors
    /// Some may have been noted all the same.
    pub async fn add_sources(
        &self,
        sources: &[(String, RoomSource)],
        linked: &[String],
    ) -> Result<(), RepositoryError> {
        let update = |room: &String, set: Document| Update {
            filter: doc! { "_id": room },
            change: doc! { "$set": set },
            upsert: true,
        };
        let of_sources =
            sources.iter().map(|(room, source)| update(room, doc! { "source": document_of(source.fields()) }));
        let of_linked = linked.iter().map(|room| update(room, doc! { "linked": true }));
        update_each(&self.notes, &of_sources.chain(of_linked).collect::<Vec<_>>()).await
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
        source: note.get_document("source").ok().and_then(source_of),
        is_linked: note.get_bool("linked").unwrap_or_default(),
    }
}

fn source_of(noted: &Document) -> Option<RoomSource> {
    let noted = RawDocumentBuf::try_from(noted).ok()?;
    Some(RoomSource::from_fields(read_fields(&noted).ok()?))
}
