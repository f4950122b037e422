//! An import that should move and does not.

use super::{
    field_value::{Date, FieldValue, Fields},
    operation::{Operation, State},
};

/// An import whose operation did not change for so long is called stalled, in milliseconds. Rocket.Chat's slow steps, such
/// as the reading of a large file, store something more often.
pub const STALLED_AFTER_MILLIS: i64 = 5 * 60 * 1000;

const MINUTE_MILLIS: i64 = 60 * 1000;
const HOUR_MILLIS: i64 = 60 * MINUTE_MILLIS;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// The process that has the import in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// A process of Rocket.Chat, which keeps what it does in its memory.
    RocketChat,
    /// This service, which goes on with it after a restart.
    Service,
}

impl Runner {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RocketChat => "rocketchat",
            Self::Service => "service",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::RocketChat => {
                "Rocket.Chat's own process runs this import; it does not go on after a restart. If Rocket.Chat was \
                 restarted or its log shows no work, clear the import and begin a new one; what was imported until then stays."
            }
            Self::Service => {
                "This service runs this import and goes on after a restart. Look into its log for what the database \
                 answers; to give the import up, clear it; what was imported until then stays."
            }
        }
    }
}

/// For how long nothing has moved, and in whose hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stalled {
    since: Date,
    now: Date,
    runner: Runner,
}

impl Stalled {
    /// Returns the moment since when nothing has moved; `None` for an import that moved lately, or for which somebody has
    /// to do something before it can move.
    #[must_use]
    pub fn since(operation: &Operation, now: Date) -> Option<Date> {
        let should_move = matches!(operation.state(), Some(State::Loading | State::Importing));
        let moved = operation.updated_at().or_else(|| operation.made_at()).filter(|_| should_move)?;
        (now.epoch_millis().saturating_sub(moved.epoch_millis()) >= STALLED_AFTER_MILLIS).then_some(moved)
    }

    /// Nothing has moved since then.
    #[must_use]
    pub const fn new(since: Date, now: Date, runner: Runner) -> Self {
        Self { since, now, runner }
    }

    /// The same, seen at another moment.
    #[must_use]
    pub const fn at(self, now: Date) -> Self {
        Self { now, ..self }
    }

    /// The sentences for people. They change once a minute, later once an hour and once a day.
    #[must_use]
    pub fn words(self) -> String {
        let span = span(self.now.epoch_millis().saturating_sub(self.since.epoch_millis()));
        let since = self.since.to_iso_8601().unwrap_or_default();
        format!("Nothing has moved for {span} (since {since}). {}", self.runner.advice())
    }

    /// Returns the operation with this in `import.stalled`, and everything else as it is.
    #[must_use]
    pub fn marked(self, operation: &Operation) -> Operation {
        let stalled = Fields::from_iter([
            ("since", FieldValue::Date(self.since)),
            ("runBy", FieldValue::Text(self.runner.as_str().into())),
            ("words", FieldValue::Text(self.words().into())),
        ]);
        let own = operation.fields.get("import").and_then(FieldValue::as_object).cloned().unwrap_or_default();
        let own = FieldValue::Object(own.with("stalled", FieldValue::Object(stalled)));
        Operation { fields: operation.fields.clone().with("import", own) }
    }
}

/// The largest whole unit of a span: `5 minutes`, `1 hour`, `3 days`.
fn span(millis: i64) -> String {
    let (number, unit) = match millis {
        ..HOUR_MILLIS => (millis / MINUTE_MILLIS, "minute"),
        HOUR_MILLIS..DAY_MILLIS => (millis / HOUR_MILLIS, "hour"),
        _ => (millis / DAY_MILLIS, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_import_that_should_move_stalls() {
        let operation = |status: &str, valid| Operation {
            fields: Fields::from_iter([
                ("status", FieldValue::Text(status.into())),
                ("valid", FieldValue::Boolean(valid)),
                ("_updatedAt", FieldValue::Date(Date::from_epoch_millis(0))),
            ]),
        };
        let since = |status, valid, now| Stalled::since(&operation(status, valid), Date::from_epoch_millis(now));
        let still = Some(Date::from_epoch_millis(0));
        assert_eq!(since("importer_importing_messages", true, STALLED_AFTER_MILLIS), still);
        assert_eq!(since("importer_preparing_started", true, i64::MAX), still);
        assert_eq!(since("importer_preparing_started", true, STALLED_AFTER_MILLIS - 1), None);
        assert_eq!(since("importer_importing_messages", false, i64::MAX), None, "it has ended");
        for waits in ["importer_new", "importer_user_selection", "importer_done", "no step"] {
            assert_eq!(since(waits, true, i64::MAX), None, "{waits}");
        }
        let undated = Operation { fields: Fields::from_iter([("valid", FieldValue::Boolean(true))]) };
        assert_eq!(Stalled::since(&undated, Date::now()), None);
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        for (millis, told) in [
            (STALLED_AFTER_MILLIS, "5 minutes"),
            (HOUR_MILLIS - 1, "59 minutes"),
            (HOUR_MILLIS, "1 hour"),
            (DAY_MILLIS, "1 day"),
            (3 * DAY_MILLIS + HOUR_MILLIS, "3 days"),
        ] {
            assert_eq!(span(millis), told);
        }
    }
}
