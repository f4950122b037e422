//! Look-ups of people and rooms for whole batches, through caches that forget the least used.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use moka::sync::Cache;

use crate::{
    domain::{
        document::{
            Person,
            message::{MentionedRoom, MessageLookups},
            room_match::StoredRoom,
            thread::Thread,
        },
        staged::{ChannelType, ROCKET_CAT},
    },
    repository::{People, RepositoryError, Rooms, mentioned},
};

/// People, and rooms, that are remembered.
const REMEMBERED: u64 = 20_000;
/// Ids that one query looks up.
const LOOKED_UP_AT_A_TIME: usize = 1_000;

/// Finds people by their import ids.
#[derive(Debug, Clone)]
pub(super) struct PeopleLookup {
    people: People,
    known: Cache<String, Option<Arc<Person>>>,
}

impl PeopleLookup {
    pub(super) fn new(people: People) -> Self {
        Self { people, known: Cache::new(REMEMBERED) }
    }

    /// The people with these import ids, by import id. Rocket.Chat's own bot is known without an import id.
    pub(super) async fn of(&self, ids: HashSet<&str>) -> Result<HashMap<String, Arc<Person>>, RepositoryError> {
        let (mut found, mut unknown) = (HashMap::with_capacity(ids.len()), Vec::new());
        for id in ids {
            match self.known.get(id) {
                Some(Some(person)) => drop(found.insert(id.to_owned(), person)),
                Some(None) => {}
                None => unknown.push(id),
            }
        }
        for ids in unknown.chunks(LOOKED_UP_AT_A_TIME) {
            let mut people = self.people.by_import_ids(ids).await?;
            for id in ids {
                let person = people.remove(*id).or_else(|| (*id == ROCKET_CAT).then(Person::rocket_cat)).map(Arc::new);
                self.known.insert((*id).to_owned(), person.clone());
                if let Some(person) = person {
                    found.insert((*id).to_owned(), person);
                }
            }
        }
        Ok(found)
    }
}

/// A room as messages name it.
#[derive(Debug, Clone)]
pub(super) struct NamedRoom {
    /// Its `_id`.
    pub(super) id: String,
    mentioned: Option<MentionedRoom>,
}

/// Finds rooms by their import ids and names.
#[derive(Debug, Clone)]
pub(super) struct RoomLookup {
    rooms: Rooms,
    known: Cache<String, Option<Arc<NamedRoom>>>,
}

impl RoomLookup {
    pub(super) fn new(rooms: Rooms) -> Self {
        Self { rooms, known: Cache::new(REMEMBERED) }
    }

    /// The rooms with these import ids or names.
    pub(super) async fn of(&self, names: HashSet<&str>) -> Result<HashMap<String, Arc<NamedRoom>>, RepositoryError> {
        let (mut found, mut unknown) = (HashMap::with_capacity(names.len()), Vec::new());
        for name in names {
            match self.known.get(name) {
                Some(Some(room)) => drop(found.insert(name.to_owned(), room)),
                Some(None) => {}
                None => unknown.push(name),
            }
        }
        for names in unknown.chunks(LOOKED_UP_AT_A_TIME) {
            let rooms = self.rooms.named(names).await?;
            let rooms: Vec<StoredRoom<'_>> = rooms.iter().map(StoredRoom::new).collect();
            for name in names {
                let by_import_id = rooms.iter().find(|room| room.has_import_id(name));
                let by_name = || rooms.iter().find(|room| room.is_plainly_called(name));
                let room = by_import_id.or_else(by_name).map(|room| {
                    let is_public = room.kind() == Some(ChannelType::Channel);
                    let is_mentioned = by_import_id.is_some() || is_public;
                    let mentioned = is_mentioned.then(|| mentioned(room.fields()));
                    Arc::new(NamedRoom { id: room.id().to_owned(), mentioned })
                });
                self.known.insert((*name).to_owned(), room.clone());
                if let Some(room) = room {
                    found.insert((*name).to_owned(), room);
                }
            }
        }
        Ok(found)
    }
}

/// Everything that the messages of one batch name.
#[derive(Debug, Default)]
pub(super) struct BatchLookups {
    pub(super) people: HashMap<String, Arc<Person>>,
    pub(super) rooms: HashMap<String, Arc<NamedRoom>>,
    /// The `_id`s of first messages of threads that are known.
    pub(super) roots: HashSet<String>,
    /// Threads by the `_id`s of their first messages.
    pub(super) threads: HashMap<String, Thread>,
}

impl MessageLookups for BatchLookups {
    fn person(&self, import_id: &str) -> Option<&Person> {
        self.people.get(import_id).map(|person| &**person)
    }

    fn room(&self, import_id_or_name: &str) -> Option<&str> {
        self.rooms.get(import_id_or_name).map(|room| room.id.as_str())
    }

    fn mentioned_room(&self, import_id_or_name: &str) -> Option<&MentionedRoom> {
        self.rooms.get(import_id_or_name)?.mentioned.as_ref()
    }

    fn is_imported(&self, message_id: &str) -> bool {
        self.roots.contains(message_id)
    }

    fn thread(&self, message_id: &str) -> Option<&Thread> {
        self.threads.get(message_id)
    }
}
