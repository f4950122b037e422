//! Numbers of what the engine of this instance does, for everybody who wants to look.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use crate::domain::counts::Counts;

/// The numbers of one engine. Cheap to clone; all clones share them.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Users that this instance has imported.
    pub imported: Counter,
    /// Users that this instance could not import.
    pub failed: Counter,
    /// Batches that are on their way to the database.
    pub batches_in_flight: Gauge,
    /// Staged users that the runs of this instance have yet to process.
    pub users_waiting: Gauge,
    /// Operations that this instance is running.
    pub runs: Gauge,
    /// Files that this instance is loading.
    pub loads: Gauge,
    /// Records of files that this instance has staged.
    pub records_staged: Counter,
    /// Elements of files that could not be staged.
    pub elements_failed: Counter,
    /// Files and pictures that this instance has fetched.
    pub fetched: Counter,
    /// Files and pictures that this instance could not fetch.
    pub not_fetched: Counter,
    /// Bytes of files and pictures that came, also of those that did not come to their end.
    pub bytes_fetched: Counter,
    /// Files and pictures that had come before, or that nothing waits for any more.
    pub files_left: Counter,
    /// How often a file or a picture was tried once more.
    pub fetches_repeated: Counter,
    /// Operations that fetch, and wait for a store or a database that is away.
    pub fetches_paused: Gauge,
}

/// A number that grows from the start of the instance on.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

/// A number of things that are so now.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

/// One more in a gauge for as long as this lives.
#[derive(Debug)]
pub(super) struct GaugeGuard(Gauge);

impl Activity {
    /// Counts users that have an outcome.
    pub(super) fn add_processed(&self, processed: Counts) {
        self.imported.add(processed.completed);
        self.failed.add(processed.error);
    }

    /// Counts files or pictures that have an outcome.
    pub(super) fn add_fetched(&self, processed: Counts) {
        self.fetched.add(processed.completed);
        self.not_fetched.add(processed.error);
    }
}

impl Counter {
    /// The number so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

impl Gauge {
    /// The number now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds this many; takes them away, if it is below zero.
    pub(super) fn change(&self, more: i64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Adds one for as long as the guard lives.
    pub(super) fn one_more(&self) -> GaugeGuard {
        self.change(1);
        GaugeGuard(self.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}
