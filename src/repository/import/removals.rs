//! The staged records that are to be removed: a list that any instance works off.
//!
//! An import is over, or given up, in one step; its staged records are removed afterwards. A removal stays on the list until
//! it is complete, so an instance that dies leaves nothing behind.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::{Collection, options::ReturnDocument};

use super::{staged_id::StagedId, staged_removal::Discarded};
use crate::repository::{Connection, RepositoryError};

const COLLECTION: &str = "rocketchat_import_service_removals";
/// A removal whose instance has not been heard of for this long is taken up by another one.
const CLAIM_LIFETIME: Duration = Duration::from_secs(20);

/// Reads and writes the list of removals.
#[derive(Debug, Clone)]
pub struct Removals {
    removals: Collection<Document>,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    pub id: String,
    pub task: RemovalTask,
    /// How long ago it was put on the list, by the clock of this machine.
    pub age: Duration,
}

/// The records to remove.
#[derive(Debug, Clone, PartialEq)]
pub enum RemovalTask {
    /// The records that the receipts of an operation say have succeeded.
    Processed { operation: String, root: String },
    /// The records of operations that were given up.
    Discarded(Discarded),
}

impl Removals {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { removals: connection.collection(COLLECTION) }
    }

    /// Puts the succeeded records of an operation that is over on the list.
    ///
    /// # Errors
    /// The entry may be there all the same; another call changes nothing then.
    pub async fn add_processed(&self, operation: &str, root: &str) -> Result<(), RepositoryError> {
        let entry = doc! { "$setOnInsert": { "operation": operation, "root": root, "at": DateTime::now() } };
        self.removals.update_one(doc! { "_id": processed_id(operation) }, entry).upsert(true).await?;
        Ok(())
    }

    /// Puts records that are about to be given up on the list; the id of the entry.
    ///
    /// # Errors
    /// The entry may be there all the same. It has no effect while one of its operations is valid.
    pub async fn add_discarded(&self, discarded: &Discarded) -> Result<String, RepositoryError> {
        let id = ObjectId::new().to_hex();
        let mut entry = doc! { "_id": &id, "roots": &discarded.roots, "at": DateTime::now() };
        if let Some(last) = &discarded.unlabelled_up_to {
            entry.insert("unlabelledUpTo", last.0.clone());
        }
        self.removals.insert_one(entry).await?;
        Ok(id)
    }

    /// Takes an entry that no other instance works on.
    ///
    /// # Errors
    /// An entry may have been taken all the same; another instance takes it up later.
    pub async fn take(&self) -> Result<Option<Removal>, RepositoryError> {
        // A missing date is less than any other.
        let free = doc! { "$expr": { "$lt": ["$until", "$$NOW"] } };
        let taken = self.removals.find_one_and_update(free, vec![claim()]).return_document(ReturnDocument::After);
        Ok(taken.await?.as_ref().and_then(removal))
    }

    /// Keeps the entry for this instance.
    pub async fn keep(&self, id: &str) -> Result<(), RepositoryError> {
        self.removals.update_one(doc! { "_id": id }, vec![claim()]).await?;
        Ok(())
    }

    /// Takes a finished entry off the list.
    pub async fn finish(&self, id: &str) -> Result<(), RepositoryError> {
        self.removals.delete_one(doc! { "_id": id }).await?;
        Ok(())
    }

    /// Whether the entry is still on the list.
    pub async fn is_pending(&self, id: &str) -> Result<bool, RepositoryError> {
        Ok(self.removals.find_one(doc! { "_id": id }).await?.is_some())
    }

    /// Whether records of the root are still to be removed.
    pub async fn concern(&self, root: &str) -> Result<bool, RepositoryError> {
        let concerned = doc! { "$or": [{ "root": root }, { "roots": root }] };
        Ok(self.removals.find_one(concerned).await?.is_some())
    }
}

fn processed_id(operation: &str) -> String {
    format!("processed:{operation}")
}

fn claim() -> Document {
    let lifetime = i64::try_from(CLAIM_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    doc! { "$set": { "until": { "$add": ["$$NOW", lifetime] } } }
}

fn removal(entry: &Document) -> Option<Removal> {
    let text = |name: &str| entry.get_str(name).ok().map(str::to_owned);
    let task = if let Some(operation) = text("operation") {
        RemovalTask::Processed { operation, root: text("root")? }
    } else {
        let roots = entry.get_array("roots").ok()?.iter().filter_map(Bson::as_str).map(str::to_owned).collect();
        let unlabelled_up_to = entry.get("unlabelledUpTo").cloned().map(StagedId);
        RemovalTask::Discarded(Discarded { roots, unlabelled_up_to })
    };
    let at = entry.get_datetime("at").map_or(0, |at| at.timestamp_millis());
    let age = DateTime::now().timestamp_millis().saturating_sub(at);
    Some(Removal { id: text("_id")?, task, age: Duration::from_millis(u64::try_from(age).unwrap_or_default()) })
}
