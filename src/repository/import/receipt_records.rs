//! The records of an operation's receipts, read a batch at a time.
//!
//! No cursor stays open between two batches, so a client that reads slowly holds nothing in the database.

use std::collections::VecDeque;

use futures::{Stream, stream};

use super::{
    part::Part,
    receipts::{BatchIndex, Receipts, RecordReceipt},
};
use crate::{
    domain::{receipt::Outcome, record_type::RecordType},
    repository::{RepositoryError, connection::timeouts::with_default_timeout},
};

/// The records that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    Failed,
}

/// The receipts of one operation as a list of records.
#[derive(Debug)]
pub struct ReceiptRecords {
    receipts: Receipts,
    batches: VecDeque<BatchIndex>,
    which: Which,
    total: u64,
}

impl ReceiptRecords {
    /// Reads where the records are, not the records.
    pub async fn of(receipts: &Receipts, operation: &str, which: Which) -> Result<Self, RepositoryError> {
        let mut batches: VecDeque<BatchIndex> = receipts.index(operation).await?.into();
        batches.retain(|batch| which.count(batch) > 0);
        let total = batches.iter().map(|batch| which.count(batch)).sum();
        Ok(Self { receipts: receipts.clone(), batches, which, total })
    }

    /// Records in the list.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The records of this part in the order they were staged.
    pub fn read(
        mut self,
        Part { mut offset, limit }: Part,
    ) -> impl Stream<Item = Result<(RecordType, RecordReceipt), RepositoryError>> + Send + 'static {
        while let Some(batch) =
            self.batches.front().map(|batch| self.which.count(batch)).filter(|batch| *batch <= offset)
        {
            offset -= batch;
            self.batches.pop_front();
        }
        let reading = Reading { list: self, offset, left: limit, records: VecDeque::new() };
        stream::try_unfold(
            reading,
            |mut reading| async move { Ok(reading.next().await?.map(|record| (record, reading))) },
        )
    }
}

struct Reading {
    list: ReceiptRecords,
    /// Records of the next batch to leave out.
    offset: u64,
    left: u64,
    /// The rest of the batch that was read last.
    records: VecDeque<(RecordType, RecordReceipt)>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<(RecordType, RecordReceipt)>, RepositoryError> {
        while self.left > 0 {
            if let Some(record) = self.records.pop_front() {
                self.left -= 1;
                return Ok(Some(record));
            }
            let Some(index) = self.list.batches.pop_front() else { return Ok(None) };
            // A receipt that has expired meanwhile is left out.
            let Some(batch) = with_default_timeout(self.list.receipts.batch(&index)).await? else { continue };
            let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
            self.offset = 0;
            let which = self.list.which;
            let records = batch.records.into_iter().filter(|record| which.takes(record)).skip(offset);
            self.records = records.map(|record| (batch.record_type, record)).collect();
        }
        Ok(None)
    }
}

impl Which {
    fn takes(self, record: &RecordReceipt) -> bool {
        self == Self::All || record.outcome == Outcome::Failed
    }

    const fn count(self, batch: &BatchIndex) -> u64 {
        match self {
            Self::All => batch.listed,
            Self::Failed => batch.failed,
        }
    }
}
