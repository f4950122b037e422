//! How fast a run goes: no faster than its pace, and slower while it keeps the workspace's people waiting.
//!
//! A run with messages measures, before it begins, how long a client waits that opens a room and stores something. It goes
//! on measuring beside its work. A look that takes many times as long makes the rest between batches longer, the later the
//! more; one that does not makes it a little shorter. The two balance where one look in a hundred is as late as people
//! notice, or more looks are less late. So a wait that comes now and then, whatever the run does, costs it nothing.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    domain::pace::Pace,
    repository::{Lease, Repositories, RepositoryError},
};

/// Looks before the work begins, and the time between them.
const IDLE_LOOKS: usize = 10;
const IDLE_INTERVAL: Duration = Duration::from_millis(20);
/// The time between looks beside the work.
const INTERVAL: Duration = Duration::from_millis(100);
/// A look that takes longer is given up, and is late.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many times the wait of an idle workspace a look may take.
const TOLERATED: u32 = 5;
/// No look is late that took less. Shorter waits come now and then, when the database writes its cache to the disk: a run
/// at a third of its rate has as many, so resting does nothing against them.
const UNNOTICED: Duration = Duration::from_millis(250);
/// A look that takes as long is as late as can be.
const NOTICED: Duration = Duration::from_millis(500);
/// The room that is opened. Every workspace has it.
const ROOM: &str = "GENERAL";
/// The rest after the first late look, and the longest. Others than the run may be what keeps clients waiting, so it always
/// goes on, with some thousands of records a second.
const FIRST_REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_millis(150);
/// The part of the rest that the latest look adds to it, and what a look in time leaves of it.
const LATEST_GROWTH: f64 = 0.5;
const IN_TIME_FACTOR: f64 = 0.996;
/// A rest so short is none.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// Says when the next batch may begin.
#[derive(Debug)]
pub(super) struct Throttle {
    pace: Mutex<Option<Pace>>,
    next: Mutex<Instant>,
    rest: Arc<Mutex<Rest>>,
    looks: Mutex<Option<AbortHandle>>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { pace: Mutex::default(), next: Mutex::new(Instant::now()), rest: Arc::default(), looks: Mutex::default() }
    }
}

/// The time between the beginnings of two batches.
#[derive(Debug, Default, Clone, Copy, PartialEq, PartialOrd)]
struct Rest(Duration);

/// The wait beyond which a look is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit(Duration);

impl Limit {
    /// The limit in a workspace whose clients wait so long while it is idle.
    fn beside(idle: Duration) -> Self {
        Self((idle * TOLERATED).max(UNNOTICED))
    }
}

impl Limit {
    /// How late a look is: from 0, in time, to 1.
    fn lateness(self, look: Duration) -> f64 {
        let Self(limit) = self;
        let latest = NOTICED.max(2 * limit);
        (look.saturating_sub(limit).as_secs_f64() / latest.saturating_sub(limit).as_secs_f64()).min(1.0)
    }
}

impl Rest {
    /// The rest after a look.
    fn after(self, look: Duration, limit: Limit) -> Self {
        let Self(rest) = self;
        let lateness = limit.lateness(look);
        if lateness > 0.0 {
            return Self(rest.mul_f64(1.0 + LATEST_GROWTH * lateness).clamp(FIRST_REST, LONGEST_REST));
        }
        let shorter = Some(rest.mul_f64(IN_TIME_FACTOR)).filter(|rest| *rest >= SHORTEST_REST);
        Self(shorter.unwrap_or_default())
    }
}

impl Throttle {
    /// From now on batches go no faster than this pace.
    pub(super) fn bound(&self, pace: Option<Pace>) {
        *self.pace.lock() = pace;
    }

    /// Measures the workspace as it is, and from then on what the work makes of it, until this value is dropped.
    pub(super) async fn mind(&self, repositories: &Repositories, lease: &Lease) {
        let looker = Looker { repositories: repositories.clone(), lease: lease.clone() };
        let mut idle = Duration::ZERO;
        for _ in 0..IDLE_LOOKS {
            // A database that does not answer is the work's to notice.
            let Ok(Ok(took)) = timeout(PATIENCE, looker.look()).await else { break };
            idle = idle.max(took);
            sleep(IDLE_INTERVAL).await;
        }
        let limit = Limit::beside(idle);
        log::debug!("operation {}: clients wait up to {idle:?}, and {:?} is too long", lease.operation, limit.0);
        let looks = tokio::spawn(looker.go_on(limit, Arc::clone(&self.rest))).abort_handle();
        if let Some(before) = self.looks.lock().replace(looks) {
            before.abort();
        }
    }

    /// When the next batch may begin.
    pub(super) fn next(&self) -> Instant {
        *self.next.lock()
    }

    /// A batch of so many records begins.
    pub(super) fn begin(&self, records: usize) {
        let due = self.pace.lock().map(|pace| pace.time_for(records)).unwrap_or_default();
        let takes = due.max(self.rest.lock().0);
        let mut next = self.next.lock();
        *next = (*next).max(Instant::now()) + takes;
    }

    /// The records of a batch, of which a larger one has `most`.
    pub(super) fn batch_records(&self, most: usize) -> usize {
        self.pace.lock().map_or(most, |pace| pace.batch_records(most))
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        if let Some(looks) = self.looks.lock().take() {
            looks.abort();
        }
    }
}

/// Does what a client does, for the time that takes.
struct Looker {
    repositories: Repositories,
    lease: Lease,
}

impl Looker {
    /// How long the slower of a read and a write takes.
    async fn look(&self) -> Result<Duration, RepositoryError> {
        let started = Instant::now();
        self.repositories.messages.open_history(ROOM).await?;
        let read = started.elapsed();
        let started = Instant::now();
        // A small write, and one that does no harm.
        self.repositories.leases.renew(&self.lease).await?;
        Ok(read.max(started.elapsed()))
    }

    async fn go_on(self, limit: Limit, rest: Arc<Mutex<Rest>>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let look = match timeout(PATIENCE, self.look()).await {
                Ok(Ok(took)) => took,
                Ok(Err(_)) => continue,
                Err(_) => PATIENCE,
            };
            let mut rest = rest.lock();
            let after = rest.after(look, limit);
            if *rest == Rest::default() && after != *rest {
                log::info!("operation {} makes way: a client waited {look:.1?}", self.lease.operation);
            }
            *rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit(UNNOTICED);

    fn late(rest: Rest) -> Rest {
        rest.after(NOTICED, LIMIT)
    }

    fn in_time(rest: Rest) -> Rest {
        rest.after(LIMIT.0, LIMIT)
    }

    #[test]
    fn late_looks_make_a_run_rest_and_looks_in_time_let_it_go_on() {
        assert_eq!(in_time(Rest::default()), Rest::default());
        let first = late(Rest::default());
        assert_eq!(first, Rest(FIRST_REST));
        assert!(late(first) > first && in_time(first) < first);
        assert_eq!((0..9).fold(first, |rest, _| late(rest)), Rest(LONGEST_REST));
        assert_eq!((0..10_000).fold(Rest(LONGEST_REST), |rest, _| in_time(rest)), Rest::default());
    }

    /// What `late_looks` of so long among a hundred make of a rest.
    fn after_a_hundred(begin: Rest, late_looks: usize, look: Duration) -> Rest {
        (0..100).fold(begin, |rest, number| rest.after(if number < late_looks { look } else { LIMIT.0 }, LIMIT))
    }

    #[test]
    fn one_look_in_a_hundred_that_people_notice_keeps_the_rest_about_as_it_is() {
        let begin = Rest(Duration::from_millis(40));
        for look in [NOTICED, PATIENCE] {
            let end = after_a_hundred(begin, 1, look);
            assert!(end.0.abs_diff(begin.0) < Duration::from_millis(1), "{end:?}");
        }
        assert!(after_a_hundred(begin, 2, NOTICED) > begin);
    }

    #[test]
    fn the_less_late_looks_are_the_more_there_may_be() {
        let begin = Rest(Duration::from_millis(40));
        let little_late = LIMIT.0 + NOTICED.saturating_sub(LIMIT.0) / 10;
        assert!(after_a_hundred(begin, 5, little_late) < begin);
        assert!(after_a_hundred(begin, 10, little_late) > begin);
    }

    #[test]
    fn the_limit_follows_the_idle_wait() {
        let of = |millis| Limit::beside(Duration::from_millis(millis)).0;
        assert_eq!([of(1), of(60)], [UNNOTICED, Duration::from_millis(300)]);
    }

    #[test]
    fn batches_begin_as_far_apart_as_the_pace_says() {
        let throttle = Throttle::default();
        throttle.bound(Pace::new(1000));
        assert_eq!(throttle.batch_records(500), 250);
        let started = Instant::now();
        throttle.begin(250);
        throttle.begin(250);
        let took = throttle.next() - started;
        assert!((Duration::from_millis(500)..Duration::from_millis(600)).contains(&took), "{took:?}");
    }
}
