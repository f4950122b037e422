//! The one task that turns changes into events.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Shared, timeline::Timeline};
use crate::{
    domain::{
        field_value::Date,
        forecast::{Forecast, Pace},
        operation::Operation,
    },
    repository::Snapshot,
    wire::status::live_status,
};

/// How long to go on without a follower. A follower who comes back meanwhile misses nothing.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long the database may take to say when a run began.
const READ_PATIENCE: Duration = Duration::from_secs(2);

/// Feeds the timeline until there has been no follower for some time.
pub(super) async fn feed(shared: Arc<Shared>) {
    tokio::select! {
        () = tell_changes(&shared) => {}
        () = deserted(&shared) => log::debug!("nobody follows the import any more"),
        () = shared.stopping.cancelled() => {}
    }
}

async fn tell_changes(shared: &Shared) {
    let mut import = shared.repositories.operation_feed.follow(Arc::clone(&shared.asked));
    let mut pace = Pace::default();
    loop {
        let Snapshot { operation, moment, is_next } = import.next().await;
        if !is_next {
            shared.timeline.send_modify(Timeline::forget_the_past);
        }
        let newest = shared.timeline.borrow().newest().cloned();
        let told = newest.as_ref().and_then(|newest| newest.operation.as_ref());
        if newest.is_some() && told == operation.as_ref() {
            continue;
        }
        if let (Some(operation), Some(told)) = (&operation, told)
            && operation.goes_back_behind(told)
        {
            log::debug!("a state of the import that is older than the last one is not told");
            continue;
        }
        let forecast = match &operation {
            None => Forecast::default(),
            Some(operation) => {
                let began = if pace.lacks_beginning_of(operation) { began(shared, operation).await } else { None };
                pace.observe(operation, began)
            }
        };
        let data = live_status(operation.as_deref(), &forecast);
        shared.timeline.send_modify(|timeline| timeline.push(operation, moment, &data));
        let newest = shared.timeline.borrow().newest().cloned();
        if let Some(event) = newest.filter(|event| event.is_state_change) {
            shared.state_change.send_replace(event.number);
        }
    }
}

/// When the run of this operation began, if this service runs it.
async fn began(shared: &Shared, operation: &Operation) -> Option<Date> {
    let began = shared.repositories.leases.began(operation.id()?);
    timeout(READ_PATIENCE, began).await.ok()?.ok()?
}

/// Resolves when there has been no follower for some time, and leaves the hub without a feed.
async fn deserted(shared: &Shared) {
    let mut followers = shared.followers.subscribe();
    loop {
        // The sender lives as long as `shared`.
        let _ = followers.wait_for(|followers| *followers == 0).await;
        if timeout(PATIENCE, followers.changed()).await.is_ok() {
            continue;
        }
        let mut is_fed = shared.is_fed();
        if *shared.followers.borrow() == 0 {
            // Whoever comes later must not take for the present what was true now.
            shared.timeline.send_modify(Timeline::clear);
            *is_fed = false;
            return;
        }
    }
}
