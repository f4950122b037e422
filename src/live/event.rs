//! One event of the stream, written once for all who follow.

use std::{fmt, str::FromStr, sync::Arc};

use bytes::Bytes;

use crate::{
    domain::{
        field_value::Date,
        operation::{Operation, State},
    },
    repository::ClusterTime,
    wire::sse,
};

/// While there is no operation.
const NONE: &str = "none";
/// A step that no release of Rocket.Chat writes.
const UNKNOWN: &str = "unknown";

/// Something that followers hear of.
#[derive(Debug)]
pub(super) struct Event {
    /// Counts the events of this process.
    pub(super) number: u64,
    pub(super) id: EventId,
    /// As it goes over the wire.
    pub(super) bytes: Bytes,
    pub(super) operation: Option<Arc<Operation>>,
    /// When the operation came to be so, where that is known.
    pub(super) moment: Option<ClusterTime>,
    /// Whether it tells of another state, or another operation, than the event before.
    pub(super) is_state_change: bool,
}

impl Event {
    /// The event after `before`.
    pub(super) fn new(
        number: u64,
        before: Option<&Self>,
        operation: Option<Arc<Operation>>,
        moment: Option<ClusterTime>,
        data: &str,
    ) -> Self {
        let id = EventId::of(operation.as_deref());
        let bytes = sse::event("status", &id, data);
        let is_state_change =
            before.is_none_or(|before| before.id.operation != id.operation || before.id.state != id.state);
        Self { number, id, bytes, operation, moment, is_state_change }
    }
}

/// Names a state of an operation, the same in every instance and after every restart: all of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventId {
    /// The operation's `_id`; empty if there is none.
    pub(super) operation: String,
    /// Its `_updatedAt` in milliseconds since 1970; 0 without one.
    pub(super) updated_at: i64,
    pub(super) state: String,
}

impl EventId {
    fn of(operation: Option<&Operation>) -> Self {
        let Some(operation) = operation else {
            return Self { operation: String::new(), updated_at: 0, state: NONE.to_owned() };
        };
        Self {
            // A line break would end the line that the id stands on.
            operation: operation.id().unwrap_or_default().chars().filter(char::is_ascii_graphic).collect(),
            updated_at: operation.updated_at().map_or(0, Date::epoch_millis),
            state: operation.state().map_or(UNKNOWN, State::as_str).to_owned(),
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.operation, self.updated_at, self.state)
    }
}

/// The text is no id of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (rest, state) = text.rsplit_once(':').ok_or(NoEventId)?;
        let (operation, updated_at) = rest.rsplit_once(':').ok_or(NoEventId)?;
        let updated_at = updated_at.parse().map_err(|_| NoEventId)?;
        Ok(Self { operation: operation.to_owned(), updated_at, state: state.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_value::{FieldValue, Fields};

    #[test]
    fn an_id_is_one_line_and_is_read_back() {
        let operation = Operation {
            fields: Fields::from_iter([
                ("_id", FieldValue::Text("a:b\nc".into())),
                ("_updatedAt", FieldValue::Date(Date::from_epoch_millis(-5))),
                ("valid", FieldValue::Boolean(true)),
                ("status", FieldValue::Text("importer_done".into())),
            ]),
        };
        for (operation, expected) in [(None, ":0:none"), (Some(&operation), "a:bc:-5:done")] {
            let id = EventId::of(operation);
            assert_eq!(id.to_string(), expected);
            assert_eq!(expected.parse(), Ok(id));
        }
        for text in ["", "5", "a:5", "a:b:c", "a::done"] {
            assert_eq!(text.parse::<EventId>(), Err(NoEventId), "{text}");
        }
    }
}
