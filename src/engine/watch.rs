//! What goes on beside the work: is the operation still valid, is the lease still ours, are the counters stored?

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{progress::Progress, run::Stop};
use crate::repository::{
    Change, HeldRun, LEASE_RENEWAL_INTERVAL, Repositories, RepositoryError, Target, Written, answered,
};

/// How often to look. Counters are due, and an invalidation is to be noticed, within 250 ms.
const INTERVAL: Duration = Duration::from_millis(100);

/// Watches over the run of the operation `id` until there is a reason to stop it.
///
/// A database that refuses to answer is none: the work will meet that itself. One that says nothing at all is.
pub(super) async fn watch(repositories: &Repositories, id: &str, held: &HeldRun, progress: &Progress) -> Stop {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        ticks.tick().await;
        match answered(look(repositories, id, held, progress, &mut renewed)).await {
            Ok(None) => {}
            Ok(Some(reason)) => return reason,
            // The work may be waiting for the same server, and for ever.
            Err(RepositoryError::TimedOut) => return Stop::Unavailable(RepositoryError::TimedOut),
            Err(error) => log::debug!("operation {id} cannot be watched: {error}"),
        }
    }
}

async fn look(
    repositories: &Repositories,
    id: &str,
    held: &HeldRun,
    progress: &Progress,
    renewed: &mut Instant,
) -> Result<Option<Stop>, RepositoryError> {
    if !repositories.imports.find(id).await?.is_some_and(|operation| operation.is_valid()) {
        return Ok(Some(Stop::Invalidated));
    }
    if let Some(counts) = progress.due() {
        let change = Change { counts: Some(counts), ..Change::default() };
        match held.write(change, Target::ValidOnly).await? {
            Written::Yes => progress.stored(counts),
            Written::LeaseLost => return Ok(Some(Stop::LeaseLost)),
            Written::Invalidated => return Ok(Some(Stop::Invalidated)),
        }
    }
    if renewed.elapsed() >= LEASE_RENEWAL_INTERVAL {
        if !repositories.runs.renew(id).await? {
            return Ok(Some(Stop::LeaseLost));
        }
        *renewed = Instant::now();
    }
    Ok(None)
}
