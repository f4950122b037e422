//! One run from its claim to its end.

mod batch;
mod finish;
pub(super) mod gaps;
mod pass;
mod progress;
mod room_receipts;
mod throttle;
mod watch;
mod work;

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    EngineSettings,
    activity::Activity,
    attempts::{Attempts, LeasedWork, PassingError, Repeatable, Stop},
    convert::Survey,
    kept_lease::KeptLease,
};
use crate::{
    domain::{importer::Importer, pace::Pace, state::State},
    repository::{
        Checkpoint, IfInvalid, Lease, LeasedOperation, OperationUpdate, ReceiptSummary, Repositories, RepositoryError,
        with_default_timeout,
    },
};
use {progress::Progress, throttle::Throttle, watch::watch, work::KeptStep};

/// How long the batches in hand may take once the run is to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// How long the database may take to count or adopt the records of a run. On a cold disk that takes minutes.
const COUNT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What an operation says whose run was left to Rocket.Chat.
const RUN_ELSEWHERE: &str = "Rocket.Chat's own process runs this import, too. The run here has stopped.";

/// Runs the operation of the lease until it is done or there is a reason to stop.
pub(super) async fn run(
    repositories: &Repositories,
    lease: Lease,
    activity: &Activity,
    settings: EngineSettings,
    shutdown: CancellationToken,
) {
    let _going = activity.runs.one_more();
    let run = Run {
        repositories,
        id: lease.operation.clone(),
        operation: LeasedOperation::new(repositories.leases.clone(), lease.clone()),
        kept: KeptLease::new(repositories.leases.clone(), lease),
        progress: Progress::new(activity.clone()),
        survey: OnceLock::new(),
        throttle: Throttle::default(),
        pace: settings.pace,
        shutdown,
    };
    let started = Instant::now();
    let attempts = Attempts { retry_for: settings.retry_for, lost: &run.kept.lost, shutdown: &run.shutdown };
    if attempts.at(&run).await {
        log::info!("operation {} is done after {:.1?}: {:?}", run.id, started.elapsed(), run.progress.actual());
    }
}

struct Run<'a> {
    repositories: &'a Repositories,
    id: String,
    operation: LeasedOperation,
    kept: KeptLease,
    progress: Progress,
    survey: OnceLock<Arc<Survey>>,
    throttle: Throttle,
    /// The pace of a run whose start names none.
    pace: Option<Pace>,
    shutdown: CancellationToken,
}

impl Repeatable for Run<'_> {
    fn operation(&self) -> &str {
        &self.id
    }

    /// Goes on from wherever the operation and its receipts say the run is.
    async fn attempt(&self) -> Result<(), Stop> {
        let (stop, kept_step) = (CancellationToken::new(), KeptStep::default());
        let mut work = pin!(self.work(&stop, &kept_step));
        let reason = tokio::select! {
            // Nobody else may write counters beside the last ones.
            end = &mut work => {
                end?;
                let kept = kept_step.get();
                return self.close(kept).await;
            }
            reason = watch(self.repositories, &self.id, &self.operation, &self.progress, &kept_step) => reason,
            () = self.kept.lost.cancelled() => Stop::LeaseLost,
            () = self.shutdown.cancelled() => Stop::Shutdown,
        };
        if matches!(reason, Stop::Again(_)) {
            // What is in hand waits for a server that is gone. Whatever became of it, the next attempt finds it out.
            return Err(reason);
        }
        stop.cancel();
        match timeout(DRAIN_PATIENCE, work).await {
            Ok(Ok(())) => {
                let kept = kept_step.get();
                return self.close(kept).await;
            }
            Ok(Err(Stop::Ended | Stop::Shutdown)) => {}
            Ok(Err(error)) => log::info!("operation {} stops: {error:?}", self.id),
            Err(_) => log::warn!("operation {}: batches in hand did not finish in {DRAIN_PATIENCE:?}", self.id),
        }
        Err(reason)
    }

    async fn stop(&self, stop: Stop) -> Result<(), PassingError> {
        self.stop_because(stop).await
    }

    async fn done(&self) -> Option<u64> {
        Some(self.progress.actual().processed())
    }
}

impl LeasedWork for Run<'_> {
    fn kept(&self) -> &KeptLease {
        &self.kept
    }

    async fn leave_ended(&self) -> Result<(), RepositoryError> {
        self.end(OperationUpdate::default(), IfInvalid::WriteAnyway).await
    }

    async fn leave_failed(&self, update: OperationUpdate) -> Result<(), RepositoryError> {
        self.end(update, IfInvalid::Refuse).await
    }

    async fn leave_to_others(&self) -> Result<(), RepositoryError> {
        let problem = Some(RUN_ELSEWHERE.to_owned());
        let update = OperationUpdate { problem, ..OperationUpdate::default() };
        with_default_timeout(self.operation.write(&update, IfInvalid::WriteAnyway)).await?;
        self.kept.release().await?;
        log::warn!("operation {} is left to another process, which runs it, too", self.id);
        Ok(())
    }
}

impl Run<'_> {
    async fn write(&self, update: &OperationUpdate) -> Result<(), Stop> {
        with_default_timeout(self.operation.write(update, IfInvalid::Refuse)).await?.or_stop()
    }

    async fn fence(&self) -> Result<ReceiptSummary, RepositoryError> {
        self.repositories.receipts.fence(&self.id, self.kept.lease.epoch).await
    }

    /// Waits for something that takes as long as there are records, unless the run is to stop.
    async fn patiently<T>(
        &self,
        work: impl Future<Output = Result<T, RepositoryError>>,
        stop: &CancellationToken,
    ) -> Result<T, Stop> {
        tokio::select! {
            done = timeout(COUNT_PATIENCE, work) => Ok(done.unwrap_or(Err(RepositoryError::TimedOut))?),
            () = stop.cancelled() => Err(Stop::Shutdown),
        }
    }

    /// Ends an operation that is not done: late batches are shut out, and the counters are those of the receipts.
    async fn end(&self, mut update: OperationUpdate, if_invalid: IfInvalid) -> Result<(), RepositoryError> {
        let Some(operation) = with_default_timeout(self.repositories.imports.find(&self.id)).await? else {
            return self.kept.release().await;
        };
        let (checkpoint, _) = with_default_timeout(self.repositories.leases.checkpoint(&self.kept.lease)).await?;
        if let Checkpoint::Counted(start) = checkpoint
            && operation.state() != Some(State::Done)
        {
            let mut counts = start.counts_before();
            counts += self.fence().await?.counts;
            update.counts = Some(counts).filter(|counts| *counts != operation.counts());
            if operation.importer() == Some(Importer::Api) {
                // Nothing may ever go on with this operation. Files count at their end, and that of the last one counts for all.
                let root = operation.root().unwrap_or(&self.id);
                with_default_timeout(finish::count_newcomers(self.repositories, &self.id, root)).await?;
            }
        }
        if update.counts.is_some() || update.step.is_some() {
            // Whether it was invalidated meanwhile makes no difference.
            with_default_timeout(self.operation.write(&update, if_invalid)).await?;
        }
        self.leave().await
    }

    /// Has the succeeded records removed, and gives the lease back.
    async fn leave(&self) -> Result<(), RepositoryError> {
        let Repositories { imports, receipts, removals, .. } = self.repositories;
        if with_default_timeout(receipts.exist(&self.id)).await?
            && let Some(operation) = with_default_timeout(imports.find(&self.id)).await?
        {
            let root = operation.root().unwrap_or(&self.id);
            with_default_timeout(removals.add_processed(&self.id, root)).await?;
        }
        self.kept.release().await
    }
}
