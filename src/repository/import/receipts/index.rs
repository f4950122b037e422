//! Where the batches of an operation are, for reports that read them one at a time.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use futures::TryStreamExt as _;

use super::{
    BatchReceipt, Counts, Receipts, RecordType, StagedId, StoredReceipt, batch_receipt, of_operation, unsigned,
};
use crate::repository::RepositoryError;

/// Where a report finds one batch, and how much is in it.
#[derive(Debug, Clone)]
pub struct BatchIndex {
    /// The `_id` of the receipt.
    id: String,
    first: StagedId,
    /// Records that the receipt lists: all of them, but of messages only those that failed.
    pub listed: u64,
    pub failed: u64,
}

impl Receipts {
    /// Returns every batch of the operation in the order in which its records were staged.
    pub async fn index(&self, operation: &str) -> Result<Vec<BatchIndex>, RepositoryError> {
        let mut filter = of_operation(operation);
        filter.insert("void", doc! { "$ne": true });
        let shown = doc! { "dataType": 1, "first": 1, "completed": 1, "error": 1 };
        let mut receipts = self.receipts.clone_with_type::<Document>().find(filter).projection(shown).await?;
        let mut index = Vec::new();
        while let Some(receipt) = receipts.try_next().await? {
            let failed = unsigned(receipt.get("error"));
            let is_of_messages = receipt.get_str("dataType").is_ok_and(|kind| kind == RecordType::Message.data_type());
            let listed = if is_of_messages { failed } else { unsigned(receipt.get("completed")) + failed };
            index.push(BatchIndex {
                id: receipt.get_str("_id").unwrap_or_default().to_owned(),
                first: StagedId(receipt.get("first").cloned().unwrap_or(Bson::Null)),
                listed,
                failed,
            });
        }
        index.sort_by(|left, right| left.first.cmp(&right.first));
        Ok(index)
    }

    /// Returns the counts of the operation's records, by type.
    pub async fn counts(&self, operation: &str) -> Result<BTreeMap<RecordType, Counts>, RepositoryError> {
        let shown = doc! { "dataType": 1, "completed": 1, "error": 1 };
        let receipts = self.receipts.clone_with_type::<Document>();
        let mut receipts = receipts.find(of_operation(operation)).projection(shown).await?;
        let mut counts: BTreeMap<RecordType, Counts> = BTreeMap::new();
        while let Some(receipt) = receipts.try_next().await? {
            let kind = receipt.get_str("dataType").ok().and_then(RecordType::of_receipt);
            *counts.entry(kind.unwrap_or(RecordType::User)).or_default() +=
                Counts { completed: unsigned(receipt.get("completed")), error: unsigned(receipt.get("error")) };
        }
        Ok(counts)
    }

    /// Returns the receipt of one batch; `None` once it has expired.
    pub async fn batch(&self, batch: &BatchIndex) -> Result<Option<BatchReceipt>, RepositoryError> {
        let receipts = self.receipts.clone_with_type::<StoredReceipt>();
        Ok(receipts.find_one(doc! { "_id": &batch.id }).await?.map(batch_receipt))
    }
}
