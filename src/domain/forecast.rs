//! The forecast of an import: its pace and its end, derived from the changes of its operation.

use std::collections::VecDeque;

use super::{
    field_value::Date,
    operation::{Operation, State},
};

/// The span that the current pace is measured over, in milliseconds.
const WINDOW_MILLIS: i64 = 10_000;
const MILLIS_PER_SECOND: f64 = 1000.0;

/// Progress, pace and expected end of an import, as of the last change of its operation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Forecast {
    /// Processed users in percent of `count.total`, rounded down; 100 when the import is done.
    pub percent: u64,
    /// During the run the pace of the last ten seconds; after it that of the whole run; before it 0.
    pub users_per_second: f64,
    /// The same for bytes of files; `None` for an operation that fetches none.
    pub bytes_per_second: Option<f64>,
    /// The end at this pace; `None` unless the import runs and advances.
    pub estimated_end: Option<Date>,
    /// From the start of the run to the last change; 0 before it. If the start is unknown, from the creation of the
    /// operation.
    pub elapsed_seconds: f64,
}

/// The changes of one operation after the other.
///
/// All times are the operation's own (`_updatedAt`), so every observer of the same changes gets the same forecast.
#[derive(Debug, Default)]
pub struct Pace {
    operation: String,
    began: Beginning,
    /// Processed users over time.
    processed: Changes,
    /// Fetched bytes over time.
    bytes: Changes,
}

/// A number over time, the latest last; never two entries of the same time.
#[derive(Debug, Default)]
struct Changes(VecDeque<(Date, u64)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Beginning {
    /// The run has not begun.
    #[default]
    ToCome,
    Known(Date),
    /// The run had begun, or ended, before the first change seen here.
    Unseen,
}

impl Pace {
    /// Returns whether this operation runs and the start of its run is unknown.
    #[must_use]
    pub fn lacks_beginning_of(&self, operation: &Operation) -> bool {
        let is_known = self.operation == operation.id().unwrap_or_default();
        operation.state() == Some(State::Importing) && (!is_known || self.began == Beginning::Unseen)
    }

    /// Returns the forecast after this change of `operation`. `began` is the start of its run, if known from elsewhere.
    pub fn observe(&mut self, operation: &Operation, began: Option<Date>) -> Forecast {
        let id = operation.id().unwrap_or_default();
        let is_first = self.operation != id || (id.is_empty() && self.processed.0.is_empty());
        if is_first {
            *self = Self { operation: id.to_owned(), ..Self::default() };
        }
        let state = operation.state();
        let changed = operation.updated_at();
        self.begin(state, began, changed, is_first);
        let processed = operation.counts().processed();
        if state == Some(State::Importing)
            && let Some(changed) = changed
        {
            self.processed.add(changed, processed);
            if let Some((bytes, _)) = operation.fetched_bytes() {
                self.bytes.add(changed, bytes);
            }
        }

        let elapsed = self.elapsed_millis(operation, changed);
        let pace_of = |number: u64, changes: &Changes| match state {
            Some(State::Importing) => changes.recent_pace().unwrap_or_else(|| rate(number, elapsed)),
            _ => rate(number, elapsed),
        };
        let users_per_second = pace_of(processed, &self.processed);
        let fetched = operation.fetched_bytes();
        let bytes_per_second = fetched.map(|(bytes, _)| pace_of(bytes, &self.bytes));
        let left = operation.count("total").saturating_sub(processed);
        // Files differ too much in size to be counted, where bytes are known.
        let (left, pace) = match fetched.zip(bytes_per_second) {
            Some(((bytes, total), pace)) if total > bytes => (total - bytes, pace),
            _ => (left, users_per_second),
        };
        let estimated_end = changed.filter(|_| state == Some(State::Importing) && pace > 0.0);
        Forecast {
            percent: percent(operation),
            users_per_second: tenths(users_per_second),
            bytes_per_second: bytes_per_second.map(tenths),
            estimated_end: estimated_end.map(|changed| after(changed, left, pace)),
            elapsed_seconds: tenths(float(elapsed) / MILLIS_PER_SECOND),
        }
    }

    fn begin(&mut self, state: Option<State>, told: Option<Date>, changed: Option<Date>, is_first: bool) {
        let is_to_come = matches!(state, None | Some(State::New | State::Loading | State::Ready));
        if let Some(told) = told.filter(|_| !is_to_come) {
            self.began = Beginning::Known(told);
        } else if self.began == Beginning::ToCome && !is_to_come {
            // Seen from the beginning, the first change of a run is the one that began it.
            let seen = changed.filter(|_| !is_first && state == Some(State::Importing));
            self.began = seen.map_or(Beginning::Unseen, Beginning::Known);
        }
    }

    fn elapsed_millis(&self, operation: &Operation, changed: Option<Date>) -> i64 {
        let began = match self.began {
            Beginning::ToCome => None,
            Beginning::Known(began) => Some(began),
            Beginning::Unseen => operation.made_at(),
        };
        let elapsed =
            began.zip(changed).map(|(began, changed)| changed.epoch_millis().saturating_sub(began.epoch_millis()));
        elapsed.unwrap_or_default().max(0)
    }
}

impl Changes {
    fn add(&mut self, changed: Date, number: u64) {
        if self.0.back().is_some_and(|(last, _)| *last >= changed) {
            self.0.pop_back();
        }
        self.0.push_back((changed, number));
        let oldest = changed.epoch_millis().saturating_sub(WINDOW_MILLIS);
        while self.0.len() > 2 && self.0.front().is_some_and(|(at, _)| at.epoch_millis() < oldest) {
            self.0.pop_front();
        }
    }

    fn recent_pace(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (self.0.front()?, self.0.back()?);
        let millis = to.epoch_millis().saturating_sub(from.epoch_millis());
        (millis > 0).then(|| rate(now.saturating_sub(*before), millis))
    }
}

fn percent(operation: &Operation) -> u64 {
    let (processed, total) = (operation.counts().processed(), operation.count("total"));
    match total {
        _ if operation.state() == Some(State::Done) => 100,
        0 => 0,
        total => u64::try_from(u128::from(processed.min(total)) * 100 / u128::from(total)).unwrap_or(100),
    }
}

/// Users per second.
fn rate(users: u64, millis: i64) -> f64 {
    if millis > 0 { float(i64::try_from(users).unwrap_or(i64::MAX)) / float(millis) * MILLIS_PER_SECOND } else { 0.0 }
}

#[allow(clippy::cast_possible_truncation, reason = "a time to come; the cast saturates")]
fn after(changed: Date, users: u64, pace: f64) -> Date {
    let millis = float(i64::try_from(users).unwrap_or(i64::MAX)) / pace * MILLIS_PER_SECOND;
    Date::from_epoch_millis(changed.epoch_millis().saturating_add(millis as i64))
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
fn float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        field_value::{FieldValue, Fields},
        progress_step::ProgressStep,
    };

    const MADE: i64 = 1_700_000_000_000;

    fn operation(step: ProgressStep, seconds: i64, total: i64, completed: i64) -> Operation {
        let number = FieldValue::Integer;
        let count = Fields::from_iter([("total", number(total)), ("completed", number(completed))]);
        Operation {
            fields: Fields::from_iter([
                ("_id", FieldValue::Text("one".into())),
                ("ts", FieldValue::Date(Date::from_epoch_millis(MADE))),
                ("status", FieldValue::Text(step.as_str().into())),
                ("valid", FieldValue::Boolean(true)),
                ("_updatedAt", FieldValue::Date(Date::from_epoch_millis(MADE + seconds * 1000))),
                ("count", FieldValue::Object(count)),
            ]),
        }
    }

    fn second(seconds: i64) -> Date {
        Date::from_epoch_millis(MADE + seconds * 1000)
    }

    #[test]
    fn files_are_forecast_by_their_bytes() {
        let fetching = |seconds, bytes| {
            let own =
                Fields::from_iter([("bytes", FieldValue::Integer(bytes)), ("bytesTotal", FieldValue::Integer(10_000))]);
            let mut operation = operation(ProgressStep::ImportingFiles, seconds, 100, 50);
            operation.fields = operation.fields.with("import", FieldValue::Object(own));
            operation
        };
        let mut pace = Pace::default();
        pace.observe(&fetching(1, 1000), None);
        let forecast = pace.observe(&fetching(3, 2000), None);
        assert_eq!((forecast.bytes_per_second, forecast.users_per_second), (Some(500.0), 0.0));
        assert_eq!(forecast.estimated_end, Some(second(19)), "8,000 bytes are left");
    }

    #[test]
    fn an_import_seen_from_its_beginning_is_told_with_pace_and_end() {
        let mut pace = Pace::default();
        let staged = operation(ProgressStep::UserSelection, 5, 1000, 0);
        assert_eq!(pace.observe(&staged, None), Forecast::default());
        assert!(!pace.lacks_beginning_of(&staged));
        let started = operation(ProgressStep::ImportingStarted, 60, 1000, 0);
        assert_eq!(pace.observe(&started, None), Forecast::default());
        let half = pace.observe(&operation(ProgressStep::ImportingUsers, 65, 1000, 505), None);
        let expected = Forecast {
            percent: 50,
            users_per_second: 101.0,
            estimated_end: Some(Date::from_epoch_millis(MADE + 65_000 + 4_900)),
            elapsed_seconds: 5.0,
            bytes_per_second: None,
        };
        assert_eq!(half, expected);
        let done = pace.observe(&operation(ProgressStep::Done, 70, 1000, 1000), None);
        let expected = Forecast {
            percent: 100,
            users_per_second: 100.0,
            bytes_per_second: None,
            estimated_end: None,
            elapsed_seconds: 10.0,
        };
        assert_eq!(done, expected);
    }

    #[test]
    fn the_pace_is_that_of_the_last_ten_seconds() {
        let mut pace = Pace::default();
        for second in 0..=100 {
            pace.observe(&operation(ProgressStep::ImportingUsers, second, 100_000, second * 10), Some(self::second(0)));
        }
        for second in 101..=110 {
            let users = 1000 + (second - 100) * 500;
            pace.observe(&operation(ProgressStep::ImportingUsers, second, 100_000, users), None);
        }
        let told = pace.observe(&operation(ProgressStep::ImportingUsers, 111, 100_000, 6500), None);
        assert!((told.users_per_second - 500.0).abs() < f64::EPSILON, "{told:?}");
        assert!((told.elapsed_seconds - 111.0).abs() < f64::EPSILON, "{told:?}");
    }

    #[test]
    fn a_run_that_was_under_way_counts_from_where_it_is_said_to_have_begun() {
        let mut pace = Pace::default();
        let running = operation(ProgressStep::ImportingUsers, 100, 1000, 200);
        assert!(pace.lacks_beginning_of(&running));
        let told = pace.observe(&running, Some(second(90)));
        assert_eq!((told.elapsed_seconds, told.users_per_second), (10.0, 20.0));
        assert!(!pace.lacks_beginning_of(&running));

        let mut pace = Pace::default();
        let told = pace.observe(&running, None);
        assert_eq!((told.elapsed_seconds, told.users_per_second), (100.0, 2.0));
    }

    #[test]
    fn one_that_stands_still_has_no_end_and_the_next_one_starts_over() {
        let mut pace = Pace::default();
        pace.observe(&operation(ProgressStep::ImportingStarted, 1, 0, 0), Some(second(1)));
        let told = pace.observe(&operation(ProgressStep::ImportingUsers, 9, 0, 0), None);
        assert_eq!((told.estimated_end, told.percent), (None, 0));
        let next = operation(ProgressStep::New, 20, 0, 0);
        let next = Operation { fields: next.fields.with("_id", FieldValue::Text("two".into())) };
        assert_eq!(pace.observe(&next, None), Forecast::default());
    }

    proptest! {
        #[test]
        fn whatever_is_stored_percent_and_times_are_possible(
            changes in prop::collection::vec((0_usize..20, any::<i64>(), any::<i64>(), any::<i64>()), 1..20)
        ) {
            let mut pace = Pace::default();
            for (step, millis, total, completed) in changes {
                let changed = operation(ProgressStep::ALL[step], 0, total, completed);
                let date = FieldValue::Date(Date::from_epoch_millis(millis));
                let changed = Operation { fields: changed.fields.with("_updatedAt", date) };
                let told = pace.observe(&changed, None);
                prop_assert!(told.percent <= 100);
                prop_assert!(told.users_per_second >= 0.0 && told.users_per_second.is_finite());
                prop_assert!(told.elapsed_seconds >= 0.0 && told.elapsed_seconds.is_finite());
            }
        }
    }
}
