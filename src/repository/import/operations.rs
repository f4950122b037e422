//! The import operations, `rocketchat_import`.

use std::{sync::Arc, time::Duration};

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc, oid::ObjectId};
use futures::TryStreamExt as _;
use mongodb::{ClientSession, Collection, error::Error as DriverError, options::ReadConcern};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::{
    domain::{
        field_value::Fields, importer::Importer, operation::Operation, progress_step::ProgressStep,
        record_type::RecordType, sent_list::SentList,
    },
    repository::{
        Connection, RepositoryError,
        bson::{numbers::smallest, read::read_fields, write::document_of},
        connection::{error::is_cut_short, shared_reads::SharedReads},
        import::{
            keys::{IdempotentCall, KeyConflict, KeyUse, Keys},
            staging,
        },
    },
};

pub(in crate::repository) const COLLECTION: &str = "rocketchat_import";
/// Records that are in memory at once while users are staged, and go to the database together.
const RECORDS_AT_A_TIME: usize = 1000;
/// Operations in the history.
///
/// Source: `packages/models/src/models/Imports.ts` (`findLastImports`).
const HISTORY_LENGTH: i64 = 20;
/// How often, and at which interval, a key is tried to be stored that another call is storing.
const KEY_ATTEMPTS: u32 = 3;
const KEY_RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// Less than the database's own limit is unless somebody changes it, 60 s.
///
/// Source: MongoDB, `transactionLifetimeLimitSeconds`.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(50);

/// Operations that staged records may still belong to.
const LATEST_OPERATIONS: i64 = 20;

/// The moment at which an operation was made, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeAt(Bson);

impl MadeAt {
    /// This moment, but later than the operation: another process's clock may be ahead of ours, and the newest operation is
    /// the one with the highest `ts`.
    pub(super) fn next(&self) -> DateTime {
        let now = DateTime::now();
        match self.0 {
            Bson::DateTime(ts) if ts >= now => DateTime::from_millis(ts.timestamp_millis() + 1),
            _ => now,
        }
    }
}

/// Reads and writes import operations.
#[derive(Debug, Clone)]
pub struct Imports {
    connection: Connection,
    pub(super) operations: Collection<RawDocumentBuf>,
    keys: Keys,
    newest: SharedReads<(), Option<Arc<Operation>>>,
    /// The newest operation as a majority was last known to have stored it.
    confirmed: Arc<Mutex<Option<Newest>>>,
}

/// The newest operation as it is stored; `None` if there is none.
pub(in crate::repository) type Newest = Option<RawDocumentBuf>;

/// What became of records that were sent to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageOutcome {
    Staged,
    /// It is not, or no longer, one that takes data.
    TakesNoData,
    /// A call with the same idempotency key is in work.
    InWork,
    /// The idempotency key was used with another body.
    KeyReused,
    /// The database does not keep a transaction open for as long as so many take.
    TooMany,
}

impl Imports {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            operations: connection.collection(COLLECTION),
            keys: Keys::new(connection),
            newest: SharedReads::default(),
            confirmed: Arc::default(),
        }
    }

    /// The operation with the highest `ts`, which is *the* operation to Rocket.Chat, valid or not; `None` if there never
    /// was one.
    ///
    /// A majority has stored what this returns. What a primary alone has stored may go with it, and nobody should hear
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
    /// again, at that point in time or later.
    pub(in crate::repository) async fn find_newest(&self) -> Result<Newest, RepositoryError> {
        let mut session = self.connection.session().await?;
        let find = || self.operations.find_one(doc! {}).sort(doc! { "ts": -1 });
        let latest = find().session(&mut session).await?;
        if self.confirmed.lock().as_ref() == Some(&latest) {
            return Ok(latest);
        }
        let newest = find().read_concern(ReadConcern::majority()).session(&mut session).await?;
        *self.confirmed.lock() = Some(newest.clone());
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

    /// The roots of the operations that were made last: those that staged records may belong to.
    pub async fn latest_roots(&self) -> Result<Vec<String>, RepositoryError> {
        let shown = doc! { "_id": 1, "import.records": 1 };
        let operations = self.operations.clone_with_type::<Document>();
        let found = operations.find(doc! {}).sort(doc! { "ts": -1 }).limit(LATEST_OPERATIONS).projection(shown);
        let mut found = found.await?;
        let mut roots = Vec::new();
        while let Some(operation) = found.try_next().await? {
            let root = operation.get_document("import").ok().and_then(|import| import.get_str("records").ok());
            roots.extend(root.or(operation.get_str("_id").ok()).map(str::to_owned));
        }
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    /// The operations over the records of the root, the oldest first.
    pub async fn of_root(&self, root: &str) -> Result<Vec<Operation>, RepositoryError> {
        let over_root = doc! { "$or": [{ "_id": root }, { "import.records": root }] };
        let found = self.operations.find(over_root).sort(doc! { "ts": 1 }).await?;
        found.map_err(RepositoryError::from).and_then(|document| async move { read(&document) }).try_collect().await
    }

    /// Those of these operations that are not stored any more.
    pub async fn missing(&self, ids: Vec<String>) -> Result<Vec<String>, RepositoryError> {
        let stored = self.operations.distinct("_id", doc! { "_id": { "$in": &ids } }).await?;
        Ok(ids.into_iter().filter(|id| !stored.iter().any(|stored| stored.as_str() == Some(id))).collect())
    }

    /// Whether an operation over one of these roots is valid and not over.
    pub async fn is_any_valid(&self, roots: &[String]) -> Result<bool, RepositoryError> {
        let ended = [ProgressStep::Done, ProgressStep::Failed, ProgressStep::Cancelled].map(ProgressStep::as_str);
        let valid = doc! {
            "valid": true,
            "status": { "$nin": ended.to_vec() },
            "$or": [{ "_id": { "$in": roots } }, { "import.records": { "$in": roots } }],
        };
        Ok(self.operations.find_one(valid).await?.is_some())
    }

    /// Ends every operation that was not made after `latest`. This one step is what counts; staged records are removed
    /// afterwards.
    ///
    /// Source: `apps/meteor/server/services/import/service.ts` (`clear`).
    ///
    /// # Errors
    /// Operations may have been ended all the same.
    pub async fn invalidate_up_to(&self, latest: &MadeAt) -> Result<(), RepositoryError> {
        self.invalidate(doc! { "$not": { "$gt": latest.0.clone() } }).await
    }

    /// An operation with a file, or one that fetches, keeps that it was ended here: after another end, the service goes on with it by itself.
    pub(super) async fn invalidate(&self, made: Document) -> Result<(), RepositoryError> {
        let now = DateTime::now();
        let valid = doc! { "valid": { "$ne": false }, "ts": made };
        let mut with_file = valid.clone();
        with_file.insert("$or", vec![doc! { "import.source": { "$exists": true } }, doc! { "import.fetches": true }]);
        let change = doc! { "$set": { "valid": false, "_updatedAt": now, "import.endedByCall": true } };
        self.operations.update_many(with_file, change).await?;
        let change = doc! { "$set": { "valid": false, "_updatedAt": now } };
        self.operations.update_many(valid, change).await?;
        Ok(())
    }

    /// The `ts` of the newest operation.
    pub async fn latest_made_at(&self) -> Result<MadeAt, RepositoryError> {
        let newest = self.operations.find_one(doc! {}).sort(doc! { "ts": -1 }).projection(doc! { "ts": 1 }).await?;
        let ts = newest.and_then(|newest| newest.get("ts").ok().flatten().and_then(|ts| Bson::try_from(ts).ok()));
        Ok(MadeAt(ts.unwrap_or(Bson::MinKey)))
    }

    /// Makes a new operation without data, the newest, for the user `user_id` and perhaps for a list, and ends those before
    /// it.
    ///
    /// # Errors
    /// The operation may have been made all the same.
    pub async fn create(&self, user_id: &str, list: Option<&SentList>) -> Result<Operation, RepositoryError> {
        let made = self.insert_newest(|ts| {
            let mut document = fresh_document(&ObjectId::new().to_hex(), user_id, ts);
            document.insert("status", ProgressStep::New.as_str());
            if let Some(SentList { fingerprint, file, users }) = list {
                let mut list = doc! { "fingerprint": fingerprint, "users": smallest(*users) };
                list.extend(file.as_ref().map(|file| ("file".to_owned(), file.into())));
                let mut import = Document::new();
                import.insert("list", list);
                document.insert("import", import);
            }
            document
        });
        made.await
    }

    /// The valid operations whose files are to be loaded, or are being loaded.
    pub async fn with_files_to_load(&self) -> Result<Vec<Operation>, RepositoryError> {
        let steps = [
            ProgressStep::FileLoaded,
            ProgressStep::PreparingStarted,
            ProgressStep::PreparingUsers,
            ProgressStep::PreparingContacts,
            ProgressStep::PreparingChannels,
            ProgressStep::PreparingMessages,
        ];
        let steps = steps.map(ProgressStep::as_str).to_vec();
        let waiting = doc! { "valid": true, "status": { "$in": steps }, "import.source": { "$exists": true } };
        let found = self.operations.find(waiting).await?;
        found.map_err(RepositoryError::from).and_then(|document| async move { read(&document) }).try_collect().await
    }

    /// Puts `users` into the staging area of the operation `id` and makes it ready, all or nothing; once, if the `call`
    /// that brings them is idempotent. It asks for `users` once more if the database wants the transaction done again.
    pub async fn stage<I>(
        &self,
        id: &str,
        root: &str,
        call: Option<&IdempotentCall>,
        users: impl Fn() -> I,
    ) -> Result<StageOutcome, RepositoryError>
    where
        I: Iterator<Item = Fields>,
    {
        let mut attempt = 1;
        loop {
            match self.try_stage(id, root, call, &users).await? {
                // The other call may end at any moment. Two calls that make the collection at once are in each other's
                // way as well.
                StageOutcome::InWork if attempt < KEY_ATTEMPTS => sleep(KEY_RETRY_INTERVAL).await,
                outcome => return Ok(outcome),
            }
            attempt += 1;
        }
    }

    async fn try_stage<I>(
        &self,
        id: &str,
        root: &str,
        call: Option<&IdempotentCall>,
        users: impl Fn() -> I,
    ) -> Result<StageOutcome, RepositoryError>
    where
        I: Iterator<Item = Fields>,
    {
        let mut times_cut_short = 0;
        let result = self
            .connection
            .transaction(async |session| {
                let staged = self.stage_within(id, root, call, users(), session).await;
                times_cut_short += u32::from(staged.as_ref().is_err_and(is_cut_short));
                // Another primary does not know the transaction of the one before, either: once.
                if times_cut_short > 1 { Err(DriverError::custom(StageOutcome::TooMany)) } else { staged }
            })
            .await;
        match result {
            Ok(()) => Ok(StageOutcome::Staged),
            Err(error) => match (error.get_custom::<KeyConflict>(), call) {
                (Some(KeyConflict::Used), Some(call)) => Ok(match self.keys.find(root, call).await? {
                    Some(KeyUse::SameBody) => StageOutcome::Staged,
                    Some(KeyUse::OtherBody) => StageOutcome::KeyReused,
                    // A majority does not have it yet.
                    None => StageOutcome::InWork,
                }),
                (Some(KeyConflict::InWork), _) => Ok(StageOutcome::InWork),
                _ => error.get_custom().copied().ok_or_else(|| error.into()),
            },
        }
    }

    /// Stages users within the session's transaction.
    async fn stage_within(
        &self,
        id: &str,
        root: &str,
        call: Option<&IdempotentCall>,
        mut users: impl Iterator<Item = Fields>,
        session: &mut ClientSession,
    ) -> mongodb::error::Result<()> {
        let until = Instant::now() + LONGEST_TRANSACTION;
        if let Some(call) = call {
            self.keys.store(root, call, &mut *session).await?;
        }
        let staged = self.connection.collection::<Document>(staging::COLLECTION);
        let mut added = 0_u64;
        loop {
            let records: Vec<Document> =
                users.by_ref().take(RECORDS_AT_A_TIME).map(|user| record_of(&user, root)).collect();
            if records.is_empty() {
                break;
            }
            if Instant::now() >= until {
                return Err(DriverError::custom(StageOutcome::TooMany));
            }
            staged.insert_many(&records).session(&mut *session).await?;
            added += records.len() as u64;
        }
        // The operation comes last, right before the end: should this instance die, what it has touched stays locked for a
        // minute, and new records are in nobody's way.
        let added = smallest(added);
        let takes_data = doc! {
            "_id": id,
            "valid": true,
            "status": { "$in": [ProgressStep::New.as_str(), ProgressStep::UserSelection.as_str()] },
        };
        let change = doc! {
            "$inc": { "count.total": added.clone(), "count.users": added },
            "$set": { "status": ProgressStep::UserSelection.as_str(), "_updatedAt": DateTime::now() },
        };
        let changed = self.operations.update_one(takes_data, change).session(&mut *session).await?;
        if changed.matched_count == 0 { Err(DriverError::custom(StageOutcome::TakesNoData)) } else { Ok(()) }
    }

    pub(super) async fn insert(&self, document: Document) -> Result<Operation, RepositoryError> {
        let stored = RawDocumentBuf::try_from(&document)
            .map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
        self.operations.insert_one(&stored).await?;
        read(&stored)
    }
}

/// What a user is staged as.
fn record_of(user: &Fields, root: &str) -> Document {
    doc! {
        "_id": ObjectId::new().to_hex(),
        "data": document_of(user),
        "dataType": RecordType::User.data_type(),
        "operation": root,
    }
}

pub(super) fn fresh_document(id: &str, user_id: &str, ts: DateTime) -> Document {
    doc! {
        "_id": id,
        "type": Importer::Api.key(),
        "importerKey": Importer::Api.key(),
        "ts": ts,
        "status": "",
        "valid": true,
        "user": user_id,
        "_updatedAt": DateTime::now(),
    }
}

pub(in crate::repository) fn read(document: &RawDocumentBuf) -> Result<Operation, RepositoryError> {
    let fields =
        read_fields(document).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
    Ok(Operation { fields })
}
