//! The counters of rooms after their messages are in: `msgs`, `usersCount`, `lm`, `lastMessage`.

use super::{FieldChange, FieldValue, Fields, message::Message};
use crate::domain::{
    field_value::Date,
    staged::{date, is_true, object, text},
};

/// The messages that an import added to a room.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddedMessages {
    count: u64,
    last: Option<(Date, Fields)>,
}

impl AddedMessages {
    /// Counts a message that was stored. System messages, hidden ones and answers that only show in their thread are
    /// counted, but none of them is a room's last message.
    pub fn add(&mut self, message: &Message) {
        self.count += 1;
        if is_shown(&message.document) && self.last.as_ref().is_none_or(|(last, _)| *last <= message.ts) {
            self.last = Some((message.ts, message.document.clone()));
        }
    }

    /// How many messages were added.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The last message to show, with its time.
    #[must_use]
    pub fn last(&self) -> Option<(Date, &Fields)> {
        self.last.as_ref().map(|(ts, message)| (*ts, message))
    }

    /// Adds what another part of the same import added. Of two messages of one time that of `other` wins.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        if other.last.as_ref().map(|(ts, _)| *ts) >= self.last.as_ref().map(|(ts, _)| *ts) && other.last.is_some() {
            self.last = other.last;
        }
    }
}

/// Whether the message is neither hidden nor in its thread alone.
fn is_in_room(message: &Fields) -> bool {
    let only_in_thread = text(message, "tmid").is_some() && !is_true(message, "tshow");
    !is_true(message, "_hidden") && !only_in_thread
}

/// Whether the room itself shows the message, so that it may be the room's last one.
#[must_use]
pub fn is_shown(message: &Fields) -> bool {
    text(message, "t").is_none() && is_in_room(message)
}

/// Whether Rocket.Chat's history query for the room finds the message, where clients hide system messages of these types.
///
/// Source: `packages/models/src/models/Messages.ts` (`findVisibleByRoomIdNotContainingTypesBeforeTs`).
#[must_use]
pub fn is_in_history(message: &Fields, hidden_types: &[String]) -> bool {
    let is_hidden_type = text(message, "t").is_some_and(|kind| hidden_types.iter().any(|hidden| hidden == kind));
    !is_hidden_type && is_in_room(message)
}

/// The changes of a room that was there before: its numbers grow by what was added, its last message only moves forward.
///
/// `joined` is the number of people who joined. `keeps_last_message` is the setting `Store_Last_Message`.
#[must_use]
pub fn growth(room: &Fields, added: &AddedMessages, joined: u64, keeps_last_message: bool) -> Vec<FieldChange> {
    let grown = |field: &str, by: u64| {
        let now = room.get(field).and_then(FieldValue::as_integer).unwrap_or_default();
        now.saturating_add(i64::try_from(by).unwrap_or(i64::MAX))
    };
    let msgs = (added.count > 0).then(|| grown("msgs", added.count));
    let people = (joined > 0).then(|| grown("usersCount", joined));
    counters(room, msgs, people, added, keeps_last_message)
}

/// The changes of a room that an import made: its messages and people are counted anew.
#[must_use]
pub fn recount(
    room: &Fields,
    messages: u64,
    people: u64,
    added: &AddedMessages,
    keeps_last_message: bool,
) -> Vec<FieldChange> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    counters(room, Some(number(messages)), Some(number(people)), added, keeps_last_message)
}

fn counters(
    room: &Fields,
    msgs: Option<i64>,
    people: Option<i64>,
    added: &AddedMessages,
    keeps_last_message: bool,
) -> Vec<FieldChange> {
    let number = |field, value: Option<i64>| FieldChange::of(room, field, FieldValue::Integer(value?));
    let newest = added.last().filter(|(ts, _)| date(room, "lm").is_none_or(|known| known < *ts));
    let lm = newest.and_then(|(ts, _)| FieldChange::of(room, "lm", FieldValue::Date(ts)));
    let known_last = object(room, "lastMessage").and_then(|message| date(message, "ts"));
    let last = added.last().filter(|(ts, _)| keeps_last_message && known_last.is_none_or(|known| known < *ts));
    let last = last.and_then(|(_, message)| FieldChange::of(room, "lastMessage", FieldValue::Object(message.clone())));
    [number("msgs", msgs), number("usersCount", people), lm, last].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::document::source_hash::SourceHash;

    fn message(ts: i64, more: &[(&str, FieldValue)]) -> Message {
        let ts = Date::from_epoch_millis(ts);
        let document: Fields = [("ts", FieldValue::Date(ts))].into_iter().chain(more.iter().cloned()).collect();
        let source = SourceHash::new(&document);
        Message { id: String::new(), room: String::new(), author: String::new(), ts, document, source, unknown: vec![] }
    }

    fn added(messages: &[Message]) -> AddedMessages {
        let mut added = AddedMessages::default();
        for message in messages {
            added.add(message);
        }
        added
    }

    fn room(lm: i64) -> Fields {
        Fields::from_iter([("msgs", FieldValue::Integer(5)), ("lm", FieldValue::Date(Date::from_epoch_millis(lm)))])
    }

    #[test]
    fn hidden_system_and_thread_messages_count_but_are_not_a_rooms_last() {
        let yes = FieldValue::Boolean(true);
        let text = |value: &str| FieldValue::Text(value.into());
        let messages = [
            message(1, &[]),
            message(5, &[("_hidden", yes.clone())]),
            message(6, &[("t", text("uj"))]),
            message(7, &[("tmid", text("root"))]),
            message(3, &[("tmid", text("root")), ("tshow", yes)]),
        ];
        let added = added(&messages);
        assert_eq!((added.count(), added.last().map(|(ts, _)| ts.epoch_millis())), (5, Some(3)));
    }

    #[test]
    fn old_messages_do_not_move_a_room_back() {
        let changes = growth(&room(9), &added(&[message(1, &[]), message(2, &[])]), 0, false);
        let fields: Vec<_> = changes.iter().map(|change| (change.field.as_str(), &change.after)).collect();
        assert_eq!(fields, [("msgs", &FieldValue::Integer(7))]);
    }

    proptest! {
        #[test]
        fn a_rooms_last_message_only_moves_forward_whatever_the_order_and_the_batches(
            times in prop::collection::vec(0..50_i64, 0..12), split in 0..12_usize, lm in 0..50_i64,
        ) {
            let messages: Vec<_> = times.iter().map(|ts| message(*ts, &[])).collect();
            let split = split.min(messages.len());
            let mut merged = added(&messages[..split]);
            merged.merge(added(&messages[split..]));
            prop_assert_eq!(merged.count(), messages.len() as u64);
            prop_assert_eq!(merged.last().map(|(ts, _)| ts.epoch_millis()), times.iter().max().copied());
            let changes = growth(&room(lm), &merged, 0, true);
            let moved = changes.iter().find(|change| change.field == "lm").map(|change| change.after.clone());
            let expected = times.iter().max().filter(|newest| **newest > lm);
            prop_assert_eq!(moved, expected.map(|ts| FieldValue::Date(Date::from_epoch_millis(*ts))));
        }
    }
}
