//! Subscriptions, `rocketchat_subscription`: who is in which room.

use std::collections::HashSet;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use super::bulk::{RefusedBecause, insert_each};
use crate::{
    domain::field_value::Fields,
    repository::{Connection, RepositoryError},
};

pub(in crate::repository) const COLLECTION: &str = "rocketchat_subscription";

/// Reads and writes subscriptions.
#[derive(Debug, Clone)]
pub struct Subscriptions {
    subscriptions: Collection<Document>,
}

/// What became of somebody who was to join a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joining {
    /// The membership is there, by this call or an earlier try.
    Joined,
    /// Somebody else had let the person in before.
    WasThere,
    /// In words, without any value.
    Refused(String),
}

impl Subscriptions {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { subscriptions: connection.collection(COLLECTION) }
    }

    /// Stores subscriptions; people who are in their rooms stay as they are there.
    ///
    /// # Errors
    /// Also if the database refuses one for another reason.
    pub async fn insert(&self, subscriptions: &[&Fields]) -> Result<Option<String>, RepositoryError> {
        let refused = insert_each(&self.subscriptions, subscriptions).await?;
        Ok(refused.into_iter().find_map(|refused| match refused.because {
            RefusedBecause::SameId | RefusedBecause::Taken(_) => None,
            RefusedBecause::Other(reason) => Some(reason),
        }))
    }

    /// Stores subscriptions; for each, in order, what became of it.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn join(&self, subscriptions: &[&Fields]) -> Result<Vec<Joining>, RepositoryError> {
        let mut joined = vec![Joining::Joined; subscriptions.len()];
        for refused in insert_each(&self.subscriptions, subscriptions).await? {
            joined[refused.position] = match refused.because {
                RefusedBecause::SameId => Joining::Joined,
                RefusedBecause::Taken(_) => Joining::WasThere,
                RefusedBecause::Other(reason) => Joining::Refused(reason),
            };
        }
        Ok(joined)
    }

    /// Returns the `_id`s of those of these people who are in the room.
    pub async fn members(&self, room: &str, people: &[&str]) -> Result<HashSet<String>, RepositoryError> {
        let found = self.subscriptions.find(doc! { "rid": room, "u._id": { "$in": people } });
        let mut found = found.projection(doc! { "u._id": 1 }).await?;
        let mut members = HashSet::new();
        while let Some(subscription) = found.try_next().await? {
            let person = subscription.get_document("u").ok().and_then(|person| person.get_str("_id").ok());
            members.extend(person.map(str::to_owned));
        }
        Ok(members)
    }

    /// Returns how many people are in the room.
    pub async fn count(&self, room: &str) -> Result<u64, RepositoryError> {
        Ok(self.subscriptions.count_documents(doc! { "rid": room }).await?)
    }

    /// Returns how many of these subscriptions there are.
    pub async fn count_of(&self, ids: &[String]) -> Result<u64, RepositoryError> {
        Ok(self.subscriptions.count_documents(doc! { "_id": { "$in": ids } }).await?)
    }

    /// Archives the room for everybody in it.
    ///
    /// Source: `packages/models/src/models/Subscriptions.ts` (`archiveByRoomId`).
    pub async fn archive(&self, room: &str) -> Result<(), RepositoryError> {
        let change = doc! { "alert": false, "open": false, "archived": true, "_updatedAt": DateTime::now() };
        let unarchived = doc! { "rid": room, "archived": { "$ne": true } };
        self.subscriptions.update_many(unarchived, doc! { "$set": change }).await?;
        Ok(())
    }

    /// Opens the room for everybody in it.
    pub async fn open(&self, room: &str) -> Result<(), RepositoryError> {
        let change = doc! { "$set": { "open": true, "_updatedAt": DateTime::now() } };
        self.subscriptions.update_many(doc! { "rid": room, "open": { "$ne": true } }, change).await?;
        Ok(())
    }
}
