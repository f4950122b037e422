//! When a delivery that did not arrive is tried again.

use std::time::Duration;

/// The rest after the first attempt; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait after this many attempts for an end that was to be reported this long ago; `None`: for ever.
///
/// `chance`, from 0 to 1, takes up to a half away, so that what failed together is not tried together.
pub(super) fn after(attempts: u32, age: Duration, chance: f64) -> Option<Duration> {
    let doublings = attempts.saturating_sub(1).min(16);
    let longest = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    (age < PATIENCE).then(|| longest.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_doubles_from_a_second_to_five_minutes_for_a_day() {
        let seconds = |attempts| after(attempts, Duration::ZERO, 0.0).unwrap().as_secs();
        let rests: Vec<u64> = [0, 1, 2, 3, 9, 10, 11, 1000, u32::MAX].map(seconds).into();
        assert_eq!(rests, [1, 1, 2, 4, 256, 300, 300, 300, 300]);
        assert_eq!(after(3, Duration::ZERO, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(after(400, Duration::from_secs(86_399), 0.5), Some(Duration::from_secs(225)));
        assert_eq!(after(400, Duration::from_secs(86_400), 0.5), None);
    }
}
