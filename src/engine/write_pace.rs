//! How fast files are written: the oplog is the workspace's, and what floods it leaves secondaries behind.

use std::{num::NonZeroU64, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::repository::{Files, with_default_timeout};

/// How often to look how far the majority is behind.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How far it may be behind. Everything but the content of files waits for the majority, ten seconds at most: with more the
/// work would break off before it slows down.
const TOLERATED_LAG: Duration = Duration::from_secs(3);
/// How long to wait for it before the next look.
const LAG_PAUSE: Duration = Duration::from_secs(1);

/// The pace of all writers of this instance together.
#[derive(Debug)]
pub struct WritePace {
    bytes_per_second: Option<NonZeroU64>,
    /// When the next bytes may be written.
    next: Mutex<Instant>,
    next_look: Mutex<Instant>,
}

impl WritePace {
    /// A pace of so many bytes in a second; `None` for as many as the database takes.
    pub fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self { bytes_per_second, next: Mutex::new(Instant::now()), next_look: Mutex::new(Instant::now()) }
    }

    /// Waits for its turn to write so many bytes into the database of `files`.
    pub(super) async fn turn(&self, bytes: usize, files: &Files) {
        while self.is_time_to_look() {
            match with_default_timeout(files.majority_lag()).await {
                Ok(Some(lag)) if lag > TOLERATED_LAG => {
                    log::info!("a file waits: the majority of the database is {} s behind", lag.as_secs());
                    *self.next_look.lock() = Instant::now();
                    sleep(LAG_PAUSE).await;
                }
                _ => {}
            }
        }
        let Some(rate) = self.bytes_per_second else { return };
        let nanos = (bytes as u128 * 1_000_000_000) / u128::from(rate.get());
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let turn = {
            let mut next = self.next.lock();
            let turn = (*next).max(Instant::now());
            *next = turn + takes;
            turn
        };
        sleep_until(turn).await;
    }

    /// Whether nobody has looked for a while. The caller that gets a yes looks.
    fn is_time_to_look(&self) -> bool {
        let mut next_look = self.next_look.lock();
        let now = Instant::now();
        let is_time = *next_look <= now;
        if is_time {
            *next_look = now + LOOK_INTERVAL;
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_and_the_others_need_not() {
        let pace = WritePace::new(None);
        assert!(pace.is_time_to_look());
        assert!(!pace.is_time_to_look());
    }
}
