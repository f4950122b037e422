//! The loading of a file: its elements become staged records and lines of its report.
//!
//! How it stays exact: a batch goes on from the place where the one before ended, its records have ids that follow from the
//! file, and its lines have the number of the batch. So a batch that is stored again changes nothing. The progress is
//! written after the batch, by a majority and under the epoch of the lease; wherever an instance dies, the next one goes on
//! after the last batch that the progress holds.

mod batches;
pub(super) mod source;
mod stored;

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    EngineSettings,
    activity::Activity,
    attempts::{Attempts, LeasedWork, PassingError, Repeatable, Stop, until_ended},
    kept_lease::KeptLease,
};
use crate::{
    domain::{
        loading::{LoadProgress, NotStaged, ReportLine, messages_status},
        operation::{Operation, State},
        progress_step::ProgressStep,
        record_type::RecordType,
    },
    importers::{Format, Options, Position},
    repository::{
        Discarded, IfInvalid, Lease, LeasedOperation, MessagesStatus, OperationUpdate, QuickInsert, Repositories,
        RepositoryError, with_default_timeout, with_timeout,
    },
};
use batches::Batch;

/// How often to look whether the operation was ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// How often the operation's counts are written while records of one type come.
const COUNT_INTERVAL: Duration = Duration::from_millis(250);
/// How long the batch in hand may take once loading is to stop. A call that ends the import waits for it.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);
/// A batch that takes longer is stored again.
const BATCH_DEADLINE: Duration = Duration::from_secs(60);
/// The setting that says how many people a direct message may have.
///
/// Source: `apps/meteor/server/settings/message.ts`; the misspelling is Rocket.Chat's.
const DIRECT_MESSAGE_MAX_USERS: &str = "DirectMesssage_maxUsers";

/// Loads the file of the lease's operation until all of it is staged or there is a reason to stop.
pub(super) async fn load(
    repositories: &Repositories,
    lease: Lease,
    activity: &Activity,
    settings: EngineSettings,
    shutdown: CancellationToken,
) {
    let _going = activity.loads.one_more();
    let load = Load {
        repositories,
        id: lease.operation.clone(),
        operation: LeasedOperation::new(repositories.leases.clone(), lease.clone()),
        kept: KeptLease::new(repositories.leases.clone(), lease),
        activity,
        batches: AtomicU64::default(),
        shutdown,
    };
    let attempts = Attempts { retry_for: settings.retry_for, lost: &load.kept.lost, shutdown: &load.shutdown };
    attempts.at(&load).await;
}

struct Load<'a> {
    repositories: &'a Repositories,
    id: String,
    operation: LeasedOperation,
    kept: KeptLease,
    activity: &'a Activity,
    /// Batches that were stored, in all attempts.
    batches: AtomicU64,
    shutdown: CancellationToken,
}

/// How far an attempt has come.
struct Reached {
    root: String,
    format: Format,
    progress: LoadProgress,
    step: ProgressStep,
    counted_at: Instant,
    first_problem: Option<String>,
}

impl Repeatable for Load<'_> {
    fn operation(&self) -> &str {
        &self.id
    }

    async fn attempt(&self) -> Result<(), Stop> {
        let stop = CancellationToken::new();
        // The thread that reads ends, too, however this function does.
        let _stopped = stop.clone().drop_guard();
        let mut work = pin!(self.work(&stop));
        let reason = tokio::select! {
            end = &mut work => return end,
            reason = until_ended(&self.repositories.imports, &self.id, LOOK_INTERVAL) => reason,
            () = self.kept.lost.cancelled() => Stop::LeaseLost,
            () = self.shutdown.cancelled() => Stop::Shutdown,
        };
        stop.cancel();
        match timeout(DRAIN_PATIENCE, work).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(reason),
            Err(_) => {
                log::warn!("operation {}: the batch in hand did not finish in {DRAIN_PATIENCE:?}", self.id);
                Err(reason)
            }
        }
    }

    async fn stop(&self, stop: Stop) -> Result<(), PassingError> {
        self.stop_because(stop).await
    }

    async fn done(&self) -> Option<u64> {
        Some(self.batches.load(Ordering::Relaxed))
    }
}

impl LeasedWork for Load<'_> {
    fn kept(&self) -> &KeptLease {
        &self.kept
    }

    async fn leave_ended(&self) -> Result<(), RepositoryError> {
        self.give_up().await?;
        self.kept.release().await
    }

    async fn leave_failed(&self, update: OperationUpdate) -> Result<(), RepositoryError> {
        // An operation that was ended meanwhile needs no reason.
        with_default_timeout(self.operation.write(&update, IfInvalid::Refuse)).await?;
        self.kept.release().await
    }
}

impl Load<'_> {
    /// Goes on from wherever the stored progress says.
    async fn work(&self, stop: &CancellationToken) -> Result<(), Stop> {
        let Repositories { imports, load_reports, settings, .. } = self.repositories;
        let operation = with_default_timeout(imports.find(&self.id)).await?.ok_or(Stop::Ended)?;
        match operation.state() {
            Some(State::Loading) => {}
            _ if !operation.is_valid() => return Err(Stop::Ended),
            _ => return Err(Stop::NotOurs),
        }
        let root = operation.root().unwrap_or(&self.id).to_owned();
        let source = operation.file_source().ok_or_else(|| Stop::Failed("The operation names no file.".to_owned()))?;
        let format = Format::from_importer_key(operation.importer_key())
            .ok_or_else(|| Stop::Failed(format!("The importer {} reads no files here.", operation.importer_key())))?;
        let mut progress = with_default_timeout(load_reports.progress(&root)).await?.unwrap_or_default();
        let most = if let Some(most) = progress.direct_message_max_users {
            most
        } else {
            let default = i64::try_from(Options::default().direct_message_max_users).unwrap_or(i64::MAX);
            let most = with_default_timeout(settings.integer(DIRECT_MESSAGE_MAX_USERS, default)).await?;
            u64::try_from(most).unwrap_or_default().max(1)
        };
        progress.direct_message_max_users = Some(most);
        let options =
            Options { direct_message_max_users: usize::try_from(most).unwrap_or(usize::MAX), ..Options::default() };
        let at_preparation = operation.step().filter(|at| *at != ProgressStep::FileLoaded);
        let mut reached = Reached {
            root,
            format,
            progress,
            step: at_preparation.unwrap_or(ProgressStep::PreparingStarted),
            counted_at: Instant::now(),
            first_problem: None,
        };
        // This write tells an instance that held the lease before that it no longer does.
        self.write(&reached, None).await?;
        self.store_progress(&reached).await?;
        let position = Position { part: reached.progress.part, done: reached.progress.done };
        let file = source::open(self.repositories, &source, stop.clone()).await?;
        let mut batches = batches::read(format, file, options, position);
        loop {
            let batch = tokio::select! {
                batch = batches.recv() => batch,
                () = stop.cancelled() => return Err(Stop::Shutdown),
            };
            let Some(batch) = batch else { break };
            self.store(&mut reached, batch?).await?;
            self.batches.fetch_add(1, Ordering::Relaxed);
            if stop.is_cancelled() {
                return Err(Stop::Shutdown);
            }
        }
        self.finish(reached).await
    }

    /// Stores a batch. While it is on its way, the progress up to it is stored: a batch without its progress is stored again,
    /// as the same, so neither has to wait for the other.
    async fn store(&self, reached: &mut Reached, batch: Batch) -> Result<(), Stop> {
        let Repositories { staging, load_reports, .. } = self.repositories;
        let Batch { kind, records, ids, mut lines, notes, position, entry } = batch;
        let mut staged = 0;
        if let Some(kind) = kind {
            let step = preparing(kind);
            if reached.step != step {
                reached.step = step;
                self.write(reached, None).await?;
            }
            let quick_insert = if reached.format == Format::Slack { QuickInsert::Yes } else { QuickInsert::NotSaid };
            let first = reached.progress.staged.of(kind);
            let fill = async {
                let filled = staging.fill(&reached.root, kind, quick_insert, first, &records);
                with_timeout(BATCH_DEADLINE, filled).await.map_err(Stop::from)
            };
            let (filled, ()) = tokio::try_join!(fill, self.store_progress(reached))?;
            staged = filled.staged;
            lines.extend(filled.refused.into_iter().map(|(position, reason)| ReportLine {
                outcome: NotStaged::Failed,
                kind: kind.data_type().to_owned(),
                place: records[position].place.clone(),
                ids: ids.get(position).cloned().unwrap_or_default(),
                reason: reason.to_owned(),
                count: 1,
            }));
            reached.progress.staged = reached.progress.staged.with_more(kind, staged);
        } else {
            self.store_progress(reached).await?;
        }
        if !lines.is_empty() {
            let stored = load_reports.store_batch(&reached.root, reached.progress.batches, &lines);
            with_timeout(BATCH_DEADLINE, stored).await?;
        }
        let progress = &mut reached.progress;
        for line in &lines {
            let counts = match line.outcome {
                NotStaged::Failed => &mut progress.failed,
                NotStaged::PassedOver => &mut progress.passed_over,
            };
            *counts.entry(line.kind.clone()).or_default() += line.count;
        }
        for (note, count) in notes {
            *progress.notes.entry(note.to_owned()).or_default() += count;
        }
        progress.batches += 1;
        (progress.part, progress.done) = (position.part, position.done);
        let failed = lines.iter().filter(|line| line.outcome == NotStaged::Failed).count();
        self.activity.records_staged.add(staged);
        self.activity.elements_failed.add(u64::try_from(failed).unwrap_or(u64::MAX));
        if reached.first_problem.is_none() {
            let problem = lines.iter().find(|line| line.outcome == NotStaged::Failed);
            reached.first_problem = problem.map(|line| format!("{}: {}", line.place, line.reason));
        }
        if reached.counted_at.elapsed() >= COUNT_INTERVAL {
            let status = entry.filter(|_| kind == Some(RecordType::Message)).map(|entry| messages_status(&entry));
            self.write(reached, status).await?;
            reached.counted_at = Instant::now();
        }
        Ok(())
    }

    async fn finish(&self, mut reached: Reached) -> Result<(), Stop> {
        reached.progress.is_complete = true;
        self.store_progress(&reached).await?;
        if reached.progress.staged.total() == 0 {
            let why = reached.first_problem.map(|problem| format!(" {problem}")).unwrap_or_default();
            return Err(Stop::Failed(format!("The file holds nothing that can be imported.{why}")));
        }
        let staged = reached.progress.staged;
        let update = OperationUpdate {
            step: Some(ProgressStep::UserSelection),
            staged: Some(staged),
            messages_status: (staged.of(RecordType::Message) > 0).then_some(MessagesStatus::NoFile),
            is_loaded: true,
            ..OperationUpdate::default()
        };
        self.update(&update).await?;
        log::info!("the file of operation {} is loaded: {staged:?}", self.id);
        // If this fails, the lease runs out, and the instance that finds it sees that the file is loaded.
        if let Err(error) = self.kept.release().await {
            log::debug!("the lease on operation {} is left to run out: {error}", self.id);
        }
        Ok(())
    }

    async fn store_progress(&self, reached: &Reached) -> Result<(), Stop> {
        let (root, epoch) = (&reached.root, self.kept.lease.epoch);
        let stored = self.repositories.load_reports.store_progress(root, epoch, &reached.progress);
        if with_default_timeout(stored).await? { Ok(()) } else { Err(Stop::LeaseLost) }
    }

    /// Writes step and counts to the operation, and the file of messages that is being read.
    async fn write(&self, reached: &Reached, status: Option<String>) -> Result<(), Stop> {
        let staged = reached.progress.staged;
        let update = OperationUpdate {
            step: Some(reached.step),
            staged: (staged.total() > 0).then_some(staged),
            messages_status: status.map(MessagesStatus::File),
            ..OperationUpdate::default()
        };
        self.update(&update).await
    }

    async fn update(&self, update: &OperationUpdate) -> Result<(), Stop> {
        with_default_timeout(self.operation.write(update, IfInvalid::Refuse)).await?.or_stop()
    }

    /// Has the records of an import that was given up removed: a batch may have come after the removal that the end began.
    async fn give_up(&self) -> Result<(), RepositoryError> {
        let Repositories { imports, removals, .. } = self.repositories;
        let operation = with_default_timeout(imports.find(&self.id)).await?;
        let newest = with_default_timeout(imports.newest()).await?;
        let is_newest = newest.is_some_and(|newest| newest.id() == Some(&self.id));
        if is_newest && operation.as_ref().is_some_and(|operation| !operation.is_ended_by_call()) {
            // Rocket.Chat's start ended it: somebody goes on with what is staged.
            return Ok(());
        }
        let root = operation.as_ref().and_then(Operation::root).unwrap_or(&self.id).to_owned();
        let discarded = Discarded { roots: vec![root], unlabelled_up_to: None };
        with_default_timeout(removals.add_discarded(&discarded)).await?;
        Ok(())
    }
}

/// The step at which records of this type are staged.
const fn preparing(kind: RecordType) -> ProgressStep {
    match kind {
        RecordType::User => ProgressStep::PreparingUsers,
        RecordType::Contact => ProgressStep::PreparingContacts,
        RecordType::Channel => ProgressStep::PreparingChannels,
        RecordType::Message | RecordType::File | RecordType::Avatar => ProgressStep::PreparingMessages,
    }
}
