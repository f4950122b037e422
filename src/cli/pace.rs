//! The pace of a piece of work, and its end at that pace.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, HumanDuration};

use super::console::Unit;

/// The span that the pace is measured over.
const WINDOW: Duration = Duration::from_secs(10);
/// Notes that come faster than this are not all kept.
const STEP: Duration = Duration::from_millis(20);
/// Shorter spans say little.
const SHORTEST: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct Pace {
    unit: Unit,
    seen: VecDeque<(Instant, u64)>,
}

impl Pace {
    pub(super) fn of(unit: Unit) -> Self {
        Self { unit, seen: VecDeque::new() }
    }

    /// The words for so many done of `total`: the pace, and the time left where the total is known.
    pub(super) fn note(&mut self, done: u64, total: Option<u64>) -> String {
        self.note_at(Instant::now(), done, total)
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for people"
    )]
    fn note_at(&mut self, now: Instant, done: u64, total: Option<u64>) -> String {
        if self.seen.back().is_none_or(|(last, _)| *last + STEP <= now) {
            self.seen.push_back((now, done));
        }
        while self.seen.len() > 2 && self.seen[1].0 + WINDOW < now {
            self.seen.pop_front();
        }
        let Some((since, before)) = self.seen.front().copied() else { return String::new() };
        let span = now - since;
        if span < SHORTEST || done <= before {
            return String::new();
        }
        let rate = (done - before) as f64 / span.as_secs_f64();
        let pace = match self.unit {
            Unit::Count => format!("{rate:.0}/s"),
            Unit::Bytes => format!("{}/s", HumanBytes(rate as u64)),
        };
        match total.filter(|total| *total > done) {
            Some(total) => {
                let left = Duration::from_secs(((total - done) as f64 / rate).ceil() as u64);
                format!("{pace}, {} left", HumanDuration(left))
            }
            None => pace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_pace_of_the_last_seconds() {
        let (mut pace, begun) = (Pace::of(Unit::Count), Instant::now());
        assert_eq!(pace.note_at(begun, 0, Some(1000)), "");
        assert_eq!(pace.note_at(begun + Duration::from_secs(2), 200, Some(1000)), "100/s, 8 seconds left");
        let slower = pace.note_at(begun + Duration::from_secs(20), 220, Some(1000));
        assert_eq!(slower, "1/s, 12 minutes left");
        assert_eq!(pace.note_at(begun + Duration::from_secs(21), 1000, Some(1000)), "42/s");
    }

    #[test]
    fn what_is_noted_all_the_time_takes_no_more_room_than_its_window() {
        let (mut pace, begun) = (Pace::of(Unit::Count), Instant::now());
        for done in 0..40_000_u32 {
            pace.note_at(begun + Duration::from_millis(1) * done, done.into(), None);
        }
        assert!(pace.seen.len() < 600, "{}", pace.seen.len());
        assert_eq!(pace.note_at(begun + Duration::from_secs(40), 40_000, None), "1000/s");
    }
}
