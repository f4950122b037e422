//! One run from its claim to its end.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use tokio::{
    sync::watch as signal,
    time::{sleep, timeout},
};

use super::{
    activity::Activity,
    pass::{PassEnd, pass},
    progress::Progress,
    raised,
    watch::watch,
};
use crate::{
    domain::{counts::Counts, operation::State, progress_step::ProgressStep},
    repository::{Change, HeldRun, Reached, Repositories, RepositoryError, Target, Written, answered},
};

/// The first rest after the database failed; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// How long the batches in hand may take once the run is to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// Passes that leave records behind without processing one, before the run is given up.
const FRUITLESS_PASSES: u32 = 3;

/// The steps of a run in Rocket.Chat's order; those for records other than users find nothing to do.
///
/// Source: `apps/meteor/app/importer/server/classes/Importer.ts` (`startImport`).
const STEPS_AFTER_USERS: [ProgressStep; 4] = [
    ProgressStep::ImportingContacts,
    ProgressStep::ImportingChannels,
    ProgressStep::ImportingMessages,
    ProgressStep::Finishing,
];

/// Why a run stops before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The database does not answer: try again.
    Unavailable(RepositoryError),
    /// The database ended the read of the staging area: it was dropped, or the primary was deposed.
    ReadEnded(RepositoryError),
    /// Somebody cleared the import, made a new one, or restarted Rocket.Chat.
    Invalidated,
    /// Another instance has taken over.
    LeaseLost,
    /// It was never claimed with success: somebody else may be running it.
    NotOurs,
    /// The service is being stopped.
    Shutdown,
    /// It cannot be done.
    Failed(String),
}

impl From<RepositoryError> for Stop {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::Unavailable(_) | RepositoryError::TimedOut => Self::Unavailable(error),
            error if error.ended_the_read() => Self::ReadEnded(error),
            RepositoryError::Refused(_) | RepositoryError::Unreadable { .. } => Self::Failed(error.to_string()),
        }
    }
}

/// Runs the operation `id`, on which this instance holds the lease, until it is done or there is a reason to stop.
pub(super) async fn run(
    repositories: &Repositories,
    id: &str,
    activity: &Activity,
    mut shutdown: signal::Receiver<bool>,
) {
    let progress = Progress::told_to(activity.clone());
    let run = Run { repositories, id, held: repositories.runs.held(id), progress };
    let _going = activity.run();
    let started = Instant::now();
    let mut backoff = FIRST_BACKOFF;
    loop {
        let stop = match run.attempt(&mut shutdown).await {
            Ok(()) => {
                log::info!("operation {id} is done after {:.1?}: {:?}", started.elapsed(), run.progress.actual());
                return;
            }
            Err(stop) => stop,
        };
        match run.stop(stop).await {
            Ok(()) => return,
            Err(error) => {
                log::warn!("operation {id} pauses for {backoff:?}: {error}");
                tokio::select! {
                    () = sleep(backoff) => {}
                    () = raised(&mut shutdown) => return,
                }
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
            }
        }
    }
}

struct Run<'a> {
    repositories: &'a Repositories,
    id: &'a str,
    held: HeldRun,
    progress: Progress,
}

impl Run<'_> {
    /// Goes on from wherever the operation and the staging area say the run is.
    async fn attempt(&self, shutdown: &mut signal::Receiver<bool>) -> Result<(), Stop> {
        let operation = answered(self.repositories.imports.find(self.id)).await?.ok_or(Stop::Invalidated)?;
        if operation.state() != Some(State::Importing) {
            return Err(Stop::Invalidated);
        }
        let total = match answered(self.repositories.runs.reached(self.id)).await? {
            Reached::Users(total) => total,
            Reached::Claim => self.open().await?,
            Reached::Nothing => return Err(Stop::NotOurs),
        };
        // Whatever the step was, this write tells an instance that held the lease before that it no longer does.
        let step = operation.step().filter(|step| *step != ProgressStep::ImportingStarted);
        let step = Some(step.unwrap_or(ProgressStep::ImportingUsers));
        self.write(Change { step, total: Some(total), ..Change::default() }).await?;
        // Only now nobody else changes them.
        let stored = answered(self.repositories.imports.find(self.id)).await?.ok_or(Stop::Invalidated)?.counts();
        self.import_users(total, stored, shutdown).await?;
        self.close(total, operation.step()).await
    }

    /// The very beginning: how many users there are to be processed.
    async fn open(&self) -> Result<u64, Stop> {
        answered(self.repositories.staging.unflag()).await?;
        let total = answered(self.repositories.staging.count_pending()).await?;
        answered(self.repositories.runs.keep_total(self.id, total)).await?;
        Ok(total)
    }

    /// Passes over the staging area until nothing waits there.
    async fn import_users(
        &self,
        total: u64,
        mut stored: Counts,
        shutdown: &mut signal::Receiver<bool>,
    ) -> Result<(), Stop> {
        let email_2fa = answered(self.repositories.settings.email_2fa_opt_in()).await?;
        let (mut fruitless, mut waiting) = (0, None);
        loop {
            let pending = answered(self.repositories.staging.count_pending()).await?;
            let error = answered(self.repositories.staging.count_failed()).await?;
            let completed = total.saturating_sub(pending + error);
            self.progress.reset(Counts { completed, error }, stored, pending);
            if pending == 0 && self.is_stored().await? {
                return Ok(());
            }
            fruitless = if waiting == Some(pending) { fruitless + 1 } else { 0 };
            if fruitless == FRUITLESS_PASSES {
                return Err(Stop::Failed(format!("{pending} staged users cannot be processed")));
            }
            waiting = Some(pending);
            match self.supervised_pass(email_2fa, shutdown).await {
                // What was in hand is counted, so whoever is missing was taken out by somebody else.
                Err(Stop::ReadEnded(error)) if self.are_all_there(total).await? => {
                    log::info!("operation {} begins to read anew: {error}", self.id);
                }
                Err(Stop::ReadEnded(error)) => return Err(Stop::Failed(error.to_string())),
                end => end?,
            }
            stored = self.progress.last_stored();
        }
    }

    /// Whether every user who was not imported is staged.
    async fn are_all_there(&self, total: u64) -> Result<bool, Stop> {
        let pending = answered(self.repositories.staging.count_pending()).await?;
        let failed = answered(self.repositories.staging.count_failed()).await?;
        Ok(pending + failed + self.progress.actual().completed >= total)
    }

    /// Whether nothing waits in the staging area, and a majority has stored that. A primary that is deposed may take with
    /// it what it alone had confirmed; the records then wait again on the next one.
    async fn is_stored(&self) -> Result<bool, Stop> {
        self.write(Change::default()).await?;
        Ok(answered(self.repositories.staging.count_pending()).await? == 0)
    }

    /// One pass, with somebody watching over it.
    async fn supervised_pass(&self, email_2fa: bool, shutdown: &mut signal::Receiver<bool>) -> Result<(), Stop> {
        let (stop_sender, stop) = signal::channel(false);
        let mut work = pin!(pass(self.repositories, &self.progress, email_2fa, stop));
        let reason = tokio::select! {
            end = &mut work => return end.map(drop).map_err(Stop::from),
            reason = watch(self.repositories, self.id, &self.held, &self.progress) => reason,
            () = raised(shutdown) => Stop::Shutdown,
        };
        if matches!(reason, Stop::Unavailable(_)) {
            // What is in hand waits for a server that is gone. Whatever became of it, the next attempt finds it out.
            return Err(reason);
        }
        stop_sender.send_replace(true);
        match timeout(DRAIN_PATIENCE, work).await {
            Ok(Ok(PassEnd::Complete | PassEnd::Stopped)) => {}
            Ok(Err(error)) => log::warn!("operation {}: {error}", self.id),
            Err(_) => log::warn!("operation {}: batches in hand did not finish in {DRAIN_PATIENCE:?}", self.id),
        }
        Err(reason)
    }

    /// The last counters and steps. What was stored before is stored by a majority when `done` is.
    async fn close(&self, total: u64, reached: Option<ProgressStep>) -> Result<(), Stop> {
        let error = answered(self.repositories.staging.count_failed()).await?;
        let counts = Counts { completed: total.saturating_sub(error), error };
        self.write(Change { counts: Some(counts), ..Change::default() }).await?;
        let reached = STEPS_AFTER_USERS.iter().position(|step| Some(*step) == reached);
        for step in STEPS_AFTER_USERS.iter().skip(reached.map_or(0, |reached| reached + 1)) {
            self.step(*step).await?;
        }
        self.step(ProgressStep::Done).await?;
        self.progress.reset(counts, counts, 0);
        // If this fails, the lease runs out and whoever finds it sees that the operation is done.
        if let Err(error) = answered(self.repositories.runs.release(self.id)).await {
            log::debug!("the lease on operation {} is left to run out: {error}", self.id);
        }
        Ok(())
    }

    async fn step(&self, step: ProgressStep) -> Result<(), Stop> {
        self.write(Change { step: Some(step), ..Change::default() }).await
    }

    async fn write(&self, change: Change) -> Result<(), Stop> {
        match answered(self.held.write(change, Target::ValidOnly)).await? {
            Written::Yes => Ok(()),
            Written::LeaseLost => Err(Stop::LeaseLost),
            Written::Invalidated => Err(Stop::Invalidated),
        }
    }

    /// Leaves things in order. An error means that the run is to be attempted again.
    async fn stop(&self, stop: Stop) -> Result<(), RepositoryError> {
        let runs = &self.repositories.runs;
        match stop {
            Stop::Unavailable(error) | Stop::ReadEnded(error) => return Err(error),
            Stop::LeaseLost => log::info!("operation {} was taken over by another instance", self.id),
            Stop::NotOurs => answered(runs.release(self.id)).await?,
            Stop::Shutdown => {
                answered(runs.hand_over(self.id)).await?;
                log::info!("operation {} was handed over", self.id);
            }
            Stop::Invalidated => {
                let change = Change { counts: self.progress.unstored(), ..Change::default() };
                if change.counts.is_some() {
                    answered(self.held.write(change, Target::AlsoInvalid)).await?;
                }
                answered(runs.release(self.id)).await?;
                log::info!("operation {} was ended from outside", self.id);
            }
            Stop::Failed(reason) => {
                let change =
                    Change { step: Some(ProgressStep::Failed), counts: self.progress.unstored(), ..Change::default() };
                answered(self.held.write(change, Target::ValidOnly)).await?;
                answered(runs.release(self.id)).await?;
                log::error!("operation {} failed: {reason}", self.id);
            }
        }
        Ok(())
    }
}
