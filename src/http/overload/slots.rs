//! Requests in work, and those that wait for their turn.
//!
//! Callers that all ask in the same instant are no overload: a line takes them, first come, first served. A line that does not
//! get empty any more is one. It then helps nobody, because each who gets in has waited through all of it; so it is kept short
//! until it has been empty once.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::metrics::{GaugeGuard, OverloadMetrics};

/// How long a request waits for a place. Together with what the database may take for its reads it stays below the five
/// seconds in which an outage must be answered. A queue that was not empty for as long is no burst.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many may wait for each place when many ask at once.
const LINE_OF_A_MOMENT: usize = 16;
/// For how many places one may wait while there is more to do than can be done.
const PLACES_FOR_ONE_WAITING: usize = 4;

/// The places, and the line in front of them.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    line: WaitQueue,
    metrics: OverloadMetrics,
}

/// The right to be in work, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    _in_work: GaugeGuard,
}

impl Slots {
    pub(super) fn new(places: usize, metrics: OverloadMetrics) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), line: WaitQueue::before(places), metrics }
    }

    /// A place; `None` when there is none, and none to wait for.
    pub(super) async fn enter(&self) -> Option<Slot> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        Some(Slot { _permit: permit, _in_work: self.metrics.in_work() })
    }

    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let _position = self.line.join(Instant::now())?;
        let _waiting = self.metrics.waiting();
        timeout(PATIENCE, Arc::clone(&self.free).acquire_owned()).await.ok()?.ok()
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slots").field("free", &self.free.available_permits()).finish_non_exhaustive()
    }
}

/// Who waits. Only their number: the semaphore keeps them in order.
struct WaitQueue {
    state: Mutex<LineState>,
    /// How many may wait if the line was empty a moment ago.
    longest: usize,
    /// How many may wait if it was not.
    shortest: usize,
}

struct LineState {
    waiting: usize,
    last_empty: Instant,
}

impl WaitQueue {
    fn before(places: usize) -> Self {
        Self {
            state: Mutex::new(LineState { waiting: 0, last_empty: Instant::now() }),
            longest: places * LINE_OF_A_MOMENT,
            shortest: (places / PLACES_FOR_ONE_WAITING).max(1),
        }
    }

    fn join(&self, now: Instant) -> Option<Ticket<'_>> {
        let mut state = self.state.lock();
        if state.waiting == 0 {
            state.last_empty = now;
        }
        let of_a_moment = now.saturating_duration_since(state.last_empty) < PATIENCE;
        let room = if of_a_moment { self.longest } else { self.shortest };
        if state.waiting >= room {
            return None;
        }
        state.waiting += 1;
        Some(Ticket(self))
    }
}

struct Ticket<'a>(&'a WaitQueue);

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn join_until_full(line: &WaitQueue, now: Instant) -> Vec<Ticket<'_>> {
        std::iter::from_fn(|| line.join(now)).collect()
    }

    #[test]
    fn a_line_is_long_for_a_moment_and_short_until_it_was_empty_once() {
        let line = WaitQueue::before(16);
        let start = Instant::now();
        let mut waiting = join_until_full(&line, start);
        assert_eq!(waiting.len(), 256);
        let later = start + PATIENCE;
        waiting.truncate(10);
        assert!(line.join(later).is_none(), "ten wait where four may");
        waiting.truncate(3);
        assert_eq!(join_until_full(&line, later).len(), 1);
        drop(waiting);
        assert_eq!(join_until_full(&line, later).len(), 256, "it was empty");
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_place_that_is_given_up() {
        let places = Arc::new(Slots::new(1, OverloadMetrics::default()));
        let first = places.enter().await.unwrap();
        let second = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.enter().await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_is_borne_and_the_surplus_does_not_wait_at_all() {
        let places = Arc::new(Slots::new(1, OverloadMetrics::default()));
        let _kept = places.enter().await.unwrap();
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let places = Arc::clone(&places);
            callers.spawn(async move { (places.enter().await.is_some(), start.elapsed()) });
        }
        let refused = callers.join_all().await;
        assert!(refused.iter().all(|(entered, _)| !entered));
        let at_once = refused.iter().filter(|(_, waited)| *waited < PATIENCE / 2).count();
        assert_eq!(at_once, 4, "sixteen may wait: {refused:?}");
        assert!(refused.iter().all(|(_, waited)| *waited < PATIENCE * 3), "{refused:?}");
    }
}
