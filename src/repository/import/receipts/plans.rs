//! Plans: what a batch is about to change in documents that are there.
//!
//! A batch stores its plan before it changes anything. If it dies before its receipt, the plan tells the batch that runs
//! again what was changed: the documents themselves only show that they are as they are to be. A plan whose batch has its
//! receipt says nothing any more.
//!
//! Plans stand beside the receipts. They are found by the root operation, since an operation that goes on with another one
//! also goes on with its batches. Their ids sort by epoch, so in the order in which runs follow each other.

use std::{collections::HashSet, time::Duration};

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::{
    ChangedField, READ_AT_A_TIME, ReceiptOutcome, Receipts, expiry, receipt_id,
    stored::{changed_fields, document_of_changes},
};
use crate::{
    domain::{matching::FoundBy, receipt::Outcome},
    repository::RepositoryError,
};

/// How long a plan is of use: an operation that nobody goes on with for so long is given up.
const LONGEST_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Receipts that are looked for with one query.
const LOOKED_FOR_AT_A_TIME: usize = 1000;

/// A batch that is about to change something.
#[derive(Debug, Clone, Copy)]
pub struct PlannedBatch<'a> {
    /// The operation with whose records the operation goes on, or itself.
    pub root: &'a str,
    pub operation: &'a str,
    pub epoch: i64,
    pub number: u32,
}

/// A change that a batch is about to make in a document that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChange {
    /// The name of the staged record among those of its type.
    pub record: String,
    /// The `_id` of the document.
    pub document: String,
    /// What becomes of the record if the change is made.
    pub outcome: Outcome,
    pub found_by: Option<FoundBy>,
    /// The fields before and after; without values where these are too long to be kept.
    pub changed: Vec<ChangedField>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredPlan {
    #[serde(rename = "_id")]
    id: String,
    /// Not on the first level: whatever names an operation there is a receipt.
    run: StoredRun,
    changes: Vec<StoredChange>,
    at: DateTime,
    expires: DateTime,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRun {
    operation: String,
    epoch: i64,
    batch: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredChange {
    record: String,
    document: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_by: Option<String>,
    #[serde(default, skip_serializing_if = "Document::is_empty")]
    changed: Document,
}

impl Receipts {
    /// Stores what a batch is about to change, by a majority. `part` tells several plans of one batch apart.
    ///
    /// A run that takes the operation over first takes the numbers of its batches and then reads the plans. So a batch that
    /// still has its number after this may go on: its plan is read.
    ///
    /// # Errors
    /// The plan may have been stored all the same.
    pub async fn note_plan(
        &self,
        batch: PlannedBatch<'_>,
        part: u32,
        changes: Vec<PlannedChange>,
    ) -> Result<ReceiptOutcome, RepositoryError> {
        let PlannedBatch { root, operation, epoch, number } = batch;
        let at = DateTime::now();
        let plan = StoredPlan {
            id: format!("{root}#plan:{epoch:020}:{number:010}:{part:010}"),
            run: StoredRun { operation: operation.to_owned(), epoch, batch: number.into() },
            changes: changes.into_iter().map(stored_change).collect(),
            at,
            expires: expiry(at, self.lifetime.min(LONGEST_LIFETIME)),
        };
        self.receipts.clone_with_type::<StoredPlan>().insert_one(&plan).await?;
        let taken = doc! { "_id": receipt_id(operation, number) };
        let taken = self.receipts.find_one(taken).projection(doc! { "_id": 1 }).await?;
        Ok(if taken.is_some() { ReceiptOutcome::Fenced } else { ReceiptOutcome::Written })
    }

    /// Returns what batches without a receipt were about to change, in the order of their runs.
    ///
    /// # Errors
    /// As for every read.
    pub async fn plans_left(&self, root: &str) -> Result<Vec<PlannedChange>, RepositoryError> {
        let plans = self.receipts.clone_with_type::<Document>();
        let of_root = doc! { "_id": { "$gte": format!("{root}#plan:"), "$lt": format!("{root}#plan;") } };
        let plans: Vec<Document> = plans.find(of_root).projection(doc! { "run": 1 }).await?.try_collect().await?;
        let mut left = Vec::new();
        for plans in plans.chunks(LOOKED_FOR_AT_A_TIME) {
            let done = self.done_among(plans.iter().filter_map(receipt_of).collect()).await?;
            let is_left = |plan: &&Document| receipt_of(plan).is_some_and(|receipt| !done.contains(&receipt));
            left.extend(plans.iter().filter(is_left).filter_map(|plan| plan.get_str("_id").ok()));
        }
        let mut changes = Vec::new();
        for left in left.chunks(LOOKED_FOR_AT_A_TIME) {
            let plans = self.receipts.clone_with_type::<StoredPlan>();
            let plans = plans.find(doc! { "_id": { "$in": left } }).sort(doc! { "_id": 1 });
            let mut plans = plans.batch_size(READ_AT_A_TIME).await?;
            while let Some(plan) = plans.try_next().await? {
                changes.extend(plan.changes.into_iter().filter_map(planned_change));
            }
        }
        Ok(changes)
    }

    /// Those of the receipts that are there and not void.
    async fn done_among(&self, receipts: Vec<String>) -> Result<HashSet<String>, RepositoryError> {
        let done = doc! { "_id": { "$in": receipts }, "void": { "$ne": true } };
        let done = self.receipts.clone_with_type::<Document>().find(done).projection(doc! { "_id": 1 }).await?;
        let ids = done.try_filter_map(|receipt| async move { Ok(receipt.get_str("_id").ok().map(str::to_owned)) });
        Ok(ids.try_collect().await?)
    }
}

/// The `_id` of the receipt that the batch of a plan writes.
fn receipt_of(plan: &Document) -> Option<String> {
    let run = plan.get_document("run").ok()?;
    let number = u32::try_from(run.get_i64("batch").ok()?).ok()?;
    Some(receipt_id(run.get_str("operation").ok()?, number))
}

fn stored_change(change: PlannedChange) -> StoredChange {
    StoredChange {
        record: change.record,
        document: change.document,
        outcome: change.outcome.as_str().to_owned(),
        found_by: change.found_by.map(|found| found.as_str().to_owned()),
        changed: document_of_changes(&change.changed),
    }
}

/// `None` for an outcome that this release does not know.
fn planned_change(stored: StoredChange) -> Option<PlannedChange> {
    Some(PlannedChange {
        record: stored.record,
        document: stored.document,
        outcome: Outcome::from_stored(&stored.outcome)?,
        found_by: stored.found_by.as_deref().and_then(FoundBy::from_word),
        changed: changed_fields(stored.changed),
    })
}
