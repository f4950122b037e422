//! The one task that turns changes into events.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{Shared, timeline::Timeline};
use crate::{
    domain::{
        field_value::Date,
        forecast::{Forecast, Pace},
        operation::Operation,
        stalled::Stalled,
    },
    repository::{ClusterTime, Snapshot},
    wire::status::live_status,
};

/// How long to go on without a follower. A follower who comes back meanwhile misses nothing.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long the database may take to say when a run began.
const READ_PATIENCE: Duration = Duration::from_secs(2);
/// How often to look whether nothing has moved for a while.
const STALLED_LOOK_INTERVAL: Duration = Duration::from_secs(1);

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
    let mut standing = Standing::default();
    loop {
        let Snapshot { operation, moment, is_next } = {
            let mut next = pin!(import.next());
            loop {
                tokio::select! {
                    snapshot = &mut next => break snapshot,
                    () = sleep(STALLED_LOOK_INTERVAL) => tell_if_stalled(shared, &mut standing).await,
                }
            }
        };
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
        standing = Standing { operation, moment, forecast, stalled: None };
        standing.stalled = standing.look(shared).await;
        standing.tell(shared);
        let newest = shared.timeline.borrow().newest().cloned();
        if let Some(event) = newest.filter(|event| event.is_state_change) {
            shared.state_change.send_replace(event.number);
        }
    }
}

/// The state of the last event.
#[derive(Default)]
struct Standing {
    operation: Option<Arc<Operation>>,
    moment: Option<ClusterTime>,
    forecast: Forecast,
    stalled: Option<Stalled>,
}

impl Standing {
    async fn look(&self, shared: &Shared) -> Option<Stalled> {
        let stalled = shared.repositories.leases.stalled(self.operation.as_ref()?, Date::now());
        timeout(READ_PATIENCE, stalled).await.ok()?.ok()?
    }

    fn tell(&self, shared: &Shared) {
        let data = match (&self.operation, self.stalled) {
            (Some(operation), Some(stalled)) => {
                // What does not move has no pace and comes to no end.
                let forecast = Forecast { users_per_second: 0.0, estimated_end: None, ..self.forecast };
                live_status(Some(&stalled.marked(operation)), &forecast)
            }
            (operation, _) => live_status(operation.as_deref(), &self.forecast),
        };
        let (operation, moment) = (self.operation.clone(), self.moment);
        shared.timeline.send_modify(|timeline| timeline.push(operation, moment, &data));
    }
}

/// Tells once more of an import that did not change, when there is something new to say of that.
async fn tell_if_stalled(shared: &Shared, standing: &mut Standing) {
    // The words follow from a span that nobody need ask the database for.
    let Some(operation) = &standing.operation else { return };
    let now = Date::now();
    if Stalled::since(operation, now).is_none()
        || standing.stalled.is_some_and(|told| told.words() == told.at(now).words())
    {
        return;
    }
    if let Some(stalled) = standing.look(shared).await {
        standing.stalled = Some(stalled);
        standing.tell(shared);
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
