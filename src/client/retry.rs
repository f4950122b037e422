//! When to send a request again: exponential backoff with jitter, bounded by how long an outage is borne.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use super::error::ClientError;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a request may stay in work. The database ends the transaction of an instance that died after a minute.
const LONGEST_WORK: Duration = Duration::from_secs(100);
/// A server that says nothing but "wait" is given up on after so many times.
const MOST_REFUSALS: u32 = 30;

/// How long an outage is borne; `None` for as long as it takes.
pub(crate) type Patience = Option<Duration>;

/// The pauses between the tries of one request.
#[derive(Debug)]
pub(super) struct Retry {
    patience: Patience,
    pauses: ExponentialBackoff,
    failing_since: Option<Instant>,
    refusals: u32,
}

impl Retry {
    pub(super) fn new(patience: Patience) -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .without_max_times()
            .build();
        Self { patience, pauses, failing_since: None, refusals: 0 }
    }

    /// Waits before the next try, after telling `notice` why and for how long.
    ///
    /// # Errors
    /// With `error` itself when it will not pass, or patience is at its end.
    pub(super) async fn pause_after(
        &mut self,
        error: ClientError,
        notice: impl FnOnce(&ClientError, Duration),
    ) -> Result<(), ClientError> {
        if !error.is_passing() {
            return Err(error);
        }
        let pause = if let ClientError::TooManyRequests { wait } = &error {
            self.refusals += 1;
            if self.refusals > MOST_REFUSALS {
                return Err(error);
            }
            // Everybody who was told the same second would come back in it.
            *wait + FIRST_PAUSE.mul_f64(rand::random())
        } else {
            let since = *self.failing_since.get_or_insert_with(Instant::now);
            // Half of it to twice as long: what failed together is not tried together.
            let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE) / 2;
            // A server that works is no outage.
            let least = if matches!(error, ClientError::InWork) { LONGEST_WORK } else { Duration::ZERO };
            if self.patience.is_some_and(|patience| since.elapsed() + pause > patience.max(least)) {
                return Err(error);
            }
            pause
        };
        notice(&error, pause);
        sleep(pause).await;
        Ok(())
    }
}
