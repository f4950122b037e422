//! The staging area, `rocketchat_import_data`: what is to be imported.
//!
//! Its records do not say which operation they belong to: all belong to the newest. So nothing here removes records
//! without naming them, but for [`super::Imports::clear`].

use bson::{Bson, DateTime, Document, RawDocument, RawDocumentBuf, doc};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mongodb::Collection;

use super::{Connection, RepositoryError, bson_fields::read_fields};
use crate::domain::field_value::Fields;

pub(super) const COLLECTION: &str = "rocketchat_import_data";
/// Records the database sends at a time.
const CURSOR_BATCH: u32 = 1000;

/// Reads and writes staged records.
#[derive(Debug, Clone)]
pub struct Staging {
    connection: Connection,
    records: Collection<RawDocumentBuf>,
}

/// Names one record of the staging area.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedId(Bson);

impl StagedId {
    /// The id as text, the same for the same record always.
    #[must_use]
    pub fn as_text(&self) -> String {
        match &self.0 {
            Bson::String(text) => text.clone(),
            // Rocket.Chat writes texts only.
            other => other.to_string(),
        }
    }
}

/// A record that waits to be imported.
#[derive(Debug)]
pub struct StagedUser {
    pub id: StagedId,
    /// What was staged, or why it cannot be read.
    pub data: Result<Fields, String>,
}

/// A record that failed, for people to read.
#[derive(Debug)]
pub struct FailedRecord {
    /// All fields of the record.
    pub fields: Fields,
}

impl Staging {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { connection: connection.clone(), records: connection.collection(COLLECTION) }
    }

    /// The users that were not processed yet, in the order they were staged.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending(
        &self,
    ) -> Result<impl Stream<Item = Result<StagedUser, RepositoryError>> + Send + use<>, RepositoryError> {
        let cursor = self.records.find(pending_users()).projection(doc! { "data": 1 }).batch_size(CURSOR_BATCH).await?;
        Ok(cursor.map(|record| record.map(|record| staged_user(&record)).map_err(RepositoryError::from)))
    }

    /// How many users were not processed yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_pending(&self) -> Result<u64, RepositoryError> {
        Ok(self.records.count_documents(pending_users()).await?)
    }

    /// How many users failed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_failed(&self) -> Result<u64, RepositoryError> {
        Ok(self.records.count_documents(failed_users()).await?)
    }

    /// How many users are staged, whatever became of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_users(&self) -> Result<u64, RepositoryError> {
        Ok(self.records.count_documents(users()).await?)
    }

    /// The failed users from the `offset`-th on, `count` at most (0: all), in the order they were staged.
    ///
    /// # Errors
    /// When the database does not answer, or a record is not valid BSON.
    pub async fn failed(&self, offset: u64, count: u64) -> Result<Vec<FailedRecord>, RepositoryError> {
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let records = self.records.find(failed_users()).sort(doc! { "_id": 1 }).skip(offset).limit(limit).await?;
        let read = |record: RawDocumentBuf| async move {
            let fields = read_fields(&record)
                .map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
            Ok(FailedRecord { fields })
        };
        records.map_err(RepositoryError::from).and_then(read).try_collect().await
    }

    /// Every staged user, in the order they were staged.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn all_users(&self) -> Result<Vec<StagedUser>, RepositoryError> {
        let records = self.records.find(users()).projection(doc! { "data": 1 }).await?;
        let records = records.map_ok(|record| staged_user(&record));
        Ok(records.try_collect().await?)
    }

    /// Takes imported records out of the staging area.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove(&self, imported: &[StagedId]) -> Result<(), RepositoryError> {
        if !imported.is_empty() {
            let ids: Vec<&Bson> = imported.iter().map(|id| &id.0).collect();
            self.records.delete_many(doc! { "_id": { "$in": ids } }).write_concern(super::PIPELINED.clone()).await?;
        }
        Ok(())
    }

    /// Leaves failed records in the staging area, each with its reason. A record that has one already keeps it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn flag(&self, failed: &[(StagedId, String)]) -> Result<(), RepositoryError> {
        if failed.is_empty() {
            return Ok(());
        }
        let now = DateTime::now();
        let updates: Vec<Document> = failed
            .iter()
            .map(|(id, reason)| {
                doc! {
                    "q": { "_id": &id.0, "errors": { "$exists": false } },
                    "u": { "$set": { "errors": [{ "message": reason }], "_updatedAt": now } },
                }
            })
            .collect();
        let command = doc! { "update": COLLECTION, "updates": updates, "ordered": false };
        self.connection.database().run_command(command).await?;
        Ok(())
    }

    /// Forgets the failures of earlier runs, so that the records are tried again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unflag(&self) -> Result<(), RepositoryError> {
        self.records.update_many(failed_users(), doc! { "$unset": { "errors": 1 } }).await?;
        Ok(())
    }
}

/// Users that Rocket.Chat's own importers decided to skip are not there to be imported.
fn users() -> Document {
    doc! { "dataType": "user", "skipped": { "$ne": true } }
}

fn pending_users() -> Document {
    let mut filter = users();
    filter.insert("errors", doc! { "$exists": false });
    filter
}

fn failed_users() -> Document {
    let mut filter = users();
    filter.insert("errors", doc! { "$exists": true });
    filter
}

fn staged_user(record: &RawDocument) -> StagedUser {
    let id = record.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok()).unwrap_or(Bson::Null);
    let data = match record.get_document("data") {
        Ok(data) => read_fields(data).map_err(|error| format!("The record cannot be read: {error}")),
        Err(_) => Err("The record holds no user.".to_owned()),
    };
    StagedUser { id: StagedId(id), data }
}
