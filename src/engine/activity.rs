//! Numbers of what the engine of this instance does, for everybody who wants to look.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use crate::domain::counts::Counts;

/// The numbers of one engine. Cheap to clone; all clones share them.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    numbers: Arc<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    imported: AtomicU64,
    failed: AtomicU64,
    batches_in_flight: AtomicI64,
    users_waiting: AtomicI64,
    runs: AtomicI64,
    loads: AtomicI64,
    records_staged: AtomicU64,
    elements_failed: AtomicU64,
    fetched: AtomicU64,
    not_fetched: AtomicU64,
    bytes_fetched: AtomicU64,
    files_left: AtomicU64,
    fetches_repeated: AtomicU64,
    fetches_paused: AtomicI64,
}

impl Activity {
    /// Users that this instance has processed since it was started.
    pub fn processed(&self) -> Counts {
        Counts {
            completed: self.numbers.imported.load(Ordering::Relaxed),
            error: self.numbers.failed.load(Ordering::Relaxed),
        }
    }

    /// Batches that are on their way to the database.
    pub fn batches_in_flight(&self) -> i64 {
        self.numbers.batches_in_flight.load(Ordering::Relaxed)
    }

    /// Staged users that the runs of this instance have yet to process.
    pub fn users_waiting(&self) -> i64 {
        self.numbers.users_waiting.load(Ordering::Relaxed)
    }

    /// Operations that this instance is running.
    pub fn runs(&self) -> i64 {
        self.numbers.runs.load(Ordering::Relaxed)
    }

    /// Files that this instance is loading.
    pub fn loads(&self) -> i64 {
        self.numbers.loads.load(Ordering::Relaxed)
    }

    /// Records of files that this instance has staged since it was started.
    pub fn records_staged(&self) -> u64 {
        self.numbers.records_staged.load(Ordering::Relaxed)
    }

    /// Elements of files that could not be staged.
    pub fn elements_failed(&self) -> u64 {
        self.numbers.elements_failed.load(Ordering::Relaxed)
    }

    /// Files and pictures that this instance has fetched, or could not fetch, since it was started.
    pub fn fetched(&self) -> Counts {
        Counts {
            completed: self.numbers.fetched.load(Ordering::Relaxed),
            error: self.numbers.not_fetched.load(Ordering::Relaxed),
        }
    }

    /// Bytes of files and pictures that came since it was started, also of those that did not come to their end.
    pub fn bytes_fetched(&self) -> u64 {
        self.numbers.bytes_fetched.load(Ordering::Relaxed)
    }

    /// Files and pictures that had come before, or that nothing waits for any more.
    pub fn files_left(&self) -> u64 {
        self.numbers.files_left.load(Ordering::Relaxed)
    }

    /// How often a file or a picture was tried once more.
    pub fn fetches_repeated(&self) -> u64 {
        self.numbers.fetches_repeated.load(Ordering::Relaxed)
    }

    /// Operations that fetch, and wait for a store or a database that is away.
    pub fn fetches_paused(&self) -> i64 {
        self.numbers.fetches_paused.load(Ordering::Relaxed)
    }

    /// A batch of a file was stored.
    pub(super) fn add_loaded(&self, staged: u64, failed: usize) {
        self.numbers.records_staged.fetch_add(staged, Ordering::Relaxed);
        self.numbers.elements_failed.fetch_add(u64::try_from(failed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Files or pictures have an outcome.
    pub(super) fn add_fetched(&self, processed: Counts) {
        self.numbers.fetched.fetch_add(processed.completed, Ordering::Relaxed);
        self.numbers.not_fetched.fetch_add(processed.error, Ordering::Relaxed);
    }

    /// Files or pictures were left as they were.
    pub(super) fn add_left(&self, files: u64) {
        self.numbers.files_left.fetch_add(files, Ordering::Relaxed);
    }

    /// A file or a picture is tried once more.
    pub(super) fn repeat_fetch(&self) {
        self.numbers.fetches_repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// An operation that fetches waits for as long as the guard lives.
    pub(super) fn pause_of_fetch(&self) -> GaugeGuard {
        GaugeGuard::start(self, |numbers| &numbers.fetches_paused)
    }

    /// Bytes of files or pictures came.
    pub(super) fn add_fetched_bytes(&self, bytes: u64) {
        self.numbers.bytes_fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add(&self, processed: Counts) {
        self.numbers.imported.fetch_add(processed.completed, Ordering::Relaxed);
        self.numbers.failed.fetch_add(processed.error, Ordering::Relaxed);
    }

    /// This many more users wait; fewer, if it is below zero.
    pub(super) fn change_waiting(&self, more: i64) {
        self.numbers.users_waiting.fetch_add(more, Ordering::Relaxed);
    }

    /// One batch is on its way for as long as the guard lives.
    pub(super) fn batch(&self) -> GaugeGuard {
        GaugeGuard::start(self, |numbers| &numbers.batches_in_flight)
    }

    /// One file is being loaded for as long as the guard lives.
    pub(super) fn load(&self) -> GaugeGuard {
        GaugeGuard::start(self, |numbers| &numbers.loads)
    }

    /// One operation is being run for as long as the guard lives.
    pub(super) fn run(&self) -> GaugeGuard {
        GaugeGuard::start(self, |numbers| &numbers.runs)
    }
}

/// Something that goes on while this lives.
#[derive(Debug)]
pub(super) struct GaugeGuard {
    numbers: Arc<Numbers>,
    number: fn(&Numbers) -> &AtomicI64,
}

impl GaugeGuard {
    fn start(activity: &Activity, number: fn(&Numbers) -> &AtomicI64) -> Self {
        let numbers = Arc::clone(&activity.numbers);
        number(&numbers).fetch_add(1, Ordering::Relaxed);
        Self { numbers, number }
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        (self.number)(&self.numbers).fetch_sub(1, Ordering::Relaxed);
    }
}
