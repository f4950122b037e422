//! Rooms, `rocketchat_room`.

use std::collections::HashMap;

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use chrono::TimeDelta;
use mongodb::Collection;

use super::bulk::{RefusedBecause, insert_each, read_all, set_of, text_of};
use crate::{
    domain::{
        document::{message::MentionedRoom, room::RoomChanges, room_match::GENERAL},
        field_value::{Date, FieldValue, Fields},
        retention::RoomRetention,
        staged::ChannelType,
    },
    repository::{
        Connection, RepositoryError,
        bson::{numbers::smallest, write::document_of},
    },
};

pub(in crate::repository) const COLLECTION: &str = "rocketchat_room";
/// The index that keeps names apart.
///
/// Source: `packages/models/src/models/Rooms.ts` (`modelIndexes`).
const NAME_INDEX: &str = "name_";
/// Where a room holds the operations whose messages its numbers count, while those operations are being finished.
const COUNTED: &str = "importsCounted";

/// Reads and writes rooms.
#[derive(Debug, Clone)]
pub struct Rooms {
    rooms: Collection<Document>,
}

/// How staged rooms may be there already.
#[derive(Debug, Clone, Default)]
pub struct RoomsWanted {
    /// Rooms with one of these import ids.
    pub import_ids: Vec<String>,
    /// Rooms with one of these names, in addresses or shown.
    pub names: Vec<String>,
    /// Direct messages of all of these people, by their `_id`s.
    pub members: Vec<Vec<String>>,
}

/// What became of a room that was to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomInserted {
    Inserted,
    /// It was there.
    IsThere,
    NameTaken,
    Refused(String),
}

/// What one import added to a room.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoomGrowth {
    pub messages: u64,
    /// The number of people who are in a room that an import made.
    pub people: Option<u64>,
    /// The number of new accounts that joined a room that was there.
    pub joined: u64,
    /// The time and the document of the last message to show.
    pub last: Option<(Date, Fields)>,
}

impl Rooms {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { rooms: connection.collection(COLLECTION) }
    }

    /// Returns the rooms that may be meant, the general one among them.
    pub async fn candidates(&self, wanted: &RoomsWanted) -> Result<Vec<Fields>, RepositoryError> {
        let mut any = vec![
            doc! { "_id": GENERAL },
            doc! { "importIds": { "$in": &wanted.import_ids } },
            doc! { "name": { "$in": &wanted.names } },
            doc! { "fname": { "$in": &wanted.names } },
        ];
        let uids = |ids: &Vec<String>| {
            let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
            doc! { "t": ChannelType::DirectMessage.letter(), "uids": { "$all": ids, "$size": count } }
        };
        any.extend(wanted.members.iter().filter(|members| !members.is_empty()).map(uids));
        self.read(doc! { "$or": any }, doc! { "lastMessage": 0 }).await
    }

    /// Returns the channels that new accounts join.
    ///
    /// Source: `packages/models/src/models/Rooms.ts` (`findByDefaultAndTypes`).
    pub async fn defaults(&self) -> Result<Vec<Fields>, RepositoryError> {
        let kinds = [ChannelType::Channel, ChannelType::PrivateGroup].map(ChannelType::letter).to_vec();
        self.read(doc! { "default": true, "t": { "$in": kinds } }, doc! { "lastMessage": 0 }).await
    }

    /// Stores new rooms, by a majority; for each, in order, what became of it.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn insert_all(&self, rooms: &[&Fields]) -> Result<Vec<RoomInserted>, RepositoryError> {
        let mut inserted = vec![RoomInserted::Inserted; rooms.len()];
        for refused in insert_each(&self.rooms, rooms).await? {
            inserted[refused.position] = match refused.because {
                RefusedBecause::SameId => RoomInserted::IsThere,
                RefusedBecause::Taken(index) if index.starts_with(NAME_INDEX) => RoomInserted::NameTaken,
                RefusedBecause::Taken(index) => {
                    RoomInserted::Refused(format!("Another room has the same value (unique index {index})."))
                }
                RefusedBecause::Other(reason) => RoomInserted::Refused(reason),
            };
        }
        Ok(inserted)
    }

    /// Whether a room has one of these names.
    pub async fn is_any_taken(&self, names: &[String]) -> Result<bool, RepositoryError> {
        let taken = self.rooms.find_one(doc! { "name": { "$in": names } }).projection(doc! { "_id": 1 });
        Ok(taken.await?.is_some())
    }

    /// Changes a room that is there.
    pub async fn change(&self, id: &str, changes: &RoomChanges) -> Result<(), RepositoryError> {
        let mut set = set_of(&changes.set);
        if changes.archive {
            set.insert("archived", true);
        }
        set.insert("_updatedAt", DateTime::now());
        let mut update = doc! { "$set": set };
        if !changes.import_ids.is_empty() {
            update.insert("$addToSet", doc! { "importIds": { "$each": &changes.import_ids } });
        }
        self.rooms.update_one(doc! { "_id": id }, update).await?;
        Ok(())
    }

    /// Returns the rooms that messages name, by what they name them with: an import id, else the name of a channel or a
    /// private group.
    pub async fn named(&self, names: &[&str]) -> Result<Vec<Fields>, RepositoryError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let kinds = [ChannelType::Channel, ChannelType::PrivateGroup].map(ChannelType::letter).to_vec();
        let by_name = doc! { "t": { "$in": kinds }, "name": { "$in": names } };
        let shown = doc! {
            "name": 1, "t": 1, "importIds": 1, "encrypted": 1, "federated": 1, "federation": 1, "prid": 1, "teamId": 1,
            "teamMain": 1, "retention": 1,
        };
        self.read(doc! { "$or": [{ "importIds": { "$in": names } }, by_name] }, shown).await
    }

    /// Returns the channels and private groups that have one of these names, in addresses or shown.
    pub async fn called(&self, names: &[&str]) -> Result<Vec<Fields>, RepositoryError> {
        let kinds = [ChannelType::Channel, ChannelType::PrivateGroup].map(ChannelType::letter).to_vec();
        let any = vec![doc! { "name": { "$in": names } }, doc! { "fname": { "$in": names } }];
        self.read(doc! { "$or": any, "t": { "$in": kinds } }, doc! { "lastMessage": 0 }).await
    }

    /// Returns the shortest time that messages stay in a room with rules of its own; `None` if no room removes any by such.
    ///
    /// Source: `apps/meteor/app/retention-policy/server/cronPruneMessages.ts`.
    pub async fn shortest_retention(&self) -> Result<Option<TimeDelta>, RepositoryError> {
        let by_own_rules = doc! {
            "retention.enabled": true,
            "retention.overrideGlobal": true,
            "retention.maxAge": { "$gte": 0 },
            "retention.filesOnly": { "$ne": true },
        };
        let rooms = self.rooms.clone_with_type::<RawDocumentBuf>();
        let found = rooms.find(by_own_rules).sort(doc! { "retention.maxAge": 1 }).limit(1);
        let found = read_all(found.projection(doc! { "retention": 1 }).await?, COLLECTION).await?;
        let retention = found.first().and_then(|room| room.get("retention")).and_then(FieldValue::as_object);
        Ok(retention.and_then(RoomRetention::own).map(|retention| retention.kept))
    }

    /// Returns the rooms with these `_id`s, without their last messages.
    pub async fn of(&self, ids: &[&str]) -> Result<HashMap<String, Fields>, RepositoryError> {
        let found = self.read(doc! { "_id": { "$in": ids } }, doc! { "lastMessage": 0 }).await?;
        Ok(found.into_iter().map(|room| (text_of(&room, "_id").to_owned(), room)).collect())
    }

    /// Lets a room's numbers grow by what the operation added, once, and its last message move forward.
    ///
    /// # Errors
    /// The change may have been made all the same; another call changes nothing then.
    pub async fn grow(
        &self,
        id: &str,
        operation: &str,
        growth: &RoomGrowth,
        keeps_last_message: bool,
    ) -> Result<(), RepositoryError> {
        let now = DateTime::now();
        let mut uncounted = doc! { "_id": id };
        uncounted.insert(COUNTED, doc! { "$ne": operation });
        let mut counted = Document::new();
        counted.insert(COUNTED, operation);
        let mut grown = doc! { "msgs": smallest(growth.messages) };
        if growth.joined > 0 {
            grown.insert("usersCount", smallest(growth.joined));
        }
        let change = doc! { "$inc": grown, "$addToSet": counted, "$set": { "_updatedAt": now } };
        self.rooms.update_one(uncounted, change).await?;
        if let Some(people) = growth.people {
            let people = smallest(people);
            let other = doc! { "_id": id, "usersCount": { "$ne": people.clone() } };
            self.rooms.update_one(other, doc! { "$set": { "usersCount": people } }).await?;
        }
        let Some((ts, message)) = &growth.last else { return Ok(()) };
        let ts = DateTime::from_millis(ts.epoch_millis());
        // Missing counts as earlier than everything.
        let earlier = doc! { "_id": id, "lm": { "$not": { "$gte": ts } } };
        self.rooms.update_one(earlier, doc! { "$set": { "lm": ts } }).await?;
        if keeps_last_message {
            let earlier = doc! { "_id": id, "lastMessage.ts": { "$not": { "$gte": ts } } };
            self.rooms.update_one(earlier, doc! { "$set": { "lastMessage": document_of(message) } }).await?;
        }
        Ok(())
    }

    /// Takes the operation's marks off the rooms that it grew. Afterwards [`Rooms::grow`] would count again.
    pub async fn end_growth(&self, ids: &[&str], operation: &str) -> Result<(), RepositoryError> {
        let mut pull = Document::new();
        pull.insert(COUNTED, operation);
        let mut marked = doc! { "_id": { "$in": ids } };
        marked.insert(COUNTED, operation);
        self.rooms.update_many(marked, doc! { "$pull": pull }).await?;
        let mut empty = doc! { "_id": { "$in": ids } };
        empty.insert(COUNTED, Bson::Array(Vec::new()));
        let mut unset = Document::new();
        unset.insert(COUNTED, "");
        self.rooms.update_many(empty, doc! { "$unset": unset }).await?;
        Ok(())
    }

    async fn read(&self, filter: Document, shown: Document) -> Result<Vec<Fields>, RepositoryError> {
        let rooms = self.rooms.clone_with_type::<RawDocumentBuf>();
        let found = rooms.find(filter).projection(shown).sort(doc! { "_id": 1 }).await?;
        read_all(found, COLLECTION).await
    }
}

/// The name by which texts mention the room.
pub fn mentioned(room: &Fields) -> MentionedRoom {
    MentionedRoom { id: text_of(room, "_id").to_owned(), name: text_of(room, "name").to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::FieldChange;

    #[test]
    fn a_room_is_mentioned_by_its_name_in_addresses() {
        let room = Fields::from_iter([("_id", FieldValue::Text("r".into())), ("name", FieldValue::Text("dev".into()))]);
        assert_eq!(mentioned(&room), MentionedRoom { id: "r".to_owned(), name: "dev".to_owned() });
        let change = FieldChange { field: "topic".to_owned(), before: None, after: FieldValue::Text("t".into()) };
        assert_eq!(set_of(&[change]), doc! { "topic": "t" });
    }
}
