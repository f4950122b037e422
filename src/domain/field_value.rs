//! A stored field of any kind, freed from the way it is stored.
//!
//! An operation document is handed on whole, also the fields this service has no use for, so their values need a type
//! that keeps what a reader of the answer can see: the kind, the value and the order.

use chrono::{DateTime, Datelike, Timelike, Utc};
use compact_str::CompactString;

use super::named_values::NamedValues;

/// Fields in the order they are stored. A name that is put again keeps its first place and its last value, as in a
/// JavaScript object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(NamedValues<FieldValue>);

/// The value of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    Null,
    /// Explicitly without a value: left out of an object, `null` in a list.
    Undefined,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Text(CompactString),
    Date(Date),
    List(Vec<FieldValue>),
    Object(Fields),
}

/// A moment as it is stored: milliseconds since 1970-01-01T00:00:00Z, of any size, also beyond what a calendar type
/// can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    epoch_millis: i64,
}

/// ECMAScript's dates end 100,000,000 days either side of 1970; anything beyond is an "invalid date".
const LAST_VALID_EPOCH_MILLIS: u64 = 8_640_000_000_000_000;
/// The Gregorian calendar repeats after this many years, to the day of the week.
const CALENDAR_CYCLE_YEARS: i64 = 400;
const CALENDAR_CYCLE_MILLIS: i64 = 146_097 * 24 * 60 * 60 * 1000;

impl Fields {
    /// The value of the field `name`, if it is stored.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.get(name)
    }

    /// The same fields with this value for `name`: in its place if it is there, else at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: FieldValue) -> Self {
        self.0.put(name.into(), value);
        self
    }

    /// All fields in stored order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &FieldValue)> {
        self.0.iter()
    }
}

impl<N: Into<CompactString>> FromIterator<(N, FieldValue)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, FieldValue)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl FieldValue {
    /// Whether Rocket.Chat, which is written in JavaScript, takes the value for a yes.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null | Self::Undefined => false,
            Self::Boolean(value) => *value,
            Self::Integer(value) => *value != 0,
            Self::Double(value) => *value != 0.0 && !value.is_nan(),
            Self::Text(value) => !value.is_empty(),
            Self::Date(_) | Self::List(_) | Self::Object(_) => true,
        }
    }

    /// The number, if the value is one; a fraction is cut off.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "what a counter holds fits")]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Double(value) => Some(*value as i64),
            _ => None,
        }
    }

    /// The fields, if the value is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The text, if the value is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Date {
    #[must_use]
    pub const fn from_epoch_millis(epoch_millis: i64) -> Self {
        Self { epoch_millis }
    }

    /// This moment, by the clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self::from_epoch_millis(Utc::now().timestamp_millis())
    }

    #[must_use]
    pub const fn epoch_millis(self) -> i64 {
        self.epoch_millis
    }

    /// Year, month, day, hour, minute and second in UTC, the month from 0 on and nothing padded, as Rocket.Chat puts them
    /// before the name of a file.
    #[must_use]
    pub fn utc_digits(self) -> String {
        let moment = DateTime::from_timestamp_millis(self.epoch_millis).unwrap_or_default();
        let (month, day) = (moment.month0(), moment.day());
        format!("{}{month}{day}{}{}{}", moment.year(), moment.hour(), moment.minute(), moment.second())
    }

    /// ISO 8601 in UTC with milliseconds and `Z`, as ECMAScript's `Date.prototype.toJSON` writes it: a year outside
    /// 0 to 9999 has a sign and six digits. `None` for a moment ECMAScript calls invalid.
    #[must_use]
    pub fn to_iso_8601(self) -> Option<String> {
        if self.epoch_millis.unsigned_abs() > LAST_VALID_EPOCH_MILLIS {
            return None;
        }
        // Moved into the years 1970 to 2369, which chrono can hold, by whole calendar cycles.
        let cycles = self.epoch_millis.div_euclid(CALENDAR_CYCLE_MILLIS);
        let moved = DateTime::from_timestamp_millis(self.epoch_millis.rem_euclid(CALENDAR_CYCLE_MILLIS))?;
        let year = i64::from(moved.year()) + cycles * CALENDAR_CYCLE_YEARS;
        let year = if (0..=9999).contains(&year) { format!("{year:04}") } else { format!("{year:+07}") };
        Some(format!(
            "{year}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moved.month(),
            moved.day(),
            moved.hour(),
            moved.minute(),
            moved.second(),
            moved.timestamp_subsec_millis(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_javascript_prints_them() {
        for (epoch_millis, expected) in [
            (0, Some("1970-01-01T00:00:00.000Z")),
            (1_691_688_617_519, Some("2023-08-10T17:30:17.519Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (-62_167_219_200_000, Some("0000-01-01T00:00:00.000Z")),
            (-62_167_219_200_001, Some("-000001-12-31T23:59:59.999Z")),
            (253_402_300_800_000, Some("+010000-01-01T00:00:00.000Z")),
            (8_640_000_000_000_000, Some("+275760-09-13T00:00:00.000Z")),
            (-8_640_000_000_000_000, Some("-271821-04-20T00:00:00.000Z")),
            (8_640_000_000_000_001, None),
            (i64::MIN, None),
        ] {
            let date = Date::from_epoch_millis(epoch_millis);
            assert_eq!(date.to_iso_8601().as_deref(), expected, "{epoch_millis}");
        }
    }

    #[test]
    fn a_repeated_name_keeps_its_first_place_and_its_last_value() {
        let fields = Fields::from_iter([
            ("a", FieldValue::Integer(1)),
            ("b", FieldValue::Integer(2)),
            ("a", FieldValue::Integer(3)),
        ]);
        let read: Vec<_> = fields.iter().collect();
        assert_eq!(read, [("a", &FieldValue::Integer(3)), ("b", &FieldValue::Integer(2))]);
    }

    #[test]
    fn truth_is_javascripts() {
        let falsy = [
            FieldValue::Null,
            FieldValue::Undefined,
            FieldValue::Boolean(false),
            FieldValue::Integer(0),
            FieldValue::Double(-0.0),
            FieldValue::Double(f64::NAN),
            FieldValue::Text(CompactString::default()),
        ];
        let truthy = [
            FieldValue::Boolean(true),
            FieldValue::Integer(-1),
            FieldValue::Double(0.1),
            FieldValue::Text("false".into()),
            FieldValue::List(vec![]),
            FieldValue::Object(Fields::default()),
        ];
        assert!(!falsy.iter().any(FieldValue::is_truthy));
        assert!(truthy.iter().all(FieldValue::is_truthy));
    }
}
