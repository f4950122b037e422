//! Commands to the database, and the pool of connections to it.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::SECONDS;
use crate::repository::{CommandOutcome, ConnectionName, Observer, PoolEvent};

/// A wait for a connection that is longer than this has been given up: no request waits as long, and the driver does not
/// report it.
const WAITING_PATIENCE: Duration = Duration::from_secs(10);

/// Counters of commands and the state of the pool. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(super) struct DatabaseMetrics {
    durations: Family<Command, Histogram, fn() -> Histogram>,
    failures: Family<Command, Counter>,
    checkout_failures: Counter,
    open: Gauge,
    in_use: Gauge,
    waiting: Gauge,
    pool: Arc<Mutex<Pool>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Command {
    command: String,
}

/// Names and not numbers, because the driver also returns connections that were never taken: those that arrived after
/// their request had given up.
#[derive(Debug, Default)]
struct Pool {
    open: HashSet<ConnectionName>,
    in_use: HashSet<ConnectionName>,
    /// The start of each wait, the longest first.
    waiting: VecDeque<Instant>,
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            failures: Family::default(),
            checkout_failures: Counter::default(),
            open: Gauge::default(),
            in_use: Gauge::default(),
            waiting: Gauge::default(),
            pool: Arc::default(),
        };
        registry.register_with_unit(
            "mongodb_command_duration",
            "From sending a command to its answer or its failure",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "mongodb_command_failures",
            "Commands that MongoDB refused or whose connection broke",
            metrics.failures.clone(),
        );
        let pool = registry.sub_registry_with_prefix("mongodb_pool");
        pool.register("connections_open", "Connections to MongoDB", metrics.open.clone());
        pool.register("connections_in_use", "Connections to MongoDB that are at work", metrics.in_use.clone());
        pool.register("checkouts_waiting", "Commands that wait for a connection", metrics.waiting.clone());
        pool.register("checkout_failures", "Commands that got no connection", metrics.checkout_failures.clone());
        metrics
    }

    /// Updates the gauges.
    pub(super) fn refresh(&self) {
        let mut pool = self.pool.lock();
        pool.forget_the_impatient();
        self.open.set(count(pool.open.len()));
        self.in_use.set(count(pool.in_use.len()));
        self.waiting.set(count(pool.waiting.len()));
    }
}

impl Observer for DatabaseMetrics {
    fn command(&self, name: &str, took: Duration, outcome: CommandOutcome) {
        let command = Command { command: name.to_owned() };
        self.durations.get_or_create(&command).observe(took.as_secs_f64());
        // Also when it has not failed: a number that is not there cannot be seen to rise.
        self.failures.get_or_create(&command).inc_by(u64::from(outcome == CommandOutcome::Failed));
    }

    fn pool(&self, event: PoolEvent) {
        if matches!(event, PoolEvent::Missed(_)) {
            self.checkout_failures.inc();
        }
        self.pool.lock().note(event, Instant::now());
    }
}

impl Pool {
    fn note(&mut self, event: PoolEvent, now: Instant) {
        match event {
            PoolEvent::Opened(name) => {
                self.open.insert(name);
            }
            PoolEvent::Closed(name) => {
                self.in_use.remove(&name);
                self.open.remove(&name);
            }
            PoolEvent::TakenOut(name) => {
                self.in_use.insert(name);
            }
            PoolEvent::GivenBack(name) => {
                self.in_use.remove(&name);
            }
            PoolEvent::Wanted => {
                self.forget_the_impatient();
                self.waiting.push_back(now);
            }
            PoolEvent::Got(waited) | PoolEvent::Missed(waited) => self.no_longer_waits(now, waited),
        }
    }

    /// Returns the wait that began about this long ago.
    fn no_longer_waits(&mut self, now: Instant, waited: Duration) {
        let off = |since: &Instant| now.duration_since(*since).abs_diff(waited);
        let closest = self.waiting.iter().enumerate().min_by_key(|(_, since)| off(since)).map(|(position, _)| position);
        if let Some(position) = closest {
            self.waiting.remove(position);
        }
    }

    fn forget_the_impatient(&mut self) {
        while self.waiting.front().is_some_and(|since| since.elapsed() > WAITING_PATIENCE) {
            self.waiting.pop_front();
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_up_waiting_is_forgotten_and_not_mistaken_for_whoever_got_a_connection() {
        let Some(start) = Instant::now().checked_sub(WAITING_PATIENCE + Duration::from_secs(1)) else { return };
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pool = Pool { waiting: VecDeque::from([at(0), at(8), at(9)]), ..Pool::default() };
        // The second got one, after a second.
        pool.note(PoolEvent::Got(Duration::from_secs(1)), at(9));
        assert_eq!(pool.waiting, [at(0), at(9)]);
        pool.forget_the_impatient();
        assert_eq!(pool.waiting, [at(9)]);
    }
}
