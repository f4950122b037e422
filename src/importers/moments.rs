//! Times in files, and the rule by which no two messages of a room share a millisecond.

use std::{collections::HashMap, hash::Hash};

use chrono::{DateTime, NaiveDate, NaiveDateTime};

const MICROS_PER_SECOND: u64 = 1_000_000;
const MICROS_PER_MILLI: u64 = 1_000;
/// Below this, a number of CSV files counts seconds: as milliseconds it would lie before March 1973.
const SECONDS_END: f64 = 1e11;
/// From here on it counts microseconds: as milliseconds it would lie after the year 5138.
const MICROS_BEGIN: f64 = 1e14;
/// ECMAScript's dates end here, in milliseconds.
const LAST_MILLIS: f64 = 8.64e15;

/// Formats of dates without a zone, which are taken for UTC.
const ZONELESS: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

/// The time of a Slack message in microseconds since 1970: whole seconds, a dot, and a fraction.
pub(super) fn slack_micros(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || seconds.is_empty() {
        return None;
    }
    if !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = format!("{fraction:0<6}").get(..6)?.parse::<u64>().ok()?;
    let seconds: u64 = seconds.parse().ok().filter(|seconds| *seconds < 100_000_000_000)?;
    Some(seconds * MICROS_PER_SECOND + micros)
}

/// A time of Slack in milliseconds.
pub(super) fn slack_millis(text: &str) -> Option<i64> {
    i64::try_from(slack_micros(text)? / MICROS_PER_MILLI).ok()
}

/// A time as it stands in a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) millis: i64,
    /// Whether it stood there in milliseconds, as Rocket.Chat's form wants it.
    pub(super) in_millis: bool,
}

/// The time in a field: milliseconds, or what else people write: seconds, microseconds, ISO 8601.
#[allow(clippy::cast_possible_truncation, reason = "the number is within what a date holds")]
pub(super) fn told(text: &str) -> Option<Told> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number {
        let number: f64 = text.parse().ok()?;
        let (millis, in_millis) = match number {
            _ if number <= 0.0 => return None,
            _ if number < SECONDS_END => (number * 1000.0, false),
            _ if number >= MICROS_BEGIN => (number / 1000.0, false),
            _ => (number, true),
        };
        return (millis < LAST_MILLIS).then_some(Told { millis: millis as i64, in_millis });
    }
    let date = DateTime::parse_from_rfc3339(text).map(|date| date.timestamp_millis()).ok();
    let date = date.or_else(|| {
        let zoneless = ZONELESS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
        zoneless.or_else(midnight).map(|date| date.and_utc().timestamp_millis())
    });
    date.map(|millis| Told { millis, in_millis: false })
}

/// The milliseconds of messages that do not get the one their own time says.
///
/// Rocket.Chat sorts a room by whole milliseconds. Messages that would share one get the next free one each, in the
/// order of their full times; a message later than all others changes nothing for those before it.
#[derive(Debug)]
pub(super) struct Moments<K> {
    moved: HashMap<K, i64>,
}

impl<K: Copy + Ord + Hash> Moments<K> {
    /// `times` are keys that rise with time, with how many milliseconds each of them needs.
    pub(super) fn new(mut times: Vec<(K, u32)>, millis_of: impl Fn(K) -> i64) -> Self {
        times.sort_unstable();
        let mut moved = HashMap::new();
        let mut free = i64::MIN;
        for (key, needed) in times {
            let said = millis_of(key);
            let given = said.max(free);
            if given != said {
                moved.insert(key, given);
            }
            free = given + i64::from(needed);
        }
        Self { moved }
    }

    /// The millisecond of a key whose own would be `said`.
    pub(super) fn of(&self, key: K, said: i64) -> i64 {
        self.moved.get(&key).copied().unwrap_or(said)
    }
}

/// The milliseconds of a Slack time.
pub(super) fn millis_of_micros(micros: u64) -> i64 {
    i64::try_from(micros / MICROS_PER_MILLI).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_slack_keep_their_fraction() {
        assert_eq!(slack_micros("1600000200.000100"), Some(1_600_000_200_000_100));
        assert_eq!(slack_micros("1600000200"), Some(1_600_000_200_000_000));
        for bad in ["", "x", "-1.0", "1600000200.0x", "1e9", ".5"] {
            assert_eq!(slack_micros(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_of_csv_files_are_recognised_or_refused_but_never_1970() {
        let millis = |text| told(text).map(|told| told.millis);
        assert_eq!(millis("1479162481336"), Some(1_479_162_481_336));
        assert_eq!(millis(" 1479162481336.9"), Some(1_479_162_481_336));
        assert_eq!(millis("1479162481"), Some(1_479_162_481_000));
        assert_eq!(millis("1479162481336000"), Some(1_479_162_481_336));
        assert_eq!(millis("2016-11-14T22:28:01Z"), Some(1_479_162_481_000));
        assert_eq!(millis("2016-11-14T23:28:01.5+01:00"), Some(1_479_162_481_500));
        assert_eq!(millis("2016-11-14 22:28"), Some(1_479_162_480_000));
        assert_eq!(millis("2016-11-14"), Some(1_479_081_600_000));
        for bad in ["", "yesterday", "0", "1.2.3", "14/11/2016", "99999999999999999999"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn messages_that_share_a_millisecond_get_the_next_free_one_in_their_order() {
        let times = [5_000_300, 5_000_100, 5_000_200, 5_002_000, 5_000_900, 9_000_000];
        let moments = Moments::new(times.iter().map(|time| (*time, 1)).collect(), millis_of_micros);
        let given = |micros| moments.of(micros, millis_of_micros(micros));
        let mut sorted = times;
        sorted.sort_unstable();
        assert_eq!(sorted.map(given), [5_000, 5_001, 5_002, 5_003, 5_004, 9_000]);
    }
}
