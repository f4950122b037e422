//! The removal of staged records that were processed, left out or given up.

use bson::{Bson, Document, doc};
use futures::{Stream, TryStreamExt as _};

use super::{
    staged_filters::records_of,
    staged_id::StagedId,
    staging::{CURSOR_BATCH, Staging, id_of},
};
use crate::{
    domain::record_type::RecordType,
    repository::{PRIMARY_ONLY, RepositoryError},
};

/// Ids that one command removes.
const REMOVED_AT_A_TIME: usize = 1000;

/// The records that an import gave up.
#[derive(Debug, Clone, PartialEq)]
pub struct Discarded {
    /// The roots of the operations that were known then.
    pub roots: Vec<String>,
    /// The highest id of a record without an operation; `None` if there was none.
    pub unlabelled_up_to: Option<StagedId>,
}

impl Staging {
    /// Removes these records of the root.
    ///
    /// # Errors
    /// Some may have been removed all the same.
    pub async fn remove(&self, root: &str, ids: &[StagedId]) -> Result<(), RepositoryError> {
        for ids in ids.chunks(REMOVED_AT_A_TIME) {
            self.remove_these(doc! { "operation": root }, ids).await?;
        }
        Ok(())
    }

    /// Removes the records of this type within a range, both ends inclusive, that did not fail.
    ///
    /// # Errors
    /// Some may have been removed all the same.
    pub async fn remove_range(
        &self,
        root: &str,
        kind: RecordType,
        (first, last): &(StagedId, StagedId),
        failed: &[StagedId],
    ) -> Result<(), RepositoryError> {
        let failed: Vec<&Bson> = failed.iter().map(|id| &id.0).collect();
        let mut records = records_of(root, kind);
        records.insert("_id", doc! { "$gte": &first.0, "$lte": &last.0, "$nin": failed });
        self.records.delete_many(records).write_concern(PRIMARY_ONLY.clone()).await?;
        Ok(())
    }

    /// The ids of the records that were left out, some at a time.
    pub async fn left_out(
        &self,
        root: &str,
    ) -> Result<impl Stream<Item = Result<Vec<StagedId>, RepositoryError>> + Send + use<>, RepositoryError> {
        let left_out = doc! { "operation": root, "skipped": true };
        let ids = self.records.find(left_out).projection(doc! { "_id": 1 });
        let ids = ids.batch_size(CURSOR_BATCH).await?.map_ok(|record| id_of(&record));
        Ok(ids.try_chunks(REMOVED_AT_A_TIME).map_err(|error| error.1.into()))
    }

    /// The ids of the records that were given up, some at a time.
    pub async fn discarded(
        &self,
        discarded: &Discarded,
    ) -> Result<impl Stream<Item = Result<Vec<StagedId>, RepositoryError>> + Send + use<>, RepositoryError> {
        let ids = self.records.find(discarded_records(discarded)).projection(doc! { "_id": 1 });
        let ids = ids.batch_size(CURSOR_BATCH).await?.map_ok(|record| id_of(&record));
        Ok(ids.try_chunks(REMOVED_AT_A_TIME).map_err(|error| error.1.into()))
    }

    /// Removes those of these records that were given up.
    ///
    /// # Errors
    /// Some may have been removed all the same.
    pub async fn remove_discarded(&self, discarded: &Discarded, ids: &[StagedId]) -> Result<(), RepositoryError> {
        self.remove_these(discarded_records(discarded), ids).await
    }

    async fn remove_these(&self, mut filter: Document, ids: &[StagedId]) -> Result<(), RepositoryError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<&Bson> = ids.iter().map(|id| &id.0).collect();
        filter.insert("_id", doc! { "$in": ids });
        self.records.delete_many(filter).write_concern(PRIMARY_ONLY.clone()).await?;
        Ok(())
    }
}

fn discarded_records(discarded: &Discarded) -> Document {
    let labelled = doc! { "operation": { "$in": &discarded.roots } };
    match &discarded.unlabelled_up_to {
        None => labelled,
        Some(last) => {
            // Ids of other types than the last are older tools' and go as well.
            let unlabelled = doc! { "operation": { "$exists": false }, "_id": { "$not": { "$gt": &last.0 } } };
            doc! { "$or": [labelled, unlabelled] }
        }
    }
}
