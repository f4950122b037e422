//! The import operations, `rocketchat_import`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bson::{DateTime, Document, RawDocumentBuf, doc, oid::ObjectId};
use futures::TryStreamExt as _;
use mongodb::{Collection, error::Error as DriverError, options::ReadConcern};

use super::{
    Connection, RepositoryError, bson_fields::read_fields, bson_write::document_of, shared_reads::SharedReads, staging,
};
use crate::domain::{field_value::Fields, importer::Importer, operation::Operation, progress_step::ProgressStep};

pub(super) const COLLECTION: &str = "rocketchat_import";
/// Records that are in memory at once while users are staged, and go to the database together.
const RECORDS_AT_A_TIME: usize = 1000;
/// Operations in the history.
///
/// Source: `packages/models/src/models/Imports.ts` (`findLastImports`).
const HISTORY_LENGTH: i64 = 20;

/// Reads and writes import operations.
#[derive(Debug, Clone)]
pub struct Imports {
    connection: Connection,
    operations: Collection<RawDocumentBuf>,
    newest: SharedReads<(), Option<Arc<Operation>>>,
    /// The newest operation as a majority was last known to have stored it.
    confirmed: Arc<Mutex<Option<Newest>>>,
}

/// The newest operation as it is stored; `None` if there is none.
pub(super) type Newest = Option<RawDocumentBuf>;

/// Whether an operation took what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    Yes,
    /// It is not, or no longer, one that takes data.
    No,
}

impl Imports {
    pub(super) fn over(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            operations: connection.collection(COLLECTION),
            newest: SharedReads::default(),
            confirmed: Arc::default(),
        }
    }

    /// The operation with the highest `ts`, which is *the* operation to Rocket.Chat, valid or not; `None` if there never
    /// was one.
    ///
    /// A majority has stored what this returns. What a primary alone has stored may go with it, and nobody should be told
    /// of a change that is taken back.
    ///
    /// Source: `packages/models/src/models/Imports.ts` (`findLastImport`).
    ///
    /// # Errors
    /// When the database does not answer, or the document is not valid BSON.
    pub async fn newest(&self) -> Result<Option<Arc<Operation>>, RepositoryError> {
        let imports = self.clone();
        let find = || async move {
            let newest = imports.find_newest().await?;
            newest.map(|document| Ok(Arc::new(read(&document)?))).transpose()
        };
        self.newest.get((), find).await
    }

    /// Reads what the primary has, which is what was written last; if that is not known to be stored by a majority, reads
    /// again, at that point in time or later, what is.
    pub(super) async fn find_newest(&self) -> Result<Newest, RepositoryError> {
        let mut session = self.connection.session().await?;
        let find = || self.operations.find_one(doc! {}).sort(doc! { "ts": -1 });
        let latest = find().session(&mut session).await?;
        if lock(&self.confirmed).as_ref() == Some(&latest) {
            return Ok(latest);
        }
        let newest = find().read_concern(ReadConcern::majority()).session(&mut session).await?;
        *lock(&self.confirmed) = Some(newest.clone());
        Ok(newest)
    }

    /// The operation `id`, if it is still stored.
    ///
    /// # Errors
    /// When the database does not answer, or the document is not valid BSON.
    pub async fn find(&self, id: &str) -> Result<Option<Operation>, RepositoryError> {
        let found = self.operations.find_one(doc! { "_id": id }).await?;
        found.map(|document| read(&document)).transpose()
    }

    /// The operations that changed last, the latest first.
    ///
    /// # Errors
    /// When the database does not answer, or a document is not valid BSON.
    pub async fn history(&self) -> Result<Vec<Operation>, RepositoryError> {
        let documents = self.operations.find(doc! {}).sort(doc! { "_updatedAt": -1 }).limit(HISTORY_LENGTH).await?;
        documents.map_err(RepositoryError::from).and_then(|document| async move { read(&document) }).try_collect().await
    }

    /// Ends whatever is going on: no operation is valid any more, and the staging area is empty.
    ///
    /// Source: `apps/meteor/server/services/import/service.ts` (`clear`).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clear(&self) -> Result<(), RepositoryError> {
        self.invalidate_all().await?;
        self.connection.collection::<Document>(staging::COLLECTION).delete_many(doc! {}).await?;
        Ok(())
    }

    /// Makes a new operation without data, the newest, for the user `user_id`. Does not clear.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create(&self, user_id: &str) -> Result<Operation, RepositoryError> {
        let mut document = self.fresh_document(user_id).await?;
        document.insert("status", ProgressStep::New.as_str());
        self.insert(document).await
    }

    /// Makes a new operation that is ready to run with the `users` records that are staged already. Ends the operations
    /// before it, but keeps the staging area.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create_over_staged(&self, user_id: &str, users: u64) -> Result<Operation, RepositoryError> {
        self.invalidate_all().await?;
        let users = i64::try_from(users).unwrap_or(i64::MAX);
        let mut document = self.fresh_document(user_id).await?;
        document.insert("status", ProgressStep::UserSelection.as_str());
        document.insert("count", doc! { "total": number(users), "users": number(users) });
        self.insert(document).await
    }

    /// Puts `users` into the staging area of the operation `id` and makes it ready, all or nothing. It asks for
    /// `users` once more if the database wants the transaction done again.
    ///
    /// # Errors
    /// When the database does not answer or refuses.
    pub async fn stage<I>(&self, id: &str, users: impl Fn() -> I) -> Result<Accepted, RepositoryError>
    where
        I: Iterator<Item = Fields>,
    {
        let takes_data = doc! {
            "_id": id,
            "valid": true,
            "status": { "$in": [ProgressStep::New.as_str(), ProgressStep::UserSelection.as_str()] },
        };
        let staged = self.connection.collection::<Document>(staging::COLLECTION);
        let result = self
            .connection
            .transaction(async |session| {
                let mut added = 0;
                let mut users = users();
                loop {
                    let records: Vec<Document> =
                        users.by_ref().take(RECORDS_AT_A_TIME).map(|user| record_of(&user)).collect();
                    if records.is_empty() {
                        break;
                    }
                    staged.insert_many(&records).session(&mut *session).await?;
                    added += records.len();
                }
                // The operation comes last, right before the end: should this instance die, what it has touched stays
                // locked for a minute, and new records are in nobody's way.
                let added = number(i64::try_from(added).unwrap_or(i64::MAX));
                let change = doc! {
                    "$inc": { "count.total": added.clone(), "count.users": added },
                    "$set": { "status": ProgressStep::UserSelection.as_str(), "_updatedAt": DateTime::now() },
                };
                let changed = self.operations.update_one(takes_data.clone(), change).session(&mut *session).await?;
                if changed.matched_count == 0 {
                    return Err(DriverError::custom(Accepted::No));
                }
                Ok(())
            })
            .await;
        match result {
            Ok(()) => Ok(Accepted::Yes),
            Err(error) if error.get_custom::<Accepted>().is_some() => Ok(Accepted::No),
            Err(error) => Err(error.into()),
        }
    }

    async fn invalidate_all(&self) -> Result<(), RepositoryError> {
        let change = doc! { "$set": { "valid": false, "_updatedAt": DateTime::now() } };
        self.operations.update_many(doc! { "valid": { "$ne": false } }, change).await?;
        Ok(())
    }

    async fn fresh_document(&self, user_id: &str) -> Result<Document, RepositoryError> {
        let now = DateTime::now();
        // The newest operation is the one with the highest `ts`, and another process's clock may be ahead of ours.
        let newest = self.operations.find_one(doc! {}).sort(doc! { "ts": -1 }).projection(doc! { "ts": 1 }).await?;
        let ahead = newest.and_then(|newest| newest.get_datetime("ts").ok()).filter(|ts| *ts >= now);
        let ts = ahead.map_or(now, |ts| DateTime::from_millis(ts.timestamp_millis() + 1));
        Ok(doc! {
            "_id": ObjectId::new().to_hex(),
            "type": Importer::Api.key(),
            "importerKey": Importer::Api.key(),
            "ts": ts,
            "status": "",
            "valid": true,
            "user": user_id,
            "_updatedAt": now,
        })
    }

    async fn insert(&self, document: Document) -> Result<Operation, RepositoryError> {
        let stored = RawDocumentBuf::try_from(&document)
            .map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
        self.operations.insert_one(&stored).await?;
        read(&stored)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a user is staged as.
fn record_of(user: &Fields) -> Document {
    doc! { "_id": ObjectId::new().to_hex(), "data": document_of(user), "dataType": "user" }
}

/// The smallest type that holds the number, as Rocket.Chat's driver writes it.
pub(super) fn number(value: i64) -> bson::Bson {
    i32::try_from(value).map_or(bson::Bson::Int64(value), bson::Bson::Int32)
}

pub(super) fn read(document: &RawDocumentBuf) -> Result<Operation, RepositoryError> {
    let fields =
        read_fields(document).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
    Ok(Operation { fields })
}
