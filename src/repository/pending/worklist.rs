//! The list of everything that one operation fetches, made once at its beginning: a fetched record waits no longer, so the database
//! itself does not say afterwards what the operation had to do.

use bson::{Document, doc};
use futures::TryStreamExt as _;
use mongodb::{Collection, error::Error as DriverError};

use crate::repository::{
    Connection, Gap, RepositoryError, StagedId,
    connection::error::{are_only_duplicate_keys, is_duplicate_key},
};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_worklists";

/// Reads and writes the lists of operations.
#[derive(Debug, Clone)]
pub struct Worklists {
    records: Collection<Document>,
}

/// A record that waits for something to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRecord {
    /// Its place in the list.
    pub place: StagedId,
    /// The same for records that wait for the same thing. They stand beside each other.
    pub key: String,
    /// The `_id` of the message or the account.
    pub id: String,
}

impl Worklists {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { records: connection.collection(COLLECTION) }
    }

    /// Adds records, with the key of each, to the list of the operation; those that are there already stay.
    ///
    /// # Errors
    /// Some may have been added all the same.
    pub async fn add(&self, operation: &str, records: &[(String, String)]) -> Result<(), RepositoryError> {
        if records.is_empty() {
            return Ok(());
        }
        let documents = records.iter().map(|(key, id)| {
            doc! { "_id": format!("{operation}:{key}:{id}"), "key": key, "record": id }
        });
        match self.records.insert_many(documents).ordered(false).await {
            Err(error) if !is_there_already(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns the number of records in the list.
    pub async fn count(&self, operation: &str) -> Result<u64, RepositoryError> {
        Ok(self.records.count_documents(of_operation(operation)).await?)
    }

    /// Returns up to `most` records within the gap, in the order of the list.
    pub async fn read(&self, operation: &str, gap: &Gap, most: i64) -> Result<Vec<ListedRecord>, RepositoryError> {
        let mut filter = of_operation(operation);
        if let Ok(range) = filter.get_document_mut("_id") {
            if let Some(after) = &gap.after {
                range.remove("$gte");
                range.insert("$gt", after.as_text());
            }
            if let Some(before) = &gap.before {
                range.insert("$lt", before.as_text());
            }
        }
        let found = self.records.find(filter).sort(doc! { "_id": 1 }).limit(most).await?;
        let found: Vec<Document> = found.try_collect().await?;
        let text = |record: &Document, name: &str| record.get_str(name).unwrap_or_default().to_owned();
        let record = |record: &Document| ListedRecord {
            place: StagedId::from(record.get_str("_id").unwrap_or_default()),
            key: text(record, "key"),
            id: text(record, "record"),
        };
        Ok(found.iter().map(record).collect())
    }

    /// Removes the list of an operation that is over.
    pub async fn remove(&self, operation: &str) -> Result<(), RepositoryError> {
        self.records.delete_many(of_operation(operation)).await?;
        Ok(())
    }
}

/// `;` follows the colon.
fn of_operation(operation: &str) -> Document {
    doc! { "_id": { "$gte": format!("{operation}:"), "$lt": format!("{operation};") } }
}

fn is_there_already(error: &DriverError) -> bool {
    are_only_duplicate_keys(error) || is_duplicate_key(error)
}
