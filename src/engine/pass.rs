//! One pass over the staging area: read, prepare, store, with several batches on their way at once.

use std::{collections::HashSet, pin::pin, thread::available_parallelism, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream::FuturesUnordered};
use tokio::{sync::watch as signal, time::timeout};

use super::{
    activity::Activity,
    batch::{Prepared, UniqueValue, prepare, process},
    progress::Progress,
    raised,
};
use crate::{
    domain::counts::Counts,
    repository::{Repositories, RepositoryError},
};

/// Users stored with one command.
const BATCH_USERS: usize = 500;
/// A batch that does not fill up, because passwords take their time, goes on its way after this long.
const BATCH_PATIENCE: Duration = Duration::from_millis(200);
/// Batches on their way at once: some wait until a majority has stored them while the others are prepared, sent or
/// cleaned up after. Leaves room among the driver's ten connections for everybody else.
const BATCHES_IN_FLIGHT: usize = 6;
/// A database that has not finished a batch after this long has lost it.
const BATCH_DEADLINE: Duration = Duration::from_secs(60);

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassEnd {
    /// Every record that waited was processed.
    Complete,
    /// It was told to stop; what it had in hand is finished.
    Stopped,
}

/// Processes every user that waits in the staging area, until told to stop.
///
/// # Errors
/// When the database does not answer. The records that were not processed are still in the staging area.
pub(super) async fn pass(
    repositories: &Repositories,
    progress: &Progress,
    email_2fa: bool,
    mut stop: signal::Receiver<bool>,
) -> Result<PassEnd, RepositoryError> {
    let hashers = available_parallelism().map_or(1, usize::from);
    let prepared = repositories
        .staging
        .pending()
        .await?
        .map_ok(move |staged| async move { Ok(prepare(staged, email_2fa).await) })
        // One more than can be worked on, so that no core waits for the next.
        .try_buffered(hashers + 1);
    let mut batches = pin!(tokio_stream::StreamExt::chunks_timeout(prepared, BATCH_USERS, BATCH_PATIENCE));
    let mut in_flight = FuturesUnordered::new();
    let mut held = HashSet::new();
    let mut fed = async {
        loop {
            let room = in_flight.len() < BATCHES_IN_FLIGHT;
            tokio::select! {
                biased;
                () = raised(&mut stop) => return Ok(()),
                Some(done) = in_flight.next() => settle(done, progress, &mut held)?,
                batch = batches.next(), if room => {
                    let Some(batch) = batch else { return Ok(()) };
                    let batch: Vec<Prepared> = batch.into_iter().collect::<Result<_, _>>()?;
                    let values: Vec<UniqueValue> = batch.iter().flat_map(Prepared::unique_values).collect();
                    // Of two records with the same name the one that was staged first gets it, as in Rocket.Chat.
                    if values.iter().any(|value| held.contains(value)) {
                        while let Some(done) = in_flight.next().await {
                            settle(done, progress, &mut held)?;
                        }
                    }
                    held.extend(values.iter().cloned());
                    in_flight.push(send(repositories, progress.activity(), batch, values));
                }
            }
        }
    }
    .await;
    // A database that refuses something still does what else it was asked: that is counted, too.
    while !matches!(fed, Err(RepositoryError::Unavailable(_) | RepositoryError::TimedOut))
        && let Some(done) = in_flight.next().await
    {
        fed = fed.and(settle(done, progress, &mut held));
    }
    fed?;
    Ok(if *stop.borrow() { PassEnd::Stopped } else { PassEnd::Complete })
}

type Sent = (Result<Counts, RepositoryError>, Vec<UniqueValue>);

async fn send(
    repositories: &Repositories,
    activity: &Activity,
    batch: Vec<Prepared>,
    values: Vec<UniqueValue>,
) -> Sent {
    let repositories = repositories.clone();
    let going = activity.batch();
    // On a task of its own, so that batches are put together on other cores than this one.
    let work = tokio::spawn(async move {
        let _going = going;
        timeout(BATCH_DEADLINE, process(&repositories, batch)).await
    });
    let result = match work.await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(RepositoryError::TimedOut),
    };
    (result, values)
}

fn settle((result, values): Sent, progress: &Progress, held: &mut HashSet<UniqueValue>) -> Result<(), RepositoryError> {
    for value in &values {
        held.remove(value);
    }
    progress.add(result?);
    Ok(())
}
