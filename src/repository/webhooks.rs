//! Ends of operations that are to be told by a webhook, and which of them were.
//!
//! Every end has one record, in a collection of our own, whose `_id` says which it is: whoever finds it first records it,
//! and nobody does a second time. To deliver one, an instance claims it for a while; one that dies meanwhile leaves a
//! claim that runs out.

use std::{collections::HashSet, time::Duration};

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::{
    Collection,
    options::{ReturnDocument, UpdateModifications},
};

use super::{Connection, RepositoryError, error::is_duplicate_key, imports};
use crate::domain::operation::{Operation, State};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_webhooks";
/// The record of the ends that were there before anybody wanted to be told.
const BASELINE_ID: &str = "baseline";
/// Operations that are looked at, the newest first. Older ones were over before.
const LOOKED_AT: i64 = 200;
/// A claim that was left for this long may be taken over. Longer than a delivery may take.
const CLAIM_LIFETIME: Duration = Duration::from_secs(15);

const PENDING: &str = "pending";
const DELIVERED: &str = "delivered";
const GIVEN_UP: &str = "given up";

/// Reads and writes the records of deliveries.
#[derive(Debug, Clone)]
pub struct Webhooks {
    records: Collection<Document>,
    operations: Collection<RawDocumentBuf>,
    /// This instance.
    holder: String,
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ended {
    /// The operation's `_id`.
    pub operation: String,
    pub state: State,
}

impl Ended {
    /// Names this end among all: what the record is called.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", self.operation, self.state.as_str())
    }

    fn of(operation: &Operation) -> Option<Self> {
        let state = operation.state().filter(|state| state.is_end())?;
        Some(Self { operation: operation.id()?.to_owned(), state })
    }
}

/// Something to be delivered, claimed by this instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Always the same for one end.
    pub id: String,
    /// The state that the operation ended in.
    pub event: String,
    pub body: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Since the end was recorded, by the database's clock.
    pub age: Duration,
}

impl Webhooks {
    pub(super) fn over(connection: &Connection) -> Self {
        Self {
            records: connection.collection(COLLECTION),
            operations: connection.collection(imports::COLLECTION),
            holder: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// The ends that are not to be told: those that were there when somebody first wanted to be told, which is now unless
    /// it was before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn baseline(&self) -> Result<HashSet<String>, RepositoryError> {
        if self.records.find_one(doc! { "_id": BASELINE_ID }).await?.is_none() {
            let ended: Vec<String> = self.ended().await?.iter().map(Ended::id).collect();
            match self.records.insert_one(doc! { "_id": BASELINE_ID, "ended": ended }).await {
                Err(error) if !is_duplicate_key(&error) => return Err(error.into()),
                // Another instance may have been faster.
                _ => {}
            }
        }
        let baseline = self.records.find_one(doc! { "_id": BASELINE_ID }).await?.unwrap_or_default();
        let ended = baseline.get_array("ended").map(Vec::as_slice).unwrap_or_default();
        Ok(ended.iter().filter_map(Bson::as_str).map(str::to_owned).collect())
    }

    /// The ends of the newest operations.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ended(&self) -> Result<Vec<Ended>, RepositoryError> {
        let shown = doc! { "status": 1, "valid": 1 };
        let newest = self.operations.find(doc! {}).sort(doc! { "ts": -1 }).limit(LOOKED_AT).projection(shown).await?;
        let newest: Vec<RawDocumentBuf> = newest.try_collect().await?;
        let ended = newest.iter().map(|stored| Ok(Ended::of(&imports::read(stored)?)));
        ended.filter_map(Result::transpose).collect()
    }

    /// Whether this end was found to be told, by whatever instance.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_recorded(&self, ended: &Ended) -> Result<bool, RepositoryError> {
        Ok(self.records.find_one(doc! { "_id": ended.id() }).await?.is_some())
    }

    /// Records that this end is to be told with this body, unless that was recorded before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record(&self, ended: &Ended, body: &str) -> Result<(), RepositoryError> {
        let fresh = doc! {
            "operation": &ended.operation,
            "event": ended.state.as_str(),
            "body": body,
            "state": PENDING,
            "attempts": 0,
            "recordedAt": "$$NOW",
            "dueAt": "$$NOW",
        };
        // What is there already wins.
        let unless_known = doc! { "$replaceWith": { "$mergeObjects": [literal(fresh), "$$ROOT"] } };
        match self.records.update_one(doc! { "_id": ended.id() }, vec![unless_known]).upsert(true).await {
            Err(error) if !is_duplicate_key(&error) => Err(error.into()),
            // Another instance was faster.
            _ => Ok(()),
        }
    }

    /// Claims the oldest delivery that is due, if there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim(&self) -> Result<Option<Delivery>, RepositoryError> {
        let due = doc! { "state": PENDING, "$expr": { "$lte": ["$dueAt", "$$NOW"] } };
        let claim = doc! { "$set": {
            "holder": &self.holder,
            "attempts": { "$add": ["$attempts", 1] },
            "claimedAt": "$$NOW",
            "dueAt": { "$add": ["$$NOW", millis(CLAIM_LIFETIME)] },
        } };
        let claimed = self
            .records
            .find_one_and_update(due, vec![claim])
            .sort(doc! { "recordedAt": 1 })
            .return_document(ReturnDocument::After)
            .await?;
        Ok(claimed.as_ref().and_then(delivery_of))
    }

    /// The delivery, which this instance holds, has arrived.
    ///
    /// # Errors
    /// When the database does not answer. The delivery is then made once more.
    pub async fn delivered(&self, delivery: &Delivery) -> Result<(), RepositoryError> {
        let done = doc! {
            "$set": { "state": DELIVERED, "deliveredAt": bson::DateTime::now() },
            "$unset": { "body": "", "dueAt": "", "holder": "" },
        };
        self.change(delivery, done).await
    }

    /// The delivery, which this instance holds, is to be tried again after this time.
    ///
    /// # Errors
    /// When the database does not answer. It is then tried again when the claim has run out.
    pub async fn try_again(&self, delivery: &Delivery, after: Duration) -> Result<(), RepositoryError> {
        let later = doc! { "$set": { "dueAt": { "$add": ["$$NOW", millis(after)] } } };
        self.change(delivery, vec![later]).await
    }

    /// The delivery, which this instance holds, is not tried any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up(&self, delivery: &Delivery) -> Result<(), RepositoryError> {
        self.change(delivery, doc! { "$set": { "state": GIVEN_UP }, "$unset": { "dueAt": "", "holder": "" } }).await
    }

    async fn change(&self, delivery: &Delivery, change: impl Into<UpdateModifications>) -> Result<(), RepositoryError> {
        let held = doc! { "_id": &delivery.id, "holder": &self.holder, "attempts": delivery.attempt };
        self.records.update_one(held, change).await?;
        Ok(())
    }
}

/// The fields as they are, but for those that are a variable of the database's.
fn literal(fields: Document) -> Document {
    let literal = |value: Bson| match value {
        Bson::String(text) if !text.starts_with("$$") => doc! { "$literal": text }.into(),
        other => other,
    };
    fields.into_iter().map(|(name, value)| (name, literal(value))).collect()
}

fn delivery_of(record: &Document) -> Option<Delivery> {
    let text = |name| record.get_str(name).ok().map(str::to_owned);
    let time = |name| record.get_datetime(name).ok();
    let age = time("claimedAt")?.timestamp_millis().saturating_sub(time("recordedAt")?.timestamp_millis());
    Some(Delivery {
        id: text("_id")?,
        event: text("event")?,
        body: text("body")?,
        attempt: u32::try_from(record.get_i32("attempts").ok()?).ok()?,
        age: Duration::from_millis(u64::try_from(age).unwrap_or_default()),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
