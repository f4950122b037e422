//! Files and pictures follow an import of a file by themselves.

use crate::{
    domain::{field_value::Date, importer::Importer, operation::State, progress_step::ProgressStep},
    engine::{Engine, Refusal},
    repository::{Repositories, with_default_timeout},
};
use std::time::Duration;

/// How long an import stays the newest operation after its end, so that everybody who follows it sees the end.
const REST: Duration = Duration::from_secs(3);
/// The last one is the newest operation afterwards.
const FOLLOWERS: [Importer; 2] = [Importer::PendingAvatars, Importer::PendingFiles];

/// How often fetching goes on by itself after a start of Rocket.Chat ended it.
const MOST_RESUMPTIONS: u64 = 5;

/// Goes on with an operation that fetches, and that something else than a call to this service ended.
pub(super) async fn resume(engine: &Engine) -> Result<(), Refusal> {
    let Repositories { imports, leases, .. } = &engine.shared.repositories;
    let Some(newest) = with_default_timeout(imports.newest()).await? else { return Ok(()) };
    let (Some(id), Some(importer)) = (newest.id(), newest.importer()) else { return Ok(()) };
    let was_under_way = newest.step().map(ProgressStep::state) == Some(State::Importing);
    let is_interrupted = importer.is_pending() && !newest.is_valid() && was_under_way && !newest.is_ended_by_call();
    if !is_interrupted || !newest.fetches() || newest.resumptions() >= MOST_RESUMPTIONS {
        return Ok(());
    }
    // Its counters are brought up to date first.
    if with_default_timeout(leases.is_leased(id)).await? {
        return Ok(());
    }
    let fetched = engine.operations().fetch_on(&newest, importer).await?;
    log::warn!("operation {id} was ended from outside; another one goes on with {fetched} records");
    Ok(())
}

/// Begins to fetch what imports left to be fetched that are done.
pub(super) async fn follow(engine: &Engine) -> Result<(), Refusal> {
    let Repositories { imports, .. } = &engine.shared.repositories;
    let rest = i64::try_from(REST.as_millis()).unwrap_or(i64::MAX);
    let before = Date::from_epoch_millis(Date::now().epoch_millis().saturating_sub(rest));
    for operation in with_default_timeout(imports.to_be_followed(before)).await? {
        let Some(id) = operation.id() else { continue };
        for importer in FOLLOWERS {
            let fetched = engine.operations().follow(id, operation.user().unwrap_or_default(), importer).await?;
            if fetched > 0 {
                log::info!("{} records of operation {id} are fetched by {}", fetched, importer.name());
            }
        }
        with_default_timeout(imports.note_followed(id)).await?;
    }
    Ok(())
}
