//! Changes to an operation under a lease.
//!
//! An instance may be asleep while its lease runs out, wake up and go on writing. So every change is bound to the
//! `_updatedAt` that the holder knows: a successor writes first, and the old holder's next write no longer matches.

use bson::{Bson, DateTime, Document, doc};
use tokio::sync::Mutex;

use super::leases::{Lease, Leases};
use crate::{
    domain::{counts::Counts, loading::StagedCounts, progress_step::ProgressStep, record_type::RecordType},
    repository::{RepositoryError, bson::numbers::smallest},
};

/// How often to start over when somebody else keeps changing the operation.
const WRITE_ATTEMPTS: u32 = 5;

/// An operation under this instance's lease.
#[derive(Debug)]
pub struct LeasedOperation {
    leases: Leases,
    lease: Lease,
    /// The operation's `_updatedAt` as this instance last wrote it or, holding the lease, read it.
    known: Mutex<Option<Bson>>,
}

/// A change to an operation that is being run.
#[derive(Debug, Clone, Default)]
pub struct OperationUpdate {
    pub step: Option<ProgressStep>,
    pub counts: Option<Counts>,
    /// How many records the run processes.
    pub total: Option<u64>,
    /// Why the operation failed, for people to read.
    pub problem: Option<String>,
    /// The records that its file gave so far.
    pub staged: Option<StagedCounts>,
    pub messages_status: Option<MessagesStatus>,
    /// Whether its file is staged to the end from now on.
    pub is_loaded: bool,
    /// The bytes that were fetched.
    pub fetched: Option<FetchedBytes>,
}

impl OperationUpdate {
    /// The operation has failed.
    #[must_use]
    pub fn failure(problem: &str) -> Self {
        Self { step: Some(ProgressStep::Failed), problem: Some(problem.to_owned()), ..Self::default() }
    }
}

/// Bytes that an operation fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchedBytes {
    pub done: u64,
    /// The bytes of all files together, as far as their source gives them.
    pub total: u64,
}

/// The file of messages that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessagesStatus {
    File(String),
    /// All of them have been read.
    NoFile,
}

/// What became of an [`OperationUpdate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    Written,
    /// Another instance holds the lease.
    LeaseLost,
    /// The operation is no longer valid, or gone. Nothing was written.
    Invalidated,
}

/// What to do with an operation that is no longer valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfInvalid {
    Refuse,
    WriteAnyway,
}

impl LeasedOperation {
    /// Access to the operation under the lease.
    #[must_use]
    pub fn new(leases: Leases, lease: Lease) -> Self {
        Self { leases, lease, known: Mutex::default() }
    }

    /// Changes the operation, stored by a majority, if the lease is still ours.
    ///
    /// # Errors
    /// The change may have been made all the same.
    pub async fn write(
        &self,
        update: &OperationUpdate,
        if_invalid: IfInvalid,
    ) -> Result<WriteOutcome, RepositoryError> {
        let mut known = self.known.lock().await;
        for _ in 0..WRITE_ATTEMPTS {
            // Forgotten until it is known again, also when this ends with an error.
            let version = match known.take() {
                Some(version) => version,
                None => match self.version(if_invalid).await? {
                    Ok(version) => version,
                    Err(refusal) => return Ok(refusal),
                },
            };
            let now = later_than(&version);
            let mut operation = doc! { "_id": &self.lease.operation, "_updatedAt": version };
            if if_invalid == IfInvalid::Refuse {
                operation.insert("valid", true);
            }
            let mut fields = fields_of(update);
            fields.insert("_updatedAt", now);
            let written = self.leases.operations.update_one(operation, doc! { "$set": fields }).await?;
            if written.matched_count == 1 {
                *known = Some(Bson::DateTime(now));
                return Ok(WriteOutcome::Written);
            }
        }
        Err(RepositoryError::TimedOut)
    }

    /// Reads the operation's version and then makes sure that the lease is ours: the other way round, a successor could
    /// have written in between.
    async fn version(&self, if_invalid: IfInvalid) -> Result<Result<Bson, WriteOutcome>, RepositoryError> {
        let shown = doc! { "_updatedAt": 1, "valid": 1 };
        let operation = self.leases.operations.find_one(doc! { "_id": &self.lease.operation }).projection(shown);
        let Some(operation) = operation.await? else { return Ok(Err(WriteOutcome::Invalidated)) };
        if if_invalid == IfInvalid::Refuse && operation.get("valid") != Some(&Bson::Boolean(true)) {
            return Ok(Err(WriteOutcome::Invalidated));
        }
        if !self.leases.renew(&self.lease).await? {
            return Ok(Err(WriteOutcome::LeaseLost));
        }
        Ok(Ok(operation.get("_updatedAt").cloned().unwrap_or(Bson::Null)))
    }
}

/// Now, but at least a millisecond after the last change: no two changes may look the same.
fn later_than(version: &Bson) -> DateTime {
    let now = DateTime::now();
    match version {
        Bson::DateTime(last) if *last >= now => DateTime::from_millis(last.timestamp_millis() + 1),
        _ => now,
    }
}

fn fields_of(update: &OperationUpdate) -> Document {
    let mut fields = Document::new();
    if let Some(step) = update.step {
        fields.insert("status", step.as_str());
    }
    if let Some(counts) = update.counts {
        fields.insert("count.completed", smallest(counts.completed));
        fields.insert("count.error", smallest(counts.error));
    }
    if let Some(total) = update.total {
        fields.insert("count.total", smallest(total));
    }
    if let Some(problem) = &update.problem {
        fields.insert("import.problem", problem);
    }
    if let Some(staged) = update.staged {
        fields.insert("count.total", smallest(staged.total()));
        for kind in RecordType::ALL.into_iter().filter(|kind| staged.of(*kind) > 0) {
            fields.insert(format!("count.{}", count_name(kind)), smallest(staged.of(kind)));
        }
    }
    if let Some(messages_status) = &update.messages_status {
        let name = match messages_status {
            MessagesStatus::File(name) => Some(name.as_str()),
            MessagesStatus::NoFile => None,
        };
        fields.insert("messagesstatus", name);
    }
    if let Some(FetchedBytes { done, total }) = update.fetched {
        fields.insert("import.bytes", smallest(done));
        fields.insert("import.bytesTotal", smallest(total.max(done)));
    }
    if update.is_loaded {
        fields.insert("import.loaded", true);
    }
    fields
}

/// The name of the number of these records in `count`.
pub(super) const fn count_name(kind: RecordType) -> &'static str {
    match kind {
        RecordType::User => "users",
        RecordType::Contact => "contacts",
        RecordType::Channel => "channels",
        // Rocket.Chat counts what it fetches there, too.
        RecordType::Message | RecordType::File | RecordType::Avatar => "messages",
    }
}
