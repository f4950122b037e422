//! Accounts as rooms, subscriptions and messages name them.

use std::collections::{HashMap, HashSet};

use bson::{DateTime, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use indexmap::IndexMap;
use mongodb::Collection;

use super::bulk::{read_all, text_of};
use crate::{
    domain::{
        document::{Person, room::OWNER_PRIORITY},
        field_value::{FieldValue, Fields},
    },
    repository::{
        Connection, RepositoryError,
        access::users::COLLECTION,
        connection::commands::{Update, update_each},
    },
};

/// Accounts whose changes are held at a time.
const CHANGED_AT_A_TIME: usize = 1000;

/// People who joined a room.
#[derive(Debug, Clone)]
pub struct JoinedPeople<'a> {
    /// The room's `_id`.
    pub room: &'a str,
    /// The `_id`s of their accounts.
    pub people: Vec<&'a str>,
    /// The one of them who owns the room.
    pub owner: Option<&'a str>,
}

/// Reads accounts as people, and keeps their lists of rooms.
#[derive(Debug, Clone)]
pub struct People {
    accounts: Collection<RawDocumentBuf>,
}

impl People {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { accounts: connection.collection(COLLECTION) }
    }

    /// Returns the accounts with these import ids, by import id. Of two with the same one, the first that was stored
    /// counts.
    pub async fn by_import_ids(&self, ids: &[&str]) -> Result<HashMap<String, Person>, RepositoryError> {
        let mut people = HashMap::new();
        if ids.is_empty() {
            return Ok(people);
        }
        let wanted: HashSet<&str> = ids.iter().copied().collect();
        let mut shown = shown();
        shown.insert("importIds", 1);
        let found = self.accounts.find(doc! { "importIds": { "$in": ids } }).projection(shown).await?;
        for account in read_all(found, COLLECTION).await? {
            let Some(FieldValue::List(import_ids)) = account.get("importIds") else { continue };
            for id in import_ids.iter().filter_map(FieldValue::as_text).filter(|id| wanted.contains(id)) {
                people.entry(id.to_owned()).or_insert_with(|| person_of(&account));
            }
        }
        Ok(people)
    }

    /// Returns the account with this `_id`.
    pub async fn by_id(&self, id: &str) -> Result<Option<Person>, RepositoryError> {
        let found = self.accounts.find(doc! { "_id": id }).projection(shown()).await?;
        Ok(read_all(found, COLLECTION).await?.first().map(person_of))
    }

    /// Returns the accounts with these `_id`s that do not have this mark.
    pub async fn newcomers(&self, ids: &[&str], mark: &str) -> Result<Vec<Person>, RepositoryError> {
        let mut wanted = doc! { "_id": { "$in": ids } };
        wanted.insert(mark, doc! { "$ne": true });
        let found = self.accounts.find(wanted).projection(shown()).await?;
        Ok(read_all(found, COLLECTION).await?.iter().map(person_of).collect())
    }

    /// Returns the accounts with these user names, letter by letter, with their roles.
    pub async fn by_usernames(&self, names: &[&str]) -> Result<Vec<(Person, Vec<String>)>, RepositoryError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut shown = shown();
        shown.insert("roles", 1);
        let found = self.accounts.find(doc! { "username": { "$in": names } }).projection(shown).await?;
        let roles = |account: &Fields| match account.get("roles") {
            Some(FieldValue::List(roles)) => roles.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let accounts = read_all(found, COLLECTION).await?;
        Ok(accounts.iter().map(|account| (person_of(account), roles(account))).collect())
    }

    /// Adds rooms to the lists of rooms of the people who joined them; to those of their owners with their right. Each account
    /// is changed once, however many rooms it gets. Done again, it changes nothing.
    ///
    /// Source: `packages/models/src/models/Users.ts` (`addRoomByUserIds`), `apps/meteor/server/lib/roles`.
    ///
    /// # Errors
    /// Some may have been added all the same.
    pub async fn add_rooms(&self, joined: &[JoinedPeople<'_>]) -> Result<(), RepositoryError> {
        let mut rooms: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for JoinedPeople { room, people, .. } in joined {
            for person in people {
                rooms.entry(person).or_default().push(room);
            }
        }
        let now = DateTime::now();
        let lists = rooms.into_iter().map(|(person, rooms)| Update {
            filter: doc! { "_id": person, "__rooms": { "$not": { "$all": &rooms } } },
            change: doc! { "$addToSet": { "__rooms": { "$each": &rooms } }, "$set": { "_updatedAt": now } },
            upsert: false,
        });
        let rights = joined.iter().filter_map(|JoinedPeople { room, owner, .. }| {
            let (mut lacks_it, mut right) = (doc! { "_id": (*owner)? }, Document::new());
            let field = format!("roomRolePriorities.{room}");
            lacks_it.insert(field.clone(), doc! { "$exists": false });
            right.insert(field, i32::try_from(OWNER_PRIORITY).unwrap_or_default());
            Some(Update { filter: lacks_it, change: doc! { "$set": right }, upsert: false })
        });
        let mut updates = lists.chain(rights);
        loop {
            let some: Vec<Update> = updates.by_ref().take(CHANGED_AT_A_TIME).collect();
            if some.is_empty() {
                return Ok(());
            }
            update_each(&self.accounts, &some).await?;
        }
    }

    /// Returns those of these import ids that an account has.
    pub async fn known_import_ids(&self, ids: &[&str]) -> Result<HashSet<String>, RepositoryError> {
        let wanted: HashSet<&str> = ids.iter().copied().collect();
        let shown = doc! { "importIds": 1 };
        let accounts = self.accounts.clone_with_type::<Document>();
        let mut found = accounts.find(doc! { "importIds": { "$in": ids } }).projection(shown).await?;
        let mut known = HashSet::new();
        while let Some(account) = found.try_next().await? {
            let ids = account.get_array("importIds").into_iter().flatten().filter_map(bson::Bson::as_str);
            known.extend(ids.filter(|id| wanted.contains(id)).map(str::to_owned));
        }
        Ok(known)
    }
}

fn shown() -> Document {
    doc! { "username": 1, "name": 1, "active": 1 }
}

fn person_of(account: &Fields) -> Person {
    let filled = |name: &str| Some(text_of(account, name)).filter(|value| !value.is_empty()).map(str::to_owned);
    Person {
        id: text_of(account, "_id").to_owned(),
        username: filled("username"),
        name: filled("name"),
        is_active: account.get("active") == Some(&FieldValue::Boolean(true)),
    }
}
