//! The patience with a database, a store or a file that cannot be reached.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The first rest after an error; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Errors that may pass, since the work last got on.
#[derive(Debug)]
pub(super) struct Patience {
    /// How long errors are borne.
    retry_for: Duration,
    since: Option<Instant>,
    backoff: Option<ExponentialBackoff>,
    /// Why the work is to fail. A verdict stays, also if it takes some time to store it.
    verdict: Option<String>,
}

impl Patience {
    pub(super) const fn new(retry_for: Duration) -> Self {
        Self { retry_for, since: None, backoff: None, verdict: None }
    }

    pub(super) fn verdict(&self) -> Option<String> {
        self.verdict.clone()
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.verdict.get_or_insert(reason);
    }

    /// Some of the work was done.
    pub(super) fn got_on(&mut self) {
        (self.since, self.backoff) = (None, None);
    }

    /// The rest before the next attempt. After too long without getting on, that attempt ends the work.
    pub(super) fn rest(&mut self, error: &str) -> Duration {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.retry_for {
            self.fail(format!("{error}, for {} s", self.retry_for.as_secs()));
        }
        let backoff = self.backoff.get_or_insert_with(|| {
            let backoff = ExponentialBuilder::new().with_min_delay(FIRST_BACKOFF).with_max_delay(LONGEST_BACKOFF);
            backoff.with_jitter().without_max_times().build()
        });
        backoff.next().unwrap_or(LONGEST_BACKOFF)
    }
}
