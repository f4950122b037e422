//! The patience with a database or a file that cannot be reached.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The first rest after an error; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Errors that may pass, since loading last got on.
#[derive(Debug)]
pub(in crate::engine) struct Retry {
    /// How long errors are borne.
    patience: Duration,
    since: Option<Instant>,
    backoff: Option<ExponentialBackoff>,
    /// Why loading is to fail. A verdict stays, also if it takes some time to store it.
    verdict: Option<String>,
}

impl Retry {
    pub(in crate::engine) const fn new(patience: Duration) -> Self {
        Self { patience, since: None, backoff: None, verdict: None }
    }

    pub(in crate::engine) fn verdict(&self) -> Option<String> {
        self.verdict.clone()
    }

    pub(in crate::engine) fn fail(&mut self, reason: String) {
        self.verdict.get_or_insert(reason);
    }

    /// A batch was stored.
    pub(in crate::engine) fn got_on(&mut self) {
        (self.since, self.backoff) = (None, None);
    }

    /// The rest before the next attempt. After too long without a batch, that attempt ends the operation.
    pub(in crate::engine) fn rest(&mut self, error: &str) -> Duration {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.patience {
            self.fail(format!("{error}, for {} s", self.patience.as_secs()));
        }
        let backoff = self.backoff.get_or_insert_with(|| {
            let backoff = ExponentialBuilder::new().with_min_delay(FIRST_BACKOFF).with_max_delay(LONGEST_BACKOFF);
            backoff.with_jitter().without_max_times().build()
        });
        backoff.next().unwrap_or(LONGEST_BACKOFF)
    }
}
