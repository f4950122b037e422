//! One who follows.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    feed::feed,
    timeline::{Detail, Timeline},
};
use crate::repository::{Reading, RepositoryError};

/// How long the feed may take to catch up with what the database says. A majority of the replica set may be behind.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for one thing the database has said, before the next question.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(50);

/// How much time one event takes up in all: with so many followers each hears so much less often.
const TIME_FOR_AN_EVENT: Duration = Duration::from_millis(1);
/// As many followers as this hear of every change. It moves ten times a second at most when this service imports.
const UNTHINNED_FOLLOWERS: u32 = 50;

/// Takes event after event from the timeline, at its own speed.
#[derive(Debug)]
pub(crate) struct Follower {
    timeline: watch::Receiver<Timeline>,
    state_change: watch::Receiver<u64>,
    stopping: CancellationToken,
    /// The number of the event that was sent last.
    told: u64,
    /// Before this only a change of state is sent.
    due: Instant,
    presence: FollowerGuard,
}

impl Follower {
    pub(super) async fn join(shared: &Arc<Shared>, last_seen: Option<&str>) -> Result<Self, RepositoryError> {
        let presence = FollowerGuard::begin(shared);
        let mut timeline = shared.timeline.subscribe();
        catch_up(shared, &mut timeline).await?;
        let told = timeline.borrow().number_of(last_seen);
        Ok(Self {
            timeline,
            state_change: shared.state_change.subscribe(),
            stopping: shared.stopping.clone(),
            told,
            due: Instant::now(),
            presence,
        })
    }

    /// Waits for the next event, as it goes over the wire; `None` when there will be no more. Nothing is lost if this is
    /// dropped.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.stopping.is_cancelled() {
                return None;
            }
            self.state_change.mark_unchanged();
            let rest = self.presence.rest();
            let detail = if rest.is_some() { Detail::StatesAndNewest } else { Detail::Everything };
            let now = Instant::now();
            let event = self.timeline.borrow_and_update().next_after(self.told, detail).cloned();
            match event {
                Some(event) if event.is_state_change || rest.is_none() || self.due <= now => {
                    self.told = event.number;
                    self.due = now + rest.unwrap_or_default();
                    return Some(event.bytes.clone());
                }
                Some(_) => tokio::select! {
                    () = sleep_until(self.due) => {}
                    changed = self.state_change.changed() => changed.ok()?,
                    () = self.stopping.cancelled() => return None,
                },
                None => tokio::select! {
                    changed = self.timeline.changed() => changed.ok()?,
                    () = self.stopping.cancelled() => return None,
                },
            }
        }
    }

    /// Resolves when there will be no more events.
    pub(crate) async fn ended(&self) {
        self.stopping.cancelled().await;
    }
}

/// Waits until the timeline is as far as the database was when this was called.
///
/// Followers never hear what the database says now beside the timeline: they would see the same changes in different
/// orders.
async fn catch_up(shared: &Shared, timeline: &mut watch::Receiver<Timeline>) -> Result<(), RepositoryError> {
    let started = Instant::now();
    loop {
        let now = shared.repositories.operation_feed.read().await?;
        shared.asked.notify_one();
        let has_come = timeline.wait_for(|timeline| is_as_far_as(timeline, &now));
        if timeout(CATCH_UP_INTERVAL, has_come).await.is_ok() {
            return Ok(());
        }
        if started.elapsed() > CATCH_UP_PATIENCE && timeline.borrow().newest().is_some() {
            log::debug!("the feed is behind the database");
            return Ok(());
        }
    }
}

fn is_as_far_as(timeline: &Timeline, reading: &Reading) -> bool {
    timeline.newest().is_some_and(|newest| {
        newest.operation == reading.operation || reading.read_by.is_some_and(|read_by| newest.moment > Some(read_by))
    })
}

/// Counts as a follower for as long as it lives.
#[derive(Debug)]
struct FollowerGuard {
    shared: Arc<Shared>,
}

impl FollowerGuard {
    fn begin(shared: &Arc<Shared>) -> Self {
        let mut is_fed = shared.is_fed();
        shared.followers.send_modify(|followers| *followers += 1);
        if !*is_fed {
            *is_fed = true;
            shared.runtime.spawn(feed(Arc::clone(shared)));
        }
        Self { shared: Arc::clone(shared) }
    }

    /// How long a follower is left alone after an event, if there are so many that each has to be.
    fn rest(&self) -> Option<Duration> {
        let followers = *self.shared.followers.borrow();
        let followers = u32::try_from(followers).unwrap_or(u32::MAX);
        (followers > UNTHINNED_FOLLOWERS).then(|| TIME_FOR_AN_EVENT.saturating_mul(followers))
    }
}

impl Drop for FollowerGuard {
    fn drop(&mut self) {
        self.shared.followers.send_modify(|followers| *followers -= 1);
    }
}
