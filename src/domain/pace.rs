//! How fast a run may write.

use std::{num::NonZeroU32, time::Duration};

/// Batches that a second holds at least, so that a slow run writes evenly and not in gusts.
const BATCHES_PER_SECOND: u32 = 4;

/// The most records that a run writes in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(NonZeroU32);

impl Pace {
    /// Returns the pace; `None` for zero, which bounds nothing.
    #[must_use]
    pub const fn new(records_per_second: u32) -> Option<Self> {
        match NonZeroU32::new(records_per_second) {
            Some(records) => Some(Self(records)),
            None => None,
        }
    }

    /// Returns the records in a second.
    #[must_use]
    pub const fn records_per_second(self) -> u32 {
        self.0.get()
    }

    /// Returns how long so many records take.
    #[must_use]
    pub fn time_for(self, records: usize) -> Duration {
        Duration::from_secs(1).mul_f64(count(records) / f64::from(self.0.get()))
    }

    /// Returns the records of a batch, of which a larger one has `most`.
    #[must_use]
    pub fn batch_records(self, most: usize) -> usize {
        let even = usize::try_from(self.0.get() / BATCHES_PER_SECOND).unwrap_or(usize::MAX);
        even.clamp(1, most)
    }
}

fn count(records: usize) -> f64 {
    f64::from(u32::try_from(records).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_run_writes_small_batches_and_a_fast_one_whole_ones() {
        let pace = |records| Pace::new(records).unwrap();
        assert_eq!(Pace::new(0), None);
        assert_eq!([1, 10, 400, 100_000].map(|records| pace(records).batch_records(500)), [1, 2, 100, 500]);
        assert_eq!(pace(100).time_for(25), Duration::from_millis(250));
    }
}
