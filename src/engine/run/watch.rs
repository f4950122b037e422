//! What goes on beside the work: the operation is watched for its end, and the counters are stored.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{progress::Progress, work::KeptStep};
use crate::domain::{
    counts::Counts,
    importer::Importer,
    operation::{Operation, State},
    progress_step::ProgressStep,
};
use crate::engine::attempts::Stop;
use crate::repository::{
    IfInvalid, LeasedOperation, OperationUpdate, Repositories, RepositoryError, with_default_timeout,
};

/// How often to look. Counters are due, and an invalidation is to be noticed, within 250 ms.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often in a row an operation must be found as another process left it. What this instance writes meanwhile may be read
/// a moment before it is known here.
const FOREIGN_LOOKS: u32 = 3;

/// Watches over the run of the operation `id` until there is a reason to stop it. Once `kept` is set, an operation of the
/// API that somebody else takes out of its import is put back to that step. One with a file is left to the other process:
/// Rocket.Chat can run that, too.
///
/// A refused query is no reason to stop: the run hits the same error itself. A timeout is one.
pub(super) async fn watch(
    repositories: &Repositories,
    id: &str,
    operation: &LeasedOperation,
    progress: &Progress,
    kept: &KeptStep,
) -> Stop {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch { repositories, id, operation, progress, kept, tried: None, foreign_looks: 0 };
    loop {
        ticks.tick().await;
        match with_default_timeout(watch.look()).await {
            Ok(None) => {}
            Ok(Some(reason)) => return reason,
            // The work may be waiting for the same server, and for ever.
            Err(RepositoryError::TimedOut) => return Stop::Again(RepositoryError::TimedOut.into()),
            Err(error) => log::debug!("operation {id} cannot be watched: {error}"),
        }
    }
}

struct Watch<'a> {
    repositories: &'a Repositories,
    id: &'a str,
    operation: &'a LeasedOperation,
    progress: &'a Progress,
    kept: &'a KeptStep,
    /// Counts that may have been stored: the call that wrote them had no answer.
    tried: Option<Counts>,
    /// Looks in a row that found what this instance has not written.
    foreign_looks: u32,
}

impl Watch<'_> {
    async fn look(&mut self) -> Result<Option<Stop>, RepositoryError> {
        // Read before the operation, which may be over by then.
        let kept = self.kept.get();
        let Some(found) = self.repositories.imports.find(self.id).await?.filter(Operation::is_valid) else {
            return Ok(Some(Stop::Ended));
        };
        let is_of_file = found.importer() != Some(Importer::Api);
        if is_of_file && kept.is_some_and(|kept| self.is_foreign(&found, kept)) {
            self.foreign_looks += 1;
            return Ok((self.foreign_looks >= FOREIGN_LOOKS).then_some(Stop::Foreign));
        }
        self.foreign_looks = 0;
        let kept = kept.filter(|_| found.state() != Some(State::Importing) && !is_of_file);
        // Whoever overwrote the status may have overwritten the counters, too.
        let counts = self.progress.due().or_else(|| kept.map(|_| self.progress.last_stored()));
        if counts.is_none() {
            return Ok(None);
        }
        if let Some(kept) = kept {
            let id = self.id;
            log::warn!("operation {id} is set back to {}: somebody else made it {}", kept.as_str(), found.status());
        }
        let update = OperationUpdate { step: kept, counts, ..OperationUpdate::default() };
        self.tried = counts;
        match self.operation.write(&update, IfInvalid::Refuse).await?.or_stop() {
            Ok(()) => {
                if let Some(counts) = counts {
                    self.progress.stored(counts);
                }
                Ok(None)
            }
            Err(stop) => Ok(Some(stop)),
        }
    }

    /// Whether the operation is not as this instance has written it last.
    fn is_foreign(&self, found: &Operation, kept: ProgressStep) -> bool {
        let counts = found.counts();
        // Until a majority has it, a step may be there for long without an answer.
        let is_at = |step: Option<ProgressStep>| step.is_some() && found.step() == step;
        !(is_at(Some(kept)) || is_at(self.kept.next()))
            || (counts != self.progress.last_stored() && Some(counts) != self.tried)
    }
}
