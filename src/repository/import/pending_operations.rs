//! Operations that fetch what imports left to be fetched.

use bson::{DateTime, Document, doc, oid::ObjectId};
use futures::TryStreamExt as _;

use super::operations::{Imports, read};
use crate::{
    domain::{field_value::Date, importer::Importer, operation::Operation, progress_step::ProgressStep},
    repository::{RepositoryError, bson::numbers::smallest, connection::error::is_duplicate_key},
};

/// Why an operation fetches.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    Call,
    /// It follows the import with this id by itself.
    Follows(&'a str),
    /// It goes on with this one, which something else than a call ended.
    Resumes(&'a Operation),
}

/// The steps of such an operation before its end.
const STEPS: [ProgressStep; 3] = [ProgressStep::New, ProgressStep::PreparingStarted, ProgressStep::ImportingFiles];

impl Imports {
    /// Makes a new operation that fetches, the newest, for the user `user_id`. Nothing is ended and nothing removed: the
    /// records of the import before that failed stay. One that follows another operation is made once: `None` if it was.
    ///
    /// Source: `apps/meteor/server/lib/import/pending-files/PendingFileImporter.ts`.
    ///
    /// # Errors
    /// The operation may have been made all the same.
    pub async fn create_pending(
        &self,
        user_id: &str,
        importer: Importer,
        origin: Origin<'_>,
    ) -> Result<Option<Operation>, RepositoryError> {
        let ts = self.latest_made_at().await?.next();
        let mut import = doc! { "fetches": true };
        let id = match origin {
            Origin::Call => ObjectId::new().to_hex(),
            Origin::Follows(followed) => {
                import.insert("follows", followed);
                importer.follower_of(followed)
            }
            Origin::Resumes(ended) => {
                let resumed = ended.id().unwrap_or_default();
                import.insert("resumes", resumed);
                import.insert("resumptions", smallest(ended.resumptions() + 1));
                if let Some(followed) = ended.follows() {
                    import.insert("follows", followed);
                }
                importer.follower_of(resumed)
            }
        };
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

    /// Returns the newest operation that brings records, and does not only fetch what others left.
    pub async fn newest_import(&self) -> Result<Option<Operation>, RepositoryError> {
        let fetching: Vec<&str> =
            Importer::ALL.into_iter().filter(|importer| importer.is_pending()).map(Importer::key).collect();
        let newest = self.operations.find_one(doc! { "importerKey": { "$nin": fetching } }).sort(doc! { "ts": -1 });
        newest.await?.map(|document| read(&document)).transpose()
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

fn ours() -> Document {
    doc! { "valid": true, "status": { "$in": STEPS.map(ProgressStep::as_str).to_vec() }, "import.fetches": true }
}
