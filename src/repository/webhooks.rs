//! Ends of operations that a webhook is to report, and which of them it did.
//!
//! Every end has one record, in a collection of our own, whose `_id` says which it is: the instance that finds it first records it,
//! and nobody does a second time. To deliver one, an instance claims it for a while; one that dies meanwhile leaves a
//! claim that runs out.

use std::{collections::HashSet, time::Duration};

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::{
    Collection,
    options::{ReadConcern, ReturnDocument, UpdateModifications},
};

use crate::{
    domain::{
        operation::{Operation, State},
        progress_step::ProgressStep,
    },
    repository::{Connection, RepositoryError, connection::error::is_duplicate_key, import::operations},
};

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_webhooks";
/// The record of the ends that were there before anybody wanted reports.
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

/// What there is to report of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum News {
    /// Its file is loaded, and somebody may choose and start.
    Ready,
    /// Its file cannot be loaded.
    FailedToLoad,
    /// It is over.
    Ended(State),
}

impl News {
    fn of(operation: &Operation) -> Option<Self> {
        let of_file = operation.file_source().is_some();
        match operation.state()? {
            State::Ready if of_file => Some(Self::Ready),
            State::Error if of_file && operation.step() == Some(ProgressStep::Failed) && !operation.is_loaded() => {
                Some(Self::FailedToLoad)
            }
            state => Some(Self::Ended(state)).filter(|_| state.is_end()),
        }
    }

    /// The word for the receiver.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::FailedToLoad => "failed-to-load",
            Self::Ended(state) => state.as_str(),
        }
    }
}

/// The end of an operation, or of the loading of its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndedImport {
    /// The operation's `_id`.
    pub operation: String,
    pub news: News,
}

impl EndedImport {
    /// Names this end among all: what the record is called.
    pub fn id(&self) -> String {
        format!("{}:{}", self.operation, self.news.as_str())
    }

    /// What there is to report of the operation as it is now.
    #[must_use]
    pub fn of(operation: &Operation) -> Option<Self> {
        Some(Self { operation: operation.id()?.to_owned(), news: News::of(operation)? })
    }
}

/// An operation that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableOperation {
    /// Its `_id`, as far as that can be read.
    pub operation: String,
    pub reason: String,
}

/// The newest operations, as far as they are over.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    pub ended: Vec<EndedImport>,
    pub unreadable: Vec<UnreadableOperation>,
}

/// Something to be delivered, claimed by this instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Always the same for one end.
    pub id: String,
    /// The state that the operation ended in, or the end of its loading.
    pub event: String,
    pub body: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Since the end was recorded, by the database's clock.
    pub age: Duration,
}

impl Webhooks {
    pub(super) fn new(connection: &Connection) -> Self {
        Self {
            records: connection.collection(COLLECTION),
            operations: connection.collection(operations::COLLECTION),
            holder: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// The ends that are not to be reported: those that were there when reports were first wanted, which is now unless
    /// it was before.
    pub async fn baseline(&self) -> Result<HashSet<String>, RepositoryError> {
        if self.records.find_one(doc! { "_id": BASELINE_ID }).await?.is_none() {
            let ended: Vec<String> = self.ended().await?.ended.iter().map(EndedImport::id).collect();
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

    /// The ends of the newest operations. A majority has stored them: one that is reported is not taken back.
    pub async fn ended(&self) -> Result<Ends, RepositoryError> {
        let shown = doc! { "status": 1, "valid": 1, "import": 1 };
        let newest = self.operations.find(doc! {}).sort(doc! { "ts": -1 }).limit(LOOKED_AT).projection(shown);
        let newest: Vec<RawDocumentBuf> = newest.read_concern(ReadConcern::majority()).await?.try_collect().await?;
        let mut ends = Ends::default();
        for stored in &newest {
            match operations::read(stored) {
                Ok(operation) => ends.ended.extend(EndedImport::of(&operation)),
                Err(error) => {
                    let operation = stored.get_str("_id").unwrap_or_default().to_owned();
                    ends.unreadable.push(UnreadableOperation { operation, reason: error.to_string() });
                }
            }
        }
        Ok(ends)
    }

    /// The operation as a majority has stored it.
    ///
    /// # Errors
    /// When the database does not answer, or the document cannot be read.
    pub async fn operation(&self, id: &str) -> Result<Option<Operation>, RepositoryError> {
        let stored = self.operations.find_one(doc! { "_id": id }).read_concern(ReadConcern::majority()).await?;
        stored.as_ref().map(operations::read).transpose()
    }

    /// Whether an instance has found that this end is to be reported.
    pub async fn is_recorded(&self, ended: &EndedImport) -> Result<bool, RepositoryError> {
        Ok(self.records.find_one(doc! { "_id": ended.id() }).await?.is_some())
    }

    /// Records that this end is to be reported with this body, unless that was recorded before.
    pub async fn record(&self, ended: &EndedImport, body: &str) -> Result<(), RepositoryError> {
        let fresh = doc! {
            "operation": &ended.operation,
            "event": ended.news.as_str(),
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
