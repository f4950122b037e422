//! Making the newest operation, of which there is one, however many are made at once.

use std::time::Duration;

use bson::{DateTime, Document, doc};

use super::operations::Imports;
use crate::{domain::operation::Operation, repository::RepositoryError};

/// How often an operation takes another moment because one was made in the same.
const MOMENTS: u32 = 20;
/// How far apart those moments may be.
const LONGEST_STEP: Duration = Duration::from_millis(10);

impl Imports {
    /// Stores the operation that `document_at` makes for a moment at which it is the newest, and ends those before it. It is
    /// ended itself where a newer one was made meanwhile.
    pub(super) async fn insert_newest(
        &self,
        document_at: impl FnOnce(DateTime) -> Document,
    ) -> Result<Operation, RepositoryError> {
        let mut ts = self.latest_made_at().await?.next();
        let mut made = self.insert(document_at(ts)).await?;
        let id = made.id().unwrap_or_default().to_owned();
        for _ in 0..MOMENTS {
            if self.operations.count_documents(doc! { "ts": ts }).limit(2).await? < 2 {
                break;
            }
            let step = rand::random_range(0..LONGEST_STEP.as_millis());
            let later =
                self.latest_made_at().await?.next().timestamp_millis() + i64::try_from(step).unwrap_or_default();
            ts = DateTime::from_millis(later);
            // The one with the later moment may have ended this one already.
            self.operations.update_one(doc! { "_id": &id }, doc! { "$set": { "ts": ts, "valid": true } }).await?;
            made = self.find(&id).await?.unwrap_or(made);
        }
        self.end_others(&id, ts).await?;
        Ok(made)
    }

    /// Ends the operations before that of this moment, and that one itself where a newer one was made. Returns whether it is
    /// the newest.
    pub(super) async fn end_others(&self, id: &str, ts: DateTime) -> Result<bool, RepositoryError> {
        self.invalidate(doc! { "$lt": ts }).await?;
        let newest = self.operations.find_one(doc! {}).sort(doc! { "ts": -1 }).projection(doc! { "_id": 1 }).await?;
        let is_newest = newest.is_some_and(|newest| newest.get_str("_id").is_ok_and(|newest| newest == id));
        if !is_newest {
            self.operations.update_one(doc! { "_id": id }, doc! { "$set": { "valid": false } }).await?;
        }
        Ok(is_newest)
    }
}
