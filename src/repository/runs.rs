//! Who is running an import: claims and leases.
//!
//! Several instances may stand beside one workspace, and any of them may die. Whoever runs an operation holds a lease on
//! it, in a collection of our own, and renews it while it works; a lease that has run out may be taken over. An operation
//! without a lease is not ours: Rocket.Chat runs it.
//!
//! What a run writes to its operation it writes together with its lease, in one transaction. So an instance that was
//! asleep while its lease ran out cannot overwrite what its successor wrote.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::{ClientSession, Collection, error::Error as DriverError};

use super::{Connection, RepositoryError, imports};
use crate::domain::{counts::Counts, progress_step::ProgressStep};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_leases";
/// A lease that was not renewed for this long may be taken over.
const LEASE_LIFETIME: Duration = Duration::from_secs(5);
/// How often a lease should be renewed.
pub const LEASE_RENEWAL_INTERVAL: Duration = Duration::from_secs(1);

/// Reads and writes leases, and the operations under them.
#[derive(Debug, Clone)]
pub struct Runs {
    connection: Connection,
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
            connection: connection.clone(),
            leases: connection.collection(COLLECTION),
            operations: connection.collection(imports::COLLECTION),
            holder: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// Starts the run of the operation `id` for this instance, if it is valid and ready: one atomic change, so of any
    /// number of calls at most one succeeds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim(&self, id: &str) -> Result<Claim, RepositoryError> {
        let ready = doc! { "_id": id, "valid": true, "status": ProgressStep::UserSelection.as_str() };
        let (runs, id) = (self.clone(), id.to_owned());
        let result = self
            .connection
            .transaction(async move |session| {
                let started = doc! {
                    "$set": { "status": ProgressStep::ImportingStarted.as_str(), "_updatedAt": DateTime::now() },
                };
                let changed = runs.operations.update_one(ready.clone(), started).session(&mut *session).await?;
                if changed.matched_count == 0 {
                    return Err(DriverError::custom(Claim::Refused));
                }
                // One that is there is left over from a run that was never cleaned up after: its total is outdated.
                runs.leases.delete_one(doc! { "_id": &id }).session(&mut *session).await?;
                runs.leases
                    .update_one(doc! { "_id": &id }, vec![held_by(&runs.holder)])
                    .upsert(true)
                    .session(&mut *session)
                    .await?;
                Ok(())
            })
            .await;
        match result {
            Ok(()) => Ok(Claim::Ours),
            Err(error) if error.get_custom::<Claim>().is_some() => Ok(Claim::Refused),
            Err(error) => Err(error.into()),
        }
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

    /// How many users the run found when it began; `None` if it had not got that far.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn total(&self, id: &str) -> Result<Option<u64>, RepositoryError> {
        let lease = self.leases.find_one(doc! { "_id": id }).await?;
        let total = lease.and_then(|lease| match lease.get("total") {
            Some(Bson::Int32(total)) => u64::try_from(*total).ok(),
            Some(Bson::Int64(total)) => u64::try_from(*total).ok(),
            _ => None,
        });
        Ok(total)
    }

    /// Renews the lease on the operation `id` and changes the operation, both or neither, stored by a majority.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write(&self, id: &str, change: Change, target: Target) -> Result<Written, RepositoryError> {
        let (runs, id) = (self.clone(), id.to_owned());
        let result =
            self.connection.transaction(async move |session| runs.write_in(session, &id, change, target).await);
        match result.await {
            Ok(()) => Ok(Written::Yes),
            Err(error) => error.get_custom::<Written>().copied().ok_or_else(|| error.into()),
        }
    }

    async fn write_in(
        &self,
        session: &mut ClientSession,
        id: &str,
        change: Change,
        target: Target,
    ) -> mongodb::error::Result<()> {
        let mut lease = held_by(&self.holder);
        if let (Ok(set), Some(total)) = (lease.get_document_mut("$set"), change.total) {
            set.insert("total", counter(total));
        }
        let ours = doc! { "_id": id, "holder": &self.holder };
        if self.leases.update_one(ours, vec![lease]).session(&mut *session).await?.matched_count == 0 {
            return Err(DriverError::custom(Written::LeaseLost));
        }
        let mut operation = doc! { "_id": id };
        if target == Target::ValidOnly {
            operation.insert("valid", true);
        }
        let update = doc! { "$set": fields_of(change) };
        if self.operations.update_one(operation, update).session(&mut *session).await?.matched_count == 0 {
            return Err(DriverError::custom(Written::Invalidated));
        }
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
    fields.insert("_updatedAt", DateTime::now());
    fields
}

fn counter(value: u64) -> Bson {
    imports::number(i64::try_from(value).unwrap_or(i64::MAX))
}
