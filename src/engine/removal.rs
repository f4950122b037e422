//! The removal of staged records that are no longer needed, in the background.

use std::{pin::pin, time::Duration};

use futures::TryStreamExt as _;
use tokio::{sync::Notify, time::timeout};

use crate::{
    domain::{receipt::Outcome, record_type::RecordType, state::State},
    repository::{
        Discarded, RecordReceipt, Removal, RemovalTask, Repositories, RepositoryError, StagedId, with_default_timeout,
    },
};

/// How often to look for removals that other instances left behind.
const INTERVAL: Duration = Duration::from_secs(2);
/// Records that were to be given up by an operation that is still valid after this long are kept: it was never ended.
const DISCARD_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Works off the list of removals for as long as it is polled. `wake` has it look at once.
pub(super) async fn sweep(repositories: &Repositories, wake: &Notify) {
    loop {
        match sweep_once(repositories).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => log::debug!("staged records cannot be removed now: {error}"),
        }
        // Nothing to do is the usual case.
        let _ = timeout(INTERVAL, wake.notified()).await;
    }
}

/// Takes one entry of the list and works it off. False if there was none.
async fn sweep_once(repositories: &Repositories) -> Result<bool, RepositoryError> {
    let Some(removal) = with_default_timeout(repositories.removals.take()).await? else { return Ok(false) };
    match &removal.task {
        RemovalTask::Processed { operation, root } => remove_processed(repositories, &removal, operation, root).await?,
        RemovalTask::Discarded(discarded) => {
            if with_default_timeout(repositories.imports.is_any_valid(&discarded.roots)).await? {
                if removal.age > DISCARD_PATIENCE {
                    with_default_timeout(repositories.removals.finish(&removal.id)).await?;
                }
                return Ok(false);
            }
            remove_discarded(repositories, &removal, discarded).await?;
        }
    }
    with_default_timeout(repositories.removals.finish(&removal.id)).await?;
    Ok(true)
}

async fn remove_processed(
    repositories: &Repositories,
    removal: &Removal,
    operation: &str,
    root: &str,
) -> Result<(), RepositoryError> {
    let mut receipts = pin!(with_default_timeout(repositories.receipts.of_operation(operation)).await?);
    while let Some(receipt) = with_default_timeout(receipts.try_next()).await? {
        let (failed, succeeded): (Vec<_>, Vec<_>) =
            receipt.records.into_iter().partition(|record| record.outcome == Outcome::Failed);
        let ids = |records: Vec<RecordReceipt>| records.into_iter().map(|record| record.id).collect::<Vec<StagedId>>();
        if receipt.record_type == RecordType::Message {
            let (kind, range) = (receipt.record_type, &receipt.range);
            with_default_timeout(repositories.staging.remove_range(root, kind, range, &ids(failed))).await?;
        } else {
            with_default_timeout(repositories.staging.remove(root, &ids(succeeded))).await?;
        }
        with_default_timeout(repositories.removals.keep(&removal.id)).await?;
    }
    let is_done = with_default_timeout(repositories.imports.find(operation)).await?;
    if is_done.is_some_and(|operation| operation.state() == Some(State::Done)) {
        remove_left_out(repositories, removal, root).await?;
    }
    Ok(())
}

/// Removes what nobody chose, as Rocket.Chat does at the end of a run.
async fn remove_left_out(repositories: &Repositories, removal: &Removal, root: &str) -> Result<(), RepositoryError> {
    let mut ids = pin!(with_default_timeout(repositories.staging.left_out(root)).await?);
    while let Some(ids) = ids.try_next().await? {
        with_default_timeout(repositories.staging.remove(root, &ids)).await?;
        with_default_timeout(repositories.removals.keep(&removal.id)).await?;
    }
    Ok(())
}

async fn remove_discarded(
    repositories: &Repositories,
    removal: &Removal,
    discarded: &Discarded,
) -> Result<(), RepositoryError> {
    let mut ids = pin!(with_default_timeout(repositories.staging.discarded(discarded)).await?);
    while let Some(ids) = ids.try_next().await? {
        with_default_timeout(repositories.staging.remove_discarded(discarded, &ids)).await?;
        with_default_timeout(repositories.removals.keep(&removal.id)).await?;
    }
    for root in &discarded.roots {
        with_default_timeout(repositories.keys.remove(root)).await?;
    }
    Ok(())
}
