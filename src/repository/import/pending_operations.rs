//! Operations that fetch what imports left to be fetched.

use bson::{DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt as _;

use super::operations::{Imports, read};
use crate::{
    domain::{
        field_value::Date, importer::Importer, operation::Operation, progress_step::ProgressStep, upload::upload_id,
    },
    repository::{RepositoryError, bson::numbers::smallest, connection::error::is_duplicate_key},
};

/// The steps of such an operation before its end.
const STEPS: [ProgressStep; 3] = [ProgressStep::New, ProgressStep::PreparingStarted, ProgressStep::ImportingFiles];

impl Imports {
    /// Makes a new operation that fetches, the newest, for the user `user_id`. Nothing is ended and nothing removed: the
    /// records of the import before that failed stay. One that follows an import is made once: `None` if it was.
    ///
    /// Source: `apps/meteor/server/lib/import/pending-files/PendingFileImporter.ts`.
    ///
    /// # Errors
    /// The operation may have been made all the same.
    pub async fn create_pending(
        &self,
        user_id: &str,
        importer: Importer,
        follows: Option<&str>,
    ) -> Result<Option<Operation>, RepositoryError> {
        let ts = self.latest_made_at().await?.next();
        let id = follows.map_or_else(|| ObjectId::new().to_hex(), |import| following_id(import, importer));
        let mut import = doc! { "fetches": true };
        if let Some(follows) = follows {
            import.insert("follows", follows);
        }
        let document = doc! {
            "_id": id,
            "type": importer.name(),
            "importerKey": importer.key(),
            "ts": ts,
            "status": ProgressStep::New.as_str(),
            "valid": true,
            "user": user_id,
            "_updatedAt": DateTime::now(),
            "import": import,
        };
        match self.insert(document).await {
            Ok(made) => Ok(Some(made)),
            Err(RepositoryError::Refused(error)) if is_duplicate_key(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes of an operation that is to be run whether what it leaves is fetched by itself after its end.
    pub async fn note_to_follow(&self, id: &str, is_followed: bool) -> Result<(), RepositoryError> {
        let change = doc! { "$set": { "import.fetchNext": is_followed } };
        self.operations.update_one(doc! { "_id": id, "valid": true }, change).await?;
        Ok(())
    }

    /// Returns the operations that are done since then, and that nothing followed yet.
    pub async fn to_be_followed(&self, done_before: Date) -> Result<Vec<Operation>, RepositoryError> {
        let done = doc! {
            "valid": true,
            "status": ProgressStep::Done.as_str(),
            "import.fetchNext": true,
            "_updatedAt": { "$lt": DateTime::from_millis(done_before.epoch_millis()) },
        };
        let found = self.operations.find(done).await?;
        found.map_err(RepositoryError::from).and_then(|document| async move { read(&document) }).try_collect().await
    }

    /// Notes that everything follows that is to follow the operation.
    pub async fn note_followed(&self, id: &str) -> Result<(), RepositoryError> {
        self.operations.update_one(doc! { "_id": id }, doc! { "$unset": { "import.fetchNext": "" } }).await?;
        Ok(())
    }

    /// Leads a fresh operation on to its preparation. False if somebody ended it.
    pub async fn prepare_pending(&self, id: &str) -> Result<bool, RepositoryError> {
        let change = doc! { "status": ProgressStep::PreparingStarted.as_str() };
        self.lead_pending(id, ProgressStep::New, change).await
    }

    /// Stores how much there is to fetch: the operation is over if there is nothing. False if somebody ended it.
    pub async fn count_pending(&self, id: &str, records: u64) -> Result<bool, RepositoryError> {
        let change = if records == 0 {
            doc! { "status": ProgressStep::Done.as_str() }
        } else {
            doc! {
                "count.messages": smallest(records),
                "count.total": smallest(records),
                "messagesstatus": null,
                "status": ProgressStep::ImportingFiles.as_str(),
            }
        };
        self.lead_pending(id, ProgressStep::PreparingStarted, change).await
    }

    /// Returns the operation of this importer that goes on, if this service made it.
    pub async fn going_on(&self, importer: Importer) -> Result<Option<Operation>, RepositoryError> {
        let mut ours = ours();
        ours.insert("importerKey", importer.key());
        self.operations.find_one(ours).await?.map(|document| read(&document)).transpose()
    }

    /// Returns the operations that go on and did not change since then: those of instances that died among them have no
    /// lease.
    pub async fn pending_since(&self, changed_before: Date) -> Result<Vec<Operation>, RepositoryError> {
        let mut left = ours();
        left.insert("_updatedAt", doc! { "$lt": DateTime::from_millis(changed_before.epoch_millis()) });
        let found = self.operations.find(left).await?;
        found.map_err(RepositoryError::from).and_then(|document| async move { read(&document) }).try_collect().await
    }

    /// Changes an operation that is still valid and at this step.
    async fn lead_pending(&self, id: &str, at: ProgressStep, mut change: Document) -> Result<bool, RepositoryError> {
        change.insert("_updatedAt", DateTime::now());
        let valid = doc! { "_id": id, "valid": true, "status": at.as_str() };
        Ok(self.operations.update_one(valid, doc! { "$set": change }).await?.matched_count == 1)
    }
}

/// The id of the operation that follows an import: always the same, so that of several instances one makes it.
fn following_id(import: &str, importer: Importer) -> String {
    upload_id(&["follows", import, importer.key()])
}

fn ours() -> Document {
    doc! { "valid": true, "status": { "$in": STEPS.map(ProgressStep::as_str).to_vec() }, "import.fetches": true }
}
