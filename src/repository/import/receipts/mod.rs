//! Receipts: one document for each batch of a run, which says what became of each of its records.
//!
//! A receipt is written once, after a majority has stored the results, and never changed. It is the outcome of its batch:
//! counters, take-over and every report read receipts, and a batch that has one is never run again.
//!
//! The `_id` is the operation and the number of the batch. Numbers follow each other without a hole, and at most
//! [`FENCE_WIDTH`] batches of a run are without a receipt at a time. So a successor can shut out a former holder of the
//! lease without a transaction: it puts *void* receipts into every hole and into the numbers after the highest. A late
//! batch then meets a duplicate key.

mod history;
mod index;
mod left;
mod plans;
mod rooms;
mod stored;

use std::time::Duration;

use bson::{DateTime, Document, RawDocumentBuf, doc};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mongodb::Collection;

use super::staged_id::StagedId;
use crate::{
    domain::{
        counts::Counts,
        field_value::{Date, Fields},
        matching::FoundBy,
        receipt::{Outcome, Outcomes},
        record_type::RecordType,
    },
    repository::{
        Connection, RepositoryError,
        bson::numbers::unsigned,
        connection::error::{are_only_duplicate_keys, is_duplicate_key},
    },
};

pub use index::BatchIndex;
pub use left::LeftAccount;
pub use plans::{PlannedBatch, PlannedChange};
pub use rooms::{JoinedRoom, LastMessage, RoomReceipt};
use stored::{StoredReceipt, batch_receipt, record_type, stored_receipt};

pub(in crate::repository) const COLLECTION: &str = "rocketchat_import_service_receipts";
/// More than the batches that any release has on their way at once.
pub(crate) const FENCE_WIDTH: u32 = 16;
/// How long receipts are kept unless somebody sets another time.
pub(crate) const RECEIPT_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Reads and writes receipts.
#[derive(Debug, Clone)]
pub struct Receipts {
    receipts: Collection<RawDocumentBuf>,
    lifetime: Duration,
}

/// What became of one staged record.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordReceipt {
    pub id: StagedId,
    pub outcome: Outcome,
    /// The `_id` of the document it became; of a failed record, the one it would have had.
    pub became: Option<String>,
    /// The ids in the system it came from.
    pub import_ids: Vec<String>,
    /// The username of a failed record.
    pub username: Option<String>,
    /// The addresses of a record.
    pub emails: Vec<String>,
    /// Why it failed, or how it was stored otherwise than it says.
    pub reason: Option<String>,
    /// How the document was found that was there already.
    pub found_by: Option<FoundBy>,
    /// The fields that were changed in a document that was there already.
    pub changed: Vec<ChangedField>,
    /// The rooms that a new account joined.
    pub memberships: u32,
    /// Whether a new account came without a password.
    pub is_without_password: bool,
}

/// A field of a stored document before and after the import. Secrets never stand here.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedField {
    pub field: String,
    /// The values as an object with one field, `before` or `after`; a value that was not stored is missing.
    pub values: Fields,
}

/// The receipt of one batch.
#[derive(Debug, Clone)]
pub struct BatchReceipt {
    pub number: u32,
    pub record_type: RecordType,
    /// The range of staged ids that the batch covers, both ends inclusive.
    pub range: (StagedId, StagedId),
    pub outcomes: Outcomes,
    /// One for each record; of messages, only those that failed.
    pub records: Vec<RecordReceipt>,
    /// Where the messages of the batch are; empty for other records.
    pub rooms: Vec<RoomReceipt>,
    /// The rooms that new accounts of the batch joined. `None` for other records, and in receipts of a release that counted
    /// the memberships themselves.
    pub joined: Option<Vec<JoinedRoom>>,
    /// When it was written, by the clock of the instance that ran the batch.
    pub at: Date,
}

/// What a run needs to know of the receipts of an operation.
#[derive(Debug, Clone, Default)]
pub struct ReceiptSummary {
    /// The ranges of staged ids that are done, both ends inclusive, with the type of their records.
    done: Vec<(RecordType, StagedId, StagedId)>,
    pub counts: Counts,
    /// The first number that no batch has.
    pub next_number: u32,
}

impl ReceiptSummary {
    /// Returns the ranges in which every record of this type is done.
    pub fn done(&self, kind: RecordType) -> Vec<(StagedId, StagedId)> {
        let of_type = self.done.iter().filter(|(of, ..)| *of == kind);
        of_type.map(|(_, first, last)| (first.clone(), last.clone())).collect()
    }
}

/// Whether a receipt could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptOutcome {
    Written,
    /// Another run of the operation has taken the number: this one's lease is lost.
    Fenced,
}

impl Receipts {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { receipts: connection.collection(COLLECTION), lifetime: RECEIPT_LIFETIME }
    }

    /// The same, but for how long new receipts are kept.
    pub fn kept_for(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// Writes the receipt of the batch `number`, stored by a majority.
    ///
    /// # Errors
    /// The receipt may have been written all the same.
    pub async fn write(
        &self,
        operation: &str,
        epoch: i64,
        batch: BatchReceipt,
    ) -> Result<ReceiptOutcome, RepositoryError> {
        let stored = stored_receipt(operation, epoch, batch, self.lifetime);
        match self.receipts.clone_with_type::<StoredReceipt>().insert_one(&stored).await {
            Ok(_) => Ok(ReceiptOutcome::Written),
            Err(error) if is_duplicate_key(&error) => Ok(ReceiptOutcome::Fenced),
            Err(error) => Err(error.into()),
        }
    }

    /// Shuts out every former holder of the lease on the operation, and reads the done ranges. Only the holder of the lease
    /// may call this, and only while it has no batch on its way itself.
    ///
    /// # Errors
    /// Some numbers may have been taken all the same; another call finishes the work.
    pub async fn fence(&self, operation: &str, epoch: i64) -> Result<ReceiptSummary, RepositoryError> {
        loop {
            let (mut summary, holes) = self.read_summary(operation).await?;
            let after_highest = summary.next_number..summary.next_number + FENCE_WIDTH;
            let voids: Vec<Document> = holes
                .into_iter()
                .chain(after_highest)
                .map(|number| void(operation, epoch, number, self.lifetime))
                .collect();
            summary.next_number += FENCE_WIDTH;
            let inserted = self.receipts.clone_with_type::<Document>().insert_many(voids).ordered(false).await;
            let Err(error) = inserted else { return Ok(summary) };
            if !are_only_duplicate_keys(&error) {
                return Err(error.into());
            }
            // A batch of the former holder landed meanwhile. The voids that were inserted stay, and are read again.
        }
    }

    /// Reads the done ranges.
    pub async fn summary(&self, operation: &str) -> Result<ReceiptSummary, RepositoryError> {
        Ok(self.read_summary(operation).await?.0)
    }

    /// The done ranges, and the numbers below the highest that no receipt has.
    async fn read_summary(&self, operation: &str) -> Result<(ReceiptSummary, Vec<u32>), RepositoryError> {
        let shown = doc! { "batch": 1, "dataType": 1, "first": 1, "last": 1, "completed": 1, "error": 1, "void": 1 };
        let found = self.receipts.clone_with_type::<Document>();
        let mut receipts = found.find(of_operation(operation)).sort(doc! { "_id": 1 }).projection(shown).await?;
        let (mut summary, mut holes) = (ReceiptSummary::default(), Vec::new());
        while let Some(receipt) = receipts.try_next().await? {
            let number = u32::try_from(unsigned(receipt.get("batch"))).unwrap_or_default();
            holes.extend(summary.next_number..number);
            summary.next_number = number + 1;
            summary.counts +=
                Counts { completed: unsigned(receipt.get("completed")), error: unsigned(receipt.get("error")) };
            if let (Some(first), Some(last)) = (receipt.get("first"), receipt.get("last")) {
                let kind = record_type(receipt.get_str("dataType").unwrap_or_default());
                summary.done.push((kind, StagedId(first.clone()), StagedId(last.clone())));
            }
        }
        Ok((summary, holes))
    }

    /// Whether a run of the operation has processed any record.
    pub async fn exist(&self, operation: &str) -> Result<bool, RepositoryError> {
        let mut filter = of_operation(operation);
        filter.insert("void", doc! { "$ne": true });
        Ok(self.receipts.find_one(filter).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// Whether the rooms of the operation have grown by what its receipts say.
    pub async fn are_rooms_counted(&self, operation: &str) -> Result<bool, RepositoryError> {
        Ok(self.receipts.find_one(doc! { "_id": counted_id(operation) }).await?.is_some())
    }

    /// Notes that the rooms of the operation have grown by what its receipts say.
    pub async fn note_rooms_counted(&self, operation: &str) -> Result<(), RepositoryError> {
        let at = DateTime::now();
        let note = doc! { "_id": counted_id(operation), "at": at, "expires": expiry(at, self.lifetime) };
        match self.receipts.clone_with_type::<Document>().insert_one(note).await {
            Err(error) if !is_duplicate_key(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The receipts of the operation in the order of their batches, void ones left out.
    ///
    /// # Errors
    /// As for every read; a receipt that cannot be read is an error, too.
    pub async fn of_operation(
        &self,
        operation: &str,
    ) -> Result<impl Stream<Item = Result<BatchReceipt, RepositoryError>> + Send + use<>, RepositoryError> {
        let mut filter = of_operation(operation);
        filter.insert("void", doc! { "$ne": true });
        self.read(filter, None).await
    }

    async fn read(
        &self,
        filter: Document,
        shown: Option<Document>,
    ) -> Result<impl Stream<Item = Result<BatchReceipt, RepositoryError>> + Send + use<>, RepositoryError> {
        let stored = self.receipts.clone_with_type::<StoredReceipt>();
        let mut receipts = stored.find(filter).sort(doc! { "_id": 1 });
        if let Some(shown) = shown {
            receipts = receipts.projection(shown);
        }
        // A receipt may have some megabytes.
        let receipts = receipts.batch_size(READ_AT_A_TIME).await?;
        Ok(receipts.map(|receipt| Ok(batch_receipt(receipt?))))
    }
}

/// Receipts that the database sends at a time.
const READ_AT_A_TIME: u32 = 8;

/// Ids are the operation, a colon and ten digits, so they sort by number. `;` follows the colon.
fn of_operation(operation: &str) -> Document {
    doc! { "_id": { "$gte": format!("{operation}:"), "$lt": format!("{operation};") } }
}

fn receipt_id(operation: &str, number: u32) -> String {
    format!("{operation}:{number:010}")
}

/// Not among the ids of batches.
fn counted_id(operation: &str) -> String {
    format!("{operation}#rooms")
}

fn expiry(at: DateTime, lifetime: Duration) -> DateTime {
    let lifetime = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(at.timestamp_millis().saturating_add(lifetime))
}

fn void(operation: &str, epoch: i64, number: u32, lifetime: Duration) -> Document {
    let at = DateTime::now();
    doc! {
        "_id": receipt_id(operation, number),
        "operation": operation,
        "batch": i64::from(number),
        "epoch": epoch,
        "void": true,
        "completed": 0_i64,
        "error": 0_i64,
        "at": at,
        "expires": expiry(at, lifetime),
    }
}
