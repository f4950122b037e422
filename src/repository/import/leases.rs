//! Leases: who is running an operation.
//!
//! Several instances may stand beside one workspace, and any of them may die. The instance that runs an operation holds a
//! lease on it, in a collection of our own, and renews it while it works; a lease that has run out may be taken over. An
//! operation without a lease is not ours: Rocket.Chat runs it.
//!
//! Each acquisition of a lease has an *epoch*, a number that grows. Every write to a lease names the epoch, so a holder that
//! slept through the loss of its lease notices it. No transaction is needed for that, and none is used: one that is open
//! when its instance is killed would lock its documents for a minute.
//!
//! The release before this one kept its leases in another collection and had no epochs and no receipts. A lease that is
//! found there expired becomes one of today's, with what that release had counted.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::{Collection, options::ReturnDocument};

use crate::{
    domain::{
        counts::Counts,
        field_value::Date,
        matching::Rules,
        operation::Operation,
        pace::Pace,
        progress_step::ProgressStep,
        stalled::{Runner, Stalled},
    },
    repository::{
        Connection, RepositoryError,
        bson::numbers::{signed, unsigned},
        connection::error::is_duplicate_key,
        import::{operations, stored_rules},
    },
};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_run_leases";
/// The leases of the release before. Nothing is added there.
const OLD_COLLECTION: &str = "rocketchat_import_service_leases";
/// A lease that was not renewed for this long may be taken over.
pub(crate) const LEASE_LIFETIME: Duration = Duration::from_secs(5);
/// How often a lease should be renewed.
pub(crate) const LEASE_RENEWAL_INTERVAL: Duration = Duration::from_secs(1);

/// Reads and writes leases.
#[derive(Debug, Clone)]
pub struct Leases {
    current: Collection<Document>,
    old: Collection<Document>,
    pub(super) operations: Collection<Document>,
    /// This instance.
    holder: String,
}

/// One acquisition of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub operation: String,
    /// Greater than those of all acquisitions before.
    pub epoch: i64,
}

/// What an operation is claimed with.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub rules: Rules,
    /// The id of the selection; `None` for everything.
    pub selection: Option<&'a str>,
    /// How fast the call lets it run.
    pub pace: Option<Pace>,
}

impl From<Rules> for Terms<'_> {
    fn from(rules: Rules) -> Self {
        Self { rules, selection: None, pace: None }
    }
}

/// Whether a run was given to this instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    Ours(Lease),
    /// The operation is not, or no longer, at the step it is to be claimed at.
    Refused,
    /// The operation is there to be claimed, but a claim of another instance is under way or has died.
    Held,
}

/// How far the run under a lease had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// It was claimed and nothing else.
    Claimed,
    /// Its records are adopted and counted.
    Counted(RunStart),
    /// Nowhere: the lease is there, but the claim never took effect. Somebody else may be running the operation.
    Nothing,
}

/// What a run begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunStart {
    /// Records that the run is to process, from its very beginning.
    pub total: u64,
    /// Records that a release without receipts had completed.
    pub completed_before: u64,
    /// Whether records with a reason have failed in this run already.
    pub keeps_failures: bool,
}

impl RunStart {
    /// The counts that no receipt holds.
    pub const fn counts_before(self) -> Counts {
        Counts { completed: self.completed_before, error: 0 }
    }
}

impl Leases {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            current: connection.collection(COLLECTION),
            old: connection.collection(OLD_COLLECTION),
            operations: connection.collection(operations::COLLECTION),
            holder: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// Moves a valid operation from one step to another, has it name the terms, and takes the lease on it. One atomic change
    /// decides, so of any number of calls at most one succeeds.
    ///
    /// # Errors
    /// The operation may have been claimed all the same: the lease then runs out, and the instance that takes it over sees
    /// whether there is something to run.
    pub async fn claim(
        &self,
        id: &str,
        root: &str,
        from: ProgressStep,
        to: ProgressStep,
        terms: Terms<'_>,
    ) -> Result<Claim, RepositoryError> {
        let Terms { rules, selection, pace } = terms;
        let ready = doc! { "_id": id, "valid": true, "status": from.as_str() };
        // The lease comes first: an operation that is being run without one would be taken for Rocket.Chat's.
        let now = DateTime::now();
        let Some(lease) = self.acquire_new(id, root, now, rules).await? else {
            let is_ready = self.operations.find_one(ready).await?.is_some();
            return Ok(if is_ready { Claim::Held } else { Claim::Refused });
        };
        let mut started = doc! { "status": to.as_str(), "_updatedAt": now };
        if let Some(selection) = selection {
            started.insert("import.selection", selection);
        }
        if let Some(pace) = pace {
            started.insert("import.pace", i64::from(pace.records_per_second()));
        }
        if to == ProgressStep::ImportingStarted && ![Rules::of_api(), Rules::of_files()].contains(&rules) {
            // For the operation that goes on with this one.
            started.insert("import.rules", stored_rules::document_of(rules));
        }
        if self.operations.update_one(ready, doc! { "$set": started }).await?.matched_count == 1 {
            return Ok(Claim::Ours(lease));
        }
        self.release(&lease).await?;
        Ok(Claim::Refused)
    }

    /// Takes a lease for a claim at this moment. `None` if somebody holds one.
    async fn acquire_new(
        &self,
        id: &str,
        root: &str,
        claimed: DateTime,
        rules: Rules,
    ) -> Result<Option<Lease>, RepositoryError> {
        let fresh = doc! { "_id": id, "holder": { "$exists": false } };
        let rules = stored_rules::document_of(rules);
        let begin = doc! { "$set": { "root": root, "claimedAt": claimed, "rules": rules } };
        let acquire = vec![begin.clone(), self.acquisition()];
        let lease =
            self.current.find_one_and_update(fresh, acquire).upsert(true).return_document(ReturnDocument::After);
        match lease.await {
            Ok(lease) => return Ok(lease.as_ref().and_then(lease_of)),
            Err(error) if is_duplicate_key(&error) => {}
            Err(error) => return Err(error.into()),
        }
        // One that has run out was left by a run that is over: its checkpoint is outdated.
        let mut outdated = expired();
        outdated.insert("_id", id);
        let acquire = vec![doc! { "$replaceWith": { "_id": "$_id", "epoch": "$epoch" } }, begin, self.acquisition()];
        let lease = self.current.find_one_and_update(outdated, acquire).return_document(ReturnDocument::After);
        Ok(lease.await?.as_ref().and_then(lease_of))
    }

    /// Takes over the leases that have run out.
    ///
    /// # Errors
    /// Some may have been taken all the same; they run out again.
    pub async fn take_over_expired(&self) -> Result<Vec<Lease>, RepositoryError> {
        self.adopt_old_leases().await?;
        let candidates: Vec<Document> = self.current.find(expired()).await?.try_collect().await?;
        let mut taken = Vec::new();
        for candidate in candidates {
            let Some(id) = candidate.get("_id") else { continue };
            let mut still_expired = expired();
            still_expired.insert("_id", id);
            let lease = self.current.find_one_and_update(still_expired, vec![self.acquisition()]);
            taken.extend(lease.return_document(ReturnDocument::After).await?.as_ref().and_then(lease_of));
        }
        Ok(taken)
    }

    /// Makes today's leases, expired ones, of those of the release before that have run out.
    async fn adopt_old_leases(&self) -> Result<(), RepositoryError> {
        let candidates: Vec<Document> = self.old.find(expired()).await?.try_collect().await?;
        for candidate in candidates {
            let Ok(id) = candidate.get_str("_id") else { continue };
            let mut still_expired = expired();
            still_expired.insert("_id", id);
            // Held in our name meanwhile, so that no instance of the release before takes it.
            if self.old.update_one(still_expired, vec![held_by(&self.holder)]).await?.modified_count == 0 {
                continue;
            }
            let mut lease = doc! {
                "_id": id,
                "root": id,
                "epoch": 0_i64,
                "holder": &self.holder,
                "until": DateTime::from_millis(0),
                "claimedAt": candidate.get("claimedAt").cloned().unwrap_or(Bson::Null),
            };
            if let Some(total) = candidate.get("total") {
                lease.insert("oldTotal", total.clone());
            }
            match self.current.insert_one(lease).await {
                Err(error) if !is_duplicate_key(&error) => return Err(error.into()),
                _ => {}
            }
            self.old.delete_one(doc! { "_id": id }).await?;
        }
        Ok(())
    }

    /// How far the run under the lease had come when it was last left; the total of a release without receipts, if it left
    /// one.
    pub async fn checkpoint(&self, lease: &Lease) -> Result<(Checkpoint, Option<u64>), RepositoryError> {
        let stored = self.current.find_one(doc! { "_id": &lease.operation }).await?.unwrap_or_default();
        if let Ok(checkpoint) = stored.get_document("checkpoint") {
            return Ok((Checkpoint::Counted(run_start(checkpoint)), None));
        }
        if let Some(total) = stored.get("oldTotal") {
            return Ok((Checkpoint::Claimed, Some(unsigned(Some(total)))));
        }
        // The claim and nothing after it wrote this moment to the operation.
        let claimed = stored.get("claimedAt").cloned().unwrap_or(Bson::Null);
        let took_effect = doc! { "_id": &lease.operation, "_updatedAt": claimed };
        let took_effect = self.operations.find_one(took_effect).await?.is_some();
        Ok((if took_effect { Checkpoint::Claimed } else { Checkpoint::Nothing }, None))
    }

    /// The rules of the run under the lease; those of Rocket.Chat's API if a release without rules began it.
    pub async fn rules(&self, lease: &Lease) -> Result<Rules, RepositoryError> {
        let stored = self.current.find_one(doc! { "_id": &lease.operation }).await?.unwrap_or_default();
        Ok(stored.get_document("rules").map_or_else(|_| Rules::of_api(), stored_rules::rules_of))
    }

    /// Stores what the run begins with, for the instance that goes on with it. False if the lease is lost.
    pub async fn store_start(&self, lease: &Lease, start: RunStart) -> Result<bool, RepositoryError> {
        let checkpoint = doc! {
            "total": signed(start.total),
            "completedBefore": signed(start.completed_before),
            "keepsFailures": start.keeps_failures,
        };
        let stored = self.current.update_one(held(lease), doc! { "$set": { "checkpoint": checkpoint } }).await?;
        Ok(stored.matched_count == 1)
    }

    /// Renews the lease. False if another acquisition has followed it.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, RepositoryError> {
        Ok(self.current.update_one(held(lease), vec![held_by(&self.holder)]).await?.matched_count == 1)
    }

    /// Ends the lease: the run is over.
    pub async fn release(&self, lease: &Lease) -> Result<(), RepositoryError> {
        self.current.delete_one(held(lease)).await?;
        Ok(())
    }

    /// Lets the lease run out at once: the run is not over, but this instance does not go on with it.
    pub async fn expire_now(&self, lease: &Lease) -> Result<(), RepositoryError> {
        self.current.update_one(held(lease), doc! { "$set": { "until": DateTime::from_millis(0) } }).await?;
        Ok(())
    }

    /// Whether an instance of this service has a run of the operation in hand, or left one behind.
    pub async fn is_leased(&self, id: &str) -> Result<bool, RepositoryError> {
        Ok(self.find(id).await?.is_some())
    }

    /// For how long nothing has moved in the operation, and in whose hands; `None` for one that moved lately or need not
    /// move.
    pub async fn stalled(&self, operation: &Operation, now: Date) -> Result<Option<Stalled>, RepositoryError> {
        let Some(since) = Stalled::since(operation, now) else { return Ok(None) };
        let is_ours = operation.fetches() || operation.file_source().is_some();
        let is_leased = match operation.id() {
            Some(id) if !is_ours => self.is_leased(id).await?,
            _ => is_ours,
        };
        let runner = if is_leased { Runner::Service } else { Runner::RocketChat };
        Ok(Some(Stalled::new(since, now, runner)))
    }

    /// When the run of the operation began, as long as an instance of this service holds a lease on it.
    pub async fn began(&self, id: &str) -> Result<Option<Date>, RepositoryError> {
        let claimed = self.find(id).await?.and_then(|lease| lease.get_datetime("claimedAt").ok().copied());
        Ok(claimed.map(|claimed| Date::from_epoch_millis(claimed.timestamp_millis())))
    }

    async fn find(&self, id: &str) -> Result<Option<Document>, RepositoryError> {
        match self.current.find_one(doc! { "_id": id }).await? {
            Some(lease) => Ok(Some(lease)),
            None => Ok(self.old.find_one(doc! { "_id": id }).await?),
        }
    }

    /// Whether this instance holds a lease on any operation now.
    pub async fn holds_any_lease(&self) -> Result<bool, RepositoryError> {
        let mut held = unexpired();
        held.insert("holder", &self.holder);
        Ok(self.current.find_one(held).await?.is_some())
    }

    /// Whether a run over one of these roots has batches on its way, or may have.
    pub async fn is_any_running(&self, roots: &[String]) -> Result<bool, RepositoryError> {
        let (mut ours, mut old) = (unexpired(), unexpired());
        ours.insert("root", doc! { "$in": roots });
        old.insert("_id", doc! { "$in": roots });
        Ok(self.current.find_one(ours).await?.is_some() || self.old.find_one(old).await?.is_some())
    }

    /// Whether a run over the root is not wholly over: its lease is there, expired or not.
    pub async fn concern(&self, root: &str) -> Result<bool, RepositoryError> {
        let ours = self.current.find_one(doc! { "root": root }).await?;
        Ok(ours.is_some() || self.old.find_one(doc! { "_id": root }).await?.is_some())
    }

    /// A lease of this instance with a new epoch that counts from now, by the database's clock: instances need not agree
    /// on the time.
    fn acquisition(&self) -> Document {
        let next = doc! { "$add": [{ "$ifNull": ["$epoch", 0_i64] }, 1_i64] };
        let mut acquisition = held_by(&self.holder);
        if let Ok(fields) = acquisition.get_document_mut("$set") {
            fields.insert("epoch", doc! { "$max": [next, { "$toLong": "$$NOW" }] });
        }
        acquisition
    }
}

/// The condition that the lease is still the acquisition it was.
fn held(lease: &Lease) -> Document {
    doc! { "_id": &lease.operation, "epoch": lease.epoch }
}

fn held_by(holder: &str) -> Document {
    let lifetime = i64::try_from(LEASE_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    doc! { "$set": { "holder": holder, "until": { "$add": ["$$NOW", lifetime] } } }
}

fn expired() -> Document {
    doc! { "$expr": { "$lt": ["$until", "$$NOW"] } }
}

fn unexpired() -> Document {
    doc! { "$expr": { "$gte": ["$until", "$$NOW"] } }
}

fn lease_of(stored: &Document) -> Option<Lease> {
    Some(Lease { operation: stored.get_str("_id").ok()?.to_owned(), epoch: stored.get_i64("epoch").ok()? })
}

fn run_start(checkpoint: &Document) -> RunStart {
    RunStart {
        total: unsigned(checkpoint.get("total")),
        completed_before: unsigned(checkpoint.get("completedBefore")),
        keeps_failures: checkpoint.get_bool("keepsFailures").unwrap_or_default(),
    }
}
