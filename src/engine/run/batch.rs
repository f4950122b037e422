//! A batch of staged records on its way: stored, failures marked, and its receipt written.
//!
//! The receipt comes last, after a majority has the results. A batch that dies before has no receipt and is run again, which
//! meets its own documents.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::room_receipts::RoomReceipts;
use crate::{
    domain::{
        counts::Counts,
        field_value::Date,
        receipt::{Outcome, Outcomes},
        record_type::RecordType,
    },
    engine::{
        attempts::Stop,
        convert::{BatchPlan, Converter, EarlierPlans, Identity, StoreError, Stored, UniqueValue},
    },
    repository::{
        BatchReceipt, JoinedRoom, Lease, PlannedBatch, ReceiptOutcome, RecordReceipt, Repositories, RepositoryError,
        StagedId,
    },
};

/// A staged record that is ready to be stored, or why it cannot be.
#[derive(Debug)]
pub(super) struct Prepared<R> {
    pub(super) id: StagedId,
    pub(super) identity: Identity,
    pub(super) ready: Result<R, String>,
    /// The size of the record in the staging area.
    pub(super) bytes: usize,
}

impl<R> Prepared<R> {
    pub(super) fn exclusive<C: Converter<Ready = R>>(&self, converter: &C) -> Vec<UniqueValue> {
        self.ready.as_ref().map(|ready| converter.exclusive(ready)).unwrap_or_default()
    }
}

/// A batch, and what it needs to be processed on a task of its own.
pub(super) struct Batch<C: Converter> {
    pub(super) repositories: Repositories,
    pub(super) converter: Arc<C>,
    pub(super) lease: Lease,
    pub(super) root: String,
    pub(super) number: u32,
    pub(super) records: Vec<Prepared<C::Ready>>,
    pub(super) plans: Arc<EarlierPlans>,
}

/// Why a batch has no receipt.
#[derive(Debug, Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Database(#[from] RepositoryError),
    /// Another run of the operation has taken the batch's number.
    #[error("another instance has taken over")]
    Fenced,
    #[error("a batch ended by a fault of the program: {0}")]
    Panicked(String),
}

impl From<BatchError> for Stop {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Database(error) => error.into(),
            BatchError::Fenced => Self::LeaseLost,
            BatchError::Panicked(_) => Self::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => Self::Database(error),
            StoreError::Fenced => Self::Fenced,
        }
    }
}

/// Stores a batch and gives every record its outcome.
///
/// # Errors
/// Some records may have been stored. The batch has no receipt, unless the database did not confirm it.
pub(super) async fn process<C: Converter>(batch: Batch<C>) -> Result<Counts, BatchError> {
    let Batch { repositories, converter, lease, root, number, records, plans } = batch;
    let ready: Vec<&C::Ready> = records.iter().filter_map(|record| record.ready.as_ref().ok()).collect();
    let Some((first, last)) = records.first().zip(records.last()) else { return Ok(Counts::default()) };
    let planned = PlannedBatch { root: &root, operation: &lease.operation, epoch: lease.epoch, number };
    let plan = BatchPlan::new(&repositories.receipts, planned, &plans);
    let mut stored = converter.store(&ready, &plan).await?.into_iter();
    drop(ready);
    let range = (first.id.clone(), last.id.clone());
    let (mut failed, mut outcomes, mut rooms) = (Vec::new(), Outcomes::default(), RoomReceipts::default());
    let mut joined: BTreeMap<String, i64> = BTreeMap::new();
    let mut receipts: Vec<RecordReceipt> = records
        .into_iter()
        .map(|Prepared { id, identity, ready, .. }| {
            let result = match ready {
                Ok(_) => stored.next().unwrap_or_else(|| Err("The record was passed over.".to_owned())),
                Err(reason) => Err(reason),
            };
            match &result {
                Err(reason) => failed.push((id.clone(), reason.clone())),
                Ok(stored) => {
                    rooms.add(stored);
                    stored.joined.iter().for_each(|room| *joined.entry(room.clone()).or_default() += 1);
                }
            }
            let receipt = record_receipt(&*converter, id, identity, result);
            outcomes.add(receipt.outcome);
            receipt
        })
        .collect();
    repositories.staging.mark_failed(&root, lease.epoch, &failed).await?;
    if C::TYPE == RecordType::Message {
        // Too many to list: rooms and days say where the others are.
        receipts.retain(|record| record.outcome == Outcome::Failed);
    }
    let rooms = rooms.into_list();
    let joined = joined.into_iter().map(|(room, people)| JoinedRoom { room, people });
    let joined = (C::TYPE == RecordType::User).then(|| joined.collect());
    let receipt = BatchReceipt {
        number,
        record_type: C::TYPE,
        range,
        outcomes,
        records: receipts,
        rooms,
        joined,
        at: Date::now(),
    };
    match repositories.receipts.write(&lease.operation, lease.epoch, receipt).await? {
        ReceiptOutcome::Written => Ok(outcomes.counts()),
        ReceiptOutcome::Fenced => Err(BatchError::Fenced),
    }
}

fn record_receipt<C: Converter>(
    converter: &C,
    id: StagedId,
    identity: Identity,
    result: Result<Stored, String>,
) -> RecordReceipt {
    let Identity { import_ids, username, emails } = identity;
    match result {
        Ok(Stored { outcome, became, found_by, note, changed, joined, is_without_password, .. }) => RecordReceipt {
            id,
            outcome,
            became: Some(became),
            import_ids,
            username: None,
            // Compared with those of the account later on.
            emails,
            reason: note,
            found_by,
            changed,
            memberships: u32::try_from(joined.len()).unwrap_or(u32::MAX),
            is_without_password,
        },
        Err(reason) => RecordReceipt {
            became: Some(converter.id_for(&id)),
            id,
            outcome: Outcome::Failed,
            import_ids,
            username,
            emails,
            reason: Some(reason),
            found_by: None,
            changed: Vec::new(),
            memberships: 0,
            is_without_password: false,
        },
    }
}
