//! Who is running an import: claims and leases.
//!
//! Several instances may stand beside one workspace, and any of them may die. Whoever runs an operation holds a lease on
//! it, in a collection of our own, and renews it while it works; a lease that has run out may be taken over. An operation
//! without a lease is not ours: Rocket.Chat runs it.
//!
//! An instance may be asleep while its lease runs out, wake up and go on writing. What a run writes to its operation is
//! therefore bound to the `_updatedAt` it knows: whoever takes over writes first, and so takes the sleeper's pen away.
//! No transaction is needed for that, and none is used: one that is open when its instance is killed would lock its
//! documents for a minute.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;
use tokio::sync::Mutex;

use super::{Connection, RepositoryError, error::is_duplicate_key, imports};
use crate::domain::{counts::Counts, field_value::Date, progress_step::ProgressStep};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_leases";
/// A lease that was not renewed for this long may be taken over.
const LEASE_LIFETIME: Duration = Duration::from_secs(5);
/// How often a lease should be renewed.
pub const LEASE_RENEWAL_INTERVAL: Duration = Duration::from_secs(1);

/// How often to start over when somebody else keeps changing the operation.
const WRITE_ATTEMPTS: u32 = 5;

/// Reads and writes leases, and the operations under them.
#[derive(Debug, Clone)]
pub struct Runs {
    leases: Collection<Document>,
    operations: Collection<Document>,
    /// This instance.
    holder: String,
}

/// Whether a run was given to this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    Ours,
    /// The operation is not, or no longer, ready to be run.
    Refused,
}

/// How far a run under our lease had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It was claimed and nothing else.
    Claim,
    /// It had found this many users to process.
    Users(u64),
    /// Nowhere: the lease is there, but the claim never took effect. Whoever runs the operation is somebody else.
    Nothing,
}

/// A change to an operation that is being run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    pub step: Option<ProgressStep>,
    pub counts: Option<Counts>,
    /// Users that are there to be processed.
    pub total: Option<u64>,
}

/// What became of a [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Yes,
    /// Another instance holds the lease.
    LeaseLost,
    /// The operation is no longer valid, or gone. Nothing was written.
    Invalidated,
}

/// Whether a change is meant for an operation that may have been invalidated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    ValidOnly,
    AlsoInvalid,
}

impl Runs {
    pub(super) fn over(connection: &Connection) -> Self {
        Self {
            leases: connection.collection(COLLECTION),
            operations: connection.collection(imports::COLLECTION),
            holder: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// Starts the run of the operation `id` for this instance, if it is valid and ready. One atomic change decides, so of
    /// any number of calls at most one succeeds.
    ///
    /// # Errors
    /// When the database does not answer. The run may have been claimed all the same: the lease then runs out, and
    /// whoever takes it over sees whether there is something to run.
    pub async fn claim(&self, id: &str) -> Result<Claim, RepositoryError> {
        // The lease comes first: an operation that is being run without one would be taken for Rocket.Chat's.
        let now = DateTime::now();
        if !self.lease(id, now).await? {
            return Ok(Claim::Refused);
        }
        let ready = doc! { "_id": id, "valid": true, "status": ProgressStep::UserSelection.as_str() };
        let started = doc! { "$set": { "status": ProgressStep::ImportingStarted.as_str(), "_updatedAt": now } };
        if self.operations.update_one(ready, started).await?.matched_count == 1 {
            return Ok(Claim::Ours);
        }
        self.release(id).await?;
        Ok(Claim::Refused)
    }

    /// Takes a new lease, for a claim at this moment. False if somebody holds one.
    async fn lease(&self, id: &str, claimed: DateTime) -> Result<bool, RepositoryError> {
        let fresh = doc! { "_id": id, "holder": { "$exists": false } };
        let claimed = doc! { "$set": { "claimedAt": claimed } };
        let lease = vec![claimed.clone(), held_by(&self.holder)];
        match self.leases.update_one(fresh, lease).upsert(true).await {
            Ok(_) => return Ok(true),
            Err(error) if is_duplicate_key(&error) => {}
            Err(error) => return Err(error.into()),
        }
        // One that has run out was left by a run that is over: what it says of that run is outdated.
        let mut outdated = expired();
        outdated.insert("_id", id);
        let renewal = vec![doc! { "$replaceWith": { "_id": "$_id" } }, claimed, held_by(&self.holder)];
        Ok(self.leases.update_one(outdated, renewal).await?.modified_count == 1)
    }

    /// The run of the operation `id`, to write under this instance's lease.
    #[must_use]
    pub fn held(&self, id: &str) -> HeldRun {
        HeldRun { runs: self.clone(), id: id.to_owned(), known: Mutex::default() }
    }

    /// Takes over the leases that have run out, and says of which operations.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_over_expired(&self) -> Result<Vec<String>, RepositoryError> {
        let candidates: Vec<Document> = self.leases.find(expired()).await?.try_collect().await?;
        let mut taken = Vec::new();
        for candidate in candidates {
            let Ok(id) = candidate.get_str("_id") else { continue };
            let mut still_expired = expired();
            still_expired.insert("_id", id);
            if self.leases.update_one(still_expired, vec![held_by(&self.holder)]).await?.modified_count == 1 {
                taken.push(id.to_owned());
            }
        }
        Ok(taken)
    }

    /// How far the run of the operation `id` had come when it was last left.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reached(&self, id: &str) -> Result<Reached, RepositoryError> {
        let lease = self.leases.find_one(doc! { "_id": id }).await?.unwrap_or_default();
        let total = match lease.get("total") {
            Some(Bson::Int32(total)) => u64::try_from(*total).ok(),
            Some(Bson::Int64(total)) => u64::try_from(*total).ok(),
            _ => None,
        };
        if let Some(total) = total {
            return Ok(Reached::Users(total));
        }
        // The claim and nothing after it wrote this moment to the operation.
        let claimed = doc! { "_id": id, "_updatedAt": lease.get("claimedAt").cloned().unwrap_or(Bson::Null) };
        let took_effect = self.operations.find_one(claimed).await?.is_some();
        Ok(if took_effect { Reached::Claim } else { Reached::Nothing })
    }

    /// Whether an instance of this service has a run of the operation `id` in hand, or left one behind.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_leased(&self, id: &str) -> Result<bool, RepositoryError> {
        Ok(self.leases.find_one(doc! { "_id": id }).await?.is_some())
    }

    /// When the run of the operation `id` began, as long as an instance of this service holds a lease on it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn began(&self, id: &str) -> Result<Option<Date>, RepositoryError> {
        let lease = self.leases.find_one(doc! { "_id": id }).await?;
        let claimed = lease.and_then(|lease| lease.get_datetime("claimedAt").ok().copied());
        Ok(claimed.map(|claimed| Date::from_epoch_millis(claimed.timestamp_millis())))
    }

    /// Keeps how many users there are to be processed, for whoever goes on with the run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_total(&self, id: &str, total: u64) -> Result<(), RepositoryError> {
        let ours = doc! { "_id": id, "holder": &self.holder };
        self.leases.update_one(ours, doc! { "$set": { "total": counter(total) } }).await?;
        Ok(())
    }

    /// Renews the lease on the operation `id`. False if another instance holds it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew(&self, id: &str) -> Result<bool, RepositoryError> {
        let ours = doc! { "_id": id, "holder": &self.holder };
        Ok(self.leases.update_one(ours, vec![held_by(&self.holder)]).await?.matched_count == 1)
    }

    /// Whether this instance holds a lease on any operation now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn holds_any_lease(&self) -> Result<bool, RepositoryError> {
        let held = doc! { "holder": &self.holder, "$expr": { "$gte": ["$until", "$$NOW"] } };
        Ok(self.leases.find_one(held).await?.is_some())
    }

    /// Ends the lease: the run is over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(&self, id: &str) -> Result<(), RepositoryError> {
        self.leases.delete_one(doc! { "_id": id, "holder": &self.holder }).await?;
        Ok(())
    }

    /// Lets the lease run out at once: the run is not over, but this instance will not go on with it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hand_over(&self, id: &str) -> Result<(), RepositoryError> {
        let ours = doc! { "_id": id, "holder": &self.holder };
        self.leases.update_one(ours, doc! { "$set": { "until": DateTime::from_millis(0) } }).await?;
        Ok(())
    }
}

/// A run under this instance's lease.
#[derive(Debug)]
pub struct HeldRun {
    runs: Runs,
    id: String,
    /// The operation's `_updatedAt` as this instance last wrote it or, holding the lease, read it.
    known: Mutex<Option<Bson>>,
}

impl HeldRun {
    /// Changes the operation, stored by a majority, if the lease is still ours.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write(&self, change: Change, target: Target) -> Result<Written, RepositoryError> {
        let mut known = self.known.lock().await;
        for _ in 0..WRITE_ATTEMPTS {
            // Forgotten until it is known again, also when this ends with an error.
            let version = match known.take() {
                Some(version) => version,
                None => match self.look(target).await? {
                    Ok(version) => version,
                    Err(refusal) => return Ok(refusal),
                },
            };
            let now = later_than(&version);
            let mut operation = doc! { "_id": &self.id, "_updatedAt": version };
            if target == Target::ValidOnly {
                operation.insert("valid", true);
            }
            let mut fields = fields_of(change);
            fields.insert("_updatedAt", now);
            let written = self.runs.operations.update_one(operation, doc! { "$set": fields }).await?;
            if written.matched_count == 1 {
                *known = Some(Bson::DateTime(now));
                return Ok(Written::Yes);
            }
        }
        Err(RepositoryError::TimedOut)
    }

    /// Reads the operation's version and then makes sure that the lease is ours: the other way round, a successor could
    /// have written in between.
    async fn look(&self, target: Target) -> Result<Result<Bson, Written>, RepositoryError> {
        let shown = doc! { "_updatedAt": 1, "valid": 1 };
        let Some(operation) = self.runs.operations.find_one(doc! { "_id": &self.id }).projection(shown).await? else {
            return Ok(Err(Written::Invalidated));
        };
        if target == Target::ValidOnly && operation.get("valid") != Some(&Bson::Boolean(true)) {
            return Ok(Err(Written::Invalidated));
        }
        if !self.runs.renew(&self.id).await? {
            return Ok(Err(Written::LeaseLost));
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

/// A lease that counts from now, by the database's clock: instances need not agree on the time.
fn held_by(holder: &str) -> Document {
    let lifetime = i64::try_from(LEASE_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    doc! { "$set": { "holder": holder, "until": { "$add": ["$$NOW", lifetime] } } }
}

fn expired() -> Document {
    doc! { "$expr": { "$lt": ["$until", "$$NOW"] } }
}

fn fields_of(change: Change) -> Document {
    let mut fields = Document::new();
    if let Some(step) = change.step {
        fields.insert("status", step.as_str());
    }
    if let Some(counts) = change.counts {
        fields.insert("count.completed", counter(counts.completed));
        fields.insert("count.error", counter(counts.error));
    }
    if let Some(total) = change.total {
        fields.insert("count.total", counter(total));
        fields.insert("count.users", counter(total));
    }
    fields
}

fn counter(value: u64) -> Bson {
    imports::number(i64::try_from(value).unwrap_or(i64::MAX))
}
