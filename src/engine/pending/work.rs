//! The work of an operation that fetches: its list, twice over, with several files on their way at once.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{
    PendingRun, avatars,
    context::Context,
    files::{self, Round},
    list::{Group, Groups},
};
use crate::{
    domain::{
        counts::Counts, field_value::Date, operation::State, progress_step::ProgressStep, receipt::Outcomes,
        record_type::RecordType,
    },
    engine::{attempts::Stop, run::gaps::gaps},
    repository::{
        BatchReceipt, Checkpoint, FetchedBytes, OperationUpdate, ReceiptOutcome, ReceiptSummary, RecordReceipt,
        Repositories, RunStart, with_default_timeout, with_timeout,
    },
};

/// How often counters and bytes are stored.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// How long the database may take to look at every message. On a cold disk that takes minutes.
const LIST_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How far the work has come.
struct Reached {
    counts: Counts,
    next_number: u32,
    /// Bytes of all files, as far as their source gives them.
    bytes_total: u64,
    /// What was stored last.
    stored: (Counts, u64),
}

type Settled = (Group, Result<Option<Vec<RecordReceipt>>, Stop>);

impl PendingRun<'_> {
    /// Fetches whatever has no receipt yet, and ends the operation.
    pub(super) async fn work(&self) -> Result<(), Stop> {
        let Repositories { imports, leases, receipts, worklists, .. } = self.repositories();
        let operation = with_default_timeout(imports.find(&self.id)).await?.ok_or(Stop::Ended)?;
        if !operation.is_valid() {
            return Err(Stop::Ended);
        }
        if !matches!(operation.state(), Some(State::New | State::Loading | State::Importing)) {
            return Err(Stop::NotOurs);
        }
        let (checkpoint, _) = with_default_timeout(leases.checkpoint(&self.kept.lease)).await?;
        let (start, summary) = match checkpoint {
            Checkpoint::Nothing => return Err(Stop::NotOurs),
            Checkpoint::Claimed => (self.list().await?, ReceiptSummary::default()),
            Checkpoint::Counted(start) => {
                let bytes_total = operation.fetched_bytes().map_or(0, |(_, total)| total);
                let summary = receipts.fence(&self.id, self.kept.lease.epoch).await?;
                ((start.total, bytes_total), summary)
            }
        };
        let (total, bytes_total) = start;
        let mut reached = Reached {
            counts: summary.counts,
            next_number: summary.next_number,
            bytes_total,
            stored: (operation.counts(), operation.fetched_bytes().map_or(0, |(bytes, _)| bytes)),
        };
        let bytes = with_timeout(LIST_PATIENCE, self.repositories().own_uploads.bytes_of(&self.id)).await?;
        let context = Arc::new(Context::new(self.shared, &operation, bytes).await?);
        // This write tells an instance that held the lease before that it no longer does.
        let update = OperationUpdate {
            step: Some(ProgressStep::ImportingFiles),
            total: Some(total).filter(|total| *total != operation.count("total")),
            ..OperationUpdate::default()
        };
        self.write(&update).await?;
        let mut done = summary.done(self.kind);
        for round in [Round::First, Round::Last] {
            let groups = Groups::new(worklists.clone(), &self.id, gaps(done));
            self.round(&context, round, groups, &mut reached).await?;
            done = receipts.summary(&self.id).await?.done(self.kind);
        }
        if reached.counts.processed() != total {
            let processed = reached.counts.processed();
            return Err(Stop::Failed(format!("Only {processed} of {total} records have an outcome.")));
        }
        self.store_progress(&context, &mut reached).await?;
        self.write(&OperationUpdate { step: Some(ProgressStep::Done), ..OperationUpdate::default() }).await?;
        log::info!("operation {} is done: {:?}, {} bytes", self.id, reached.counts, context.bytes());
        self.leave().await;
        Ok(())
    }

    /// The very beginning: everything that waits is listed and counted. Returns the number of records, and the bytes.
    async fn list(&self) -> Result<(u64, u64), Stop> {
        let Repositories { leases, pending_accounts, pending_messages, worklists, .. } = self.repositories();
        let bytes = if self.kind == RecordType::File {
            with_timeout(LIST_PATIENCE, pending_messages.list(worklists, &self.id)).await?
        } else {
            with_timeout(LIST_PATIENCE, pending_accounts.list(worklists, &self.id)).await?;
            0
        };
        let total = with_timeout(LIST_PATIENCE, worklists.count(&self.id)).await?;
        let fetched = Some(FetchedBytes { done: 0, total: bytes });
        self.write(&OperationUpdate { fetched, ..OperationUpdate::default() }).await?;
        let start = RunStart { total, ..RunStart::default() };
        if with_default_timeout(leases.store_start(&self.kept.lease, start)).await? {
            Ok((total, bytes))
        } else {
            Err(Stop::LeaseLost)
        }
    }

    async fn round(
        &self,
        context: &Arc<Context>,
        round: Round,
        mut groups: Groups,
        reached: &mut Reached,
    ) -> Result<(), Stop> {
        let mut tasks: JoinSet<Settled> = JoinSet::new();
        let mut ticks = interval(PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_read = false;
        loop {
            while !is_read && tasks.len() < self.shared.fetch.at_once {
                match groups.next().await? {
                    Some(group) => {
                        tasks.spawn(settle(Arc::clone(context), self.kind, group, round));
                    }
                    None => is_read = true,
                }
            }
            if tasks.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(done) = tasks.join_next() => self.settled(done, reached).await?,
                _ = ticks.tick() => {
                    context.refresh().await?;
                    self.store_progress(context, reached).await?;
                }
            }
        }
    }

    /// Writes the receipt of a group that has its outcome.
    async fn settled(&self, done: Result<Settled, JoinError>, reached: &mut Reached) -> Result<(), Stop> {
        let (group, settled) =
            done.map_err(|panic| Stop::Failed(format!("A file ended by a fault of the program: {panic}")))?;
        let Some(records) = settled? else {
            self.shared.activity.fetches_repeated.add(1);
            return Ok(());
        };
        let Some((first, last)) = group.records.first().zip(group.records.last()) else { return Ok(()) };
        let mut outcomes = Outcomes::default();
        for record in &records {
            outcomes.add(record.outcome);
        }
        let receipt = BatchReceipt {
            number: reached.next_number,
            record_type: self.kind,
            range: (first.place.clone(), last.place.clone()),
            outcomes,
            records,
            rooms: Vec::new(),
            joined: None,
            at: Date::now(),
        };
        let written = self.repositories().receipts.write(&self.id, self.kept.lease.epoch, receipt);
        match with_default_timeout(written).await? {
            ReceiptOutcome::Written => {
                reached.next_number += 1;
                reached.counts += outcomes.counts();
                self.shared.activity.add_fetched(outcomes.counts());
                self.shared.activity.files_left.add(outcomes.same);
                Ok(())
            }
            ReceiptOutcome::Fenced => Err(Stop::LeaseLost),
        }
    }

    async fn store_progress(&self, context: &Context, reached: &mut Reached) -> Result<(), Stop> {
        let now = (reached.counts, context.bytes());
        if now == reached.stored {
            return Ok(());
        }
        let fetched = Some(FetchedBytes { done: now.1, total: reached.bytes_total });
        self.write(&OperationUpdate { counts: Some(now.0), fetched, ..OperationUpdate::default() }).await?;
        reached.stored = now;
        Ok(())
    }
}

async fn settle(context: Arc<Context>, kind: RecordType, group: Group, round: Round) -> Settled {
    let settled = if kind == RecordType::File {
        files::settle(&context, &group, round).await
    } else {
        avatars::settle(&context, &group, round).await
    };
    (group, settled)
}
