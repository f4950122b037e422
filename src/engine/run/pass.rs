//! One pass over the records that have no receipt yet: read, prepare, store, with several batches on their way at once.

use std::{collections::HashSet, pin::pin, sync::Arc, thread::available_parallelism, time::Duration};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batch, BatchError, Prepared, process},
    progress::Progress,
    throttle::Throttle,
};
use crate::{
    domain::{counts::Counts, document::account::PLACEHOLDER, field_value::FieldValue, record_type::RecordType},
    engine::convert::{Converter, EarlierPlans, UniqueValue},
    repository::{FENCE_WIDTH, Gap, Lease, Repositories, RepositoryError, StagedRecord, Staging},
};

/// The bytes that the records of a batch had in the staging area.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// A batch that does not fill up, because passwords take their time, goes on its way after this long.
const BATCH_PATIENCE: Duration = Duration::from_millis(200);
/// The bytes of all batches on their way, as in the staging area; a batch alone may have more.
const BYTES_IN_FLIGHT: usize = 16 * 1024 * 1024;
/// A batch that takes longer is treated as failed and repeated.
const BATCH_DEADLINE: Duration = Duration::from_secs(60);

/// After an error that may pass, the other batches on their way are waited for this long: a server that fails to read
/// further still stores them, and a batch that gets its receipt need not be repeated.
const IN_HAND_PATIENCE: Duration = Duration::from_secs(2);

/// What a pass works on.
pub(super) struct Pass<'a, C> {
    pub(super) repositories: &'a Repositories,
    pub(super) converter: Arc<C>,
    pub(super) lease: &'a Lease,
    pub(super) root: &'a str,
    /// Whether records with a reason count as failed already.
    pub(super) keeps_failures: bool,
    pub(super) progress: &'a Progress,
    pub(super) throttle: &'a Throttle,
    pub(super) stop: &'a CancellationToken,
    pub(super) plans: &'a Arc<EarlierPlans>,
}

/// A batch that is being put together.
struct Open<R> {
    records: Vec<Prepared<R>>,
    bytes: usize,
    until: Option<Instant>,
}

impl<R> Default for Open<R> {
    fn default() -> Self {
        Self { records: Vec::new(), bytes: 0, until: None }
    }
}

impl<R> Open<R> {
    fn is_full(&self, most_records: usize) -> bool {
        self.records.len() >= most_records || self.bytes >= BATCH_BYTES
    }

    fn add(&mut self, record: Prepared<R>) {
        self.bytes += record.bytes;
        self.until.get_or_insert_with(|| Instant::now() + BATCH_PATIENCE);
        self.records.push(record);
    }
}

/// What a batch holds of what others may want as well, until it has its receipt.
struct Held {
    values: Vec<UniqueValue>,
    bytes: usize,
}

type Sent = (Result<Counts, BatchError>, Held);

impl<C: Converter> Pass<'_, C> {
    /// Processes every record within the gaps, until it is to stop; how many there were. Batches are numbered from
    /// `next_number` on.
    ///
    /// # Errors
    /// Every batch that was on its way is over, unless the database does not answer.
    pub(super) async fn run(&self, gaps: Vec<Gap>, next_number: &mut u32) -> Result<u64, BatchError> {
        const { assert!(C::BATCHES_IN_FLIGHT <= FENCE_WIDTH as usize) };
        let hashers = available_parallelism().map_or(1, usize::from);
        let records = read(self.repositories.staging.clone(), self.root.to_owned(), C::TYPE, gaps);
        let converter = Arc::clone(&self.converter);
        let keeps_failures = self.keeps_failures;
        let prepared = records
            .map_ok(move |record| {
                let converter = Arc::clone(&converter);
                async move { Ok(prepare(&*converter, record, keeps_failures).await) }
            })
            // One more than can be worked on, so that no core waits for the next.
            .try_buffered(hashers + 1);
        let mut prepared = pin!(prepared.fuse());
        let mut in_flight = FuturesUnordered::new();
        let (mut held, mut bytes, mut processed) = (HashSet::new(), 0, 0);
        let mut open = Open::default();
        let most = self.throttle.batch_records(C::BATCH_RECORDS);
        let most_in_flight = self.converter.batches_in_flight();
        let mut fed = async {
            let mut is_read = false;
            loop {
                let has_room = in_flight.len() < most_in_flight && (bytes < BYTES_IN_FLIGHT || in_flight.is_empty());
                let is_due = open.until.is_some_and(|until| until <= Instant::now());
                let goes = open.is_full(most) || is_read || is_due;
                let may_begin = self.throttle.next() <= Instant::now();
                if has_room && may_begin && goes && !open.records.is_empty() {
                    let Open { records, bytes: size, .. } = std::mem::take(&mut open);
                    let values: Vec<UniqueValue> =
                        records.iter().flat_map(|record| record.exclusive(&*self.converter)).collect();
                    // Of two records with the same name the one that was staged first gets it, as in Rocket.Chat.
                    if values.iter().any(|value| held.contains(value)) {
                        while let Some(done) = in_flight.next().await {
                            self.settle(done, &mut held, &mut bytes)?;
                        }
                    }
                    held.extend(values.iter().cloned());
                    bytes += size;
                    processed += records.len() as u64;
                    self.throttle.begin(records.len());
                    in_flight.push(self.send(*next_number, records, Held { values, bytes: size }));
                    *next_number += 1;
                    continue;
                }
                if is_read && in_flight.is_empty() && open.records.is_empty() {
                    return Ok(());
                }
                let due = if goes { None } else { open.until };
                let due = due.unwrap_or_else(Instant::now).max(self.throttle.next());
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Ok(()),
                    Some(done) = in_flight.next() => self.settle(done, &mut held, &mut bytes)?,
                    record = prepared.next(), if !is_read && !open.is_full(most) => match record {
                        Some(record) => open.add(record?),
                        None => is_read = true,
                    },
                    () = sleep_until(due), if has_room && open.until.is_some() => {}
                }
            }
        }
        .await;
        // A database that refuses something still does what else it was sent: that is counted, too.
        let may_pass = matches!(&fed, Err(BatchError::Database(error)) if error.may_pass());
        let until = Instant::now() + if may_pass { IN_HAND_PATIENCE } else { 2 * BATCH_DEADLINE };
        while let Ok(Some(done)) = timeout_at(until, in_flight.next()).await {
            fed = fed.and(self.settle(done, &mut held, &mut bytes));
        }
        fed.map(|()| processed)
    }

    async fn send(&self, number: u32, records: Vec<Prepared<C::Ready>>, held: Held) -> Sent {
        let batch = Batch {
            repositories: self.repositories.clone(),
            converter: Arc::clone(&self.converter),
            lease: self.lease.clone(),
            root: self.root.to_owned(),
            number,
            records,
            plans: Arc::clone(self.plans),
        };
        let going = self.progress.activity().batches_in_flight.one_more();
        let result = on_its_own(async move {
            let _going = going;
            process(batch).await
        });
        (result.await, held)
    }

    fn settle(
        &self,
        (result, batch): Sent,
        held: &mut HashSet<UniqueValue>,
        bytes: &mut usize,
    ) -> Result<(), BatchError> {
        for value in &batch.values {
            held.remove(value);
        }
        *bytes -= batch.bytes;
        self.progress.add(result?);
        Ok(())
    }
}

/// Works on a batch in a task of its own, so that batches are put together on other cores than this one. A fault of the
/// program ends the batch, not the instance.
async fn on_its_own(
    work: impl Future<Output = Result<Counts, BatchError>> + Send + 'static,
) -> Result<Counts, BatchError> {
    match tokio::spawn(timeout(BATCH_DEADLINE, work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(RepositoryError::TimedOut.into()),
        Err(panic) => Err(BatchError::Panicked(panic.to_string())),
    }
}

/// The records within the gaps, in the order of their ids.
fn read(
    staging: Staging,
    root: String,
    kind: RecordType,
    gaps: Vec<Gap>,
) -> impl Stream<Item = Result<StagedRecord, BatchError>> + Send {
    let read = stream::iter(gaps).then(move |gap| {
        let (staging, root) = (staging.clone(), root.clone());
        async move { staging.records(&root, kind, &gap).await }
    });
    read.try_flatten().map_err(BatchError::from)
}

async fn prepare<C: Converter>(converter: &C, record: StagedRecord, keeps_failures: bool) -> Prepared<C::Ready> {
    let StagedRecord { id, data, failure, is_placeholder, bytes } = record;
    let data = data.map(|data| if is_placeholder { data.with(PLACEHOLDER, FieldValue::Boolean(true)) } else { data });
    let identity = data.as_ref().map(|data| converter.identity(data)).unwrap_or_default();
    let ready = match (data, failure.filter(|_| keeps_failures)) {
        (_, Some(reason)) | (Err(reason), None) => Err(reason),
        (Ok(data), None) => converter.prepare(&id, data).await,
    };
    Prepared { id, identity, ready, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::attempts::Stop;

    #[tokio::test]
    async fn a_fault_of_the_program_fails_the_operation_with_a_sentence() {
        let result = on_its_own(async { unreachable!("a batch of the test") }).await;
        let Stop::Failed(reason) = Stop::from(result.unwrap_err()) else { panic!("the run goes on") };
        assert!(reason.starts_with("a batch ended by a fault of the program"), "{reason}");
    }
}
