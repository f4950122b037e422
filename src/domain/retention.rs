//! How long a workspace keeps messages.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::{
    field_value::{Date, FieldValue, Fields},
    staged::{ChannelType, filled, object, text},
};

/// The policy of a workspace that removes messages: how long they stay in rooms of each kind; `None` where they stay for
/// ever. Rooms with rules of their own are swept whatever holds for their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub channels: Option<TimeDelta>,
    pub groups: Option<TimeDelta>,
    pub direct: Option<TimeDelta>,
    pub spared: Spared,
    /// Whether rooms that are discussions keep all of theirs.
    pub spares_discussions: bool,
}

/// The messages that stay however old they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Spared {
    pub pinned: bool,
    /// Answers and the messages that they answer.
    pub threads: bool,
}

/// How messages are removed from one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomRetention {
    pub kept: TimeDelta,
    pub spared: Spared,
}

/// The oldest messages that one import has for a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldestMessages {
    /// The import id or the name of the room, as the messages name it.
    pub room: String,
    /// The oldest one that is left if these are spared; none where all of them are.
    pub beside: HashMap<Spared, Date>,
}

impl Spared {
    pub const ALL: [Self; 4] = [
        Self { pinned: false, threads: false },
        Self { pinned: true, threads: false },
        Self { pinned: false, threads: true },
        Self { pinned: true, threads: true },
    ];
}

impl Retention {
    /// Returns the shortest time that messages stay in rooms of any kind.
    #[must_use]
    pub fn shortest(&self) -> Option<TimeDelta> {
        [self.channels, self.groups, self.direct].into_iter().flatten().min()
    }

    /// Returns how messages are removed from a room of this kind that has no rules of its own; `None` if they stay.
    #[must_use]
    pub fn of_kind(&self, kind: ChannelType) -> Option<RoomRetention> {
        let kept = match kind {
            ChannelType::Channel => self.channels,
            ChannelType::PrivateGroup => self.groups,
            ChannelType::DirectMessage => self.direct,
        };
        kept.map(|kept| RoomRetention { kept, spared: self.spared })
    }

    /// Returns how messages are removed from this room, which is there; `None` if they stay.
    ///
    /// Source: `apps/meteor/app/retention-policy/server/cronPruneMessages.ts`.
    #[must_use]
    pub fn of_room(&self, room: &Fields) -> Option<RoomRetention> {
        let own = object(room, "retention");
        let field = |name: &str| own.and_then(|own| own.get(name));
        let is_true = |name: &str| field(name) == Some(&FieldValue::Boolean(true));
        let is_spared = self.spares_discussions && filled(room, "prid").is_some();
        if is_spared || field("enabled").is_some() && !is_true("enabled") {
            return None;
        }
        if is_true("overrideGlobal") {
            return own.and_then(RoomRetention::own);
        }
        self.of_kind(ChannelType::from_letter(text(room, "t")?)?)
    }
}

impl RoomRetention {
    /// Reads the rules of a room where they stand in place of the workspace's; `None` if they remove no message.
    #[must_use]
    pub fn own(retention: &Fields) -> Option<Self> {
        if retention.get("filesOnly").is_some_and(FieldValue::is_truthy) {
            return None;
        }
        let days = retention.get("maxAge").and_then(FieldValue::as_integer).filter(|days| *days >= 0)?;
        let is_on = |name: &str| retention.get(name).is_none_or(FieldValue::is_truthy);
        let spared = Spared { pinned: is_on("excludePinned"), threads: is_on("ignoreThreads") };
        Some(Self { kept: TimeDelta::try_days(days)?, spared })
    }

    /// Whether any of the messages that are the oldest of the room would be removed at this moment.
    #[must_use]
    pub fn removes(self, oldest: &OldestMessages, now: Date) -> bool {
        oldest.beside.get(&self.spared).is_some_and(|oldest| *oldest < before(now, self.kept))
    }
}

/// The moment so long before this one.
#[must_use]
pub fn before(moment: Date, time: TimeDelta) -> Date {
    Date::from_epoch_millis(moment.epoch_millis().saturating_sub(time.num_milliseconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: fn(i64) -> TimeDelta = TimeDelta::days;

    const NONE: Spared = Spared { pinned: false, threads: false };
    const BOTH: Spared = Spared { pinned: true, threads: true };

    fn policy() -> Retention {
        Retention { channels: Some(DAYS(30)), direct: Some(DAYS(7)), ..Retention::default() }
    }

    fn room(kind: &str, retention: impl IntoIterator<Item = (&'static str, FieldValue)>) -> Fields {
        let retention = FieldValue::Object(Fields::from_iter(retention));
        Fields::from_iter([("t", FieldValue::Text(kind.into())), ("retention", retention)])
    }

    fn own(days: FieldValue) -> [(&'static str, FieldValue); 3] {
        let yes = FieldValue::Boolean(true);
        [("enabled", yes.clone()), ("overrideGlobal", yes), ("maxAge", days)]
    }

    #[test]
    fn rooms_without_rules_of_their_own_have_those_of_their_kind() {
        let plain = RoomRetention { kept: DAYS(30), spared: NONE };
        assert_eq!(policy().of_kind(ChannelType::Channel), Some(plain));
        assert_eq!(policy().of_room(&room("c", [])), Some(plain));
        assert_eq!(policy().of_room(&Fields::from_iter([("t", FieldValue::Text("c".into()))])), Some(plain));
        assert_eq!(policy().of_room(&room("p", [])), None);
        assert_eq!(policy().of_room(&room("l", [])), None);
        assert_eq!(policy().of_room(&room("c", [("enabled", FieldValue::Null)])), None);
        assert_eq!(policy().shortest(), Some(DAYS(7)));
    }

    #[test]
    fn rules_of_a_room_count_for_every_kind() {
        let rules = |kept, spared| Some(RoomRetention { kept, spared });
        assert_eq!(policy().of_room(&room("p", own(FieldValue::Integer(5)))), rules(DAYS(5), BOTH));
        assert_eq!(policy().of_room(&room("c", own(FieldValue::Double(0.0)))), rules(DAYS(0), BOTH));
        for (name, spared) in [
            ("excludePinned", Spared { pinned: false, threads: true }),
            ("ignoreThreads", Spared { pinned: true, threads: false }),
        ] {
            let no = [(name, FieldValue::Boolean(false))];
            let retention = own(FieldValue::Integer(5)).into_iter().chain(no);
            assert_eq!(policy().of_room(&room("c", retention)), rules(DAYS(5), spared));
        }
        for none in [FieldValue::Integer(-1), FieldValue::Integer(i64::MAX), FieldValue::Null] {
            assert_eq!(policy().of_room(&room("c", own(none))), None);
        }
    }

    #[test]
    fn discussions_are_swept_only_where_they_are_not_spared() {
        let spares = |spares_discussions| Retention { spares_discussions, ..policy() };
        for retention in [Vec::new(), own(FieldValue::Integer(5)).to_vec()] {
            let discussion = room("c", retention).with("prid", FieldValue::Text("parent".into()));
            assert_eq!(spares(true).of_room(&discussion), None);
            assert!(spares(false).of_room(&discussion).is_some());
        }
    }

    #[test]
    fn messages_go_once_they_are_older_than_they_are_kept() {
        let day = |days: i64| Date::from_epoch_millis(DAYS(days).num_milliseconds());
        let beside = Spared::ALL.into_iter().zip([90, 95, 97].map(day)).collect();
        let oldest = OldestMessages { room: "C1".to_owned(), beside };
        let removes = |spared| {
            [100, 101, 105, 106, 108].map(|now| RoomRetention { kept: DAYS(10), spared }.removes(&oldest, day(now)))
        };
        assert_eq!(removes(NONE), [false, true, true, true, true]);
        assert_eq!(removes(Spared { pinned: true, threads: false }), [false, false, false, true, true]);
        assert_eq!(removes(Spared { pinned: false, threads: true }), [false, false, false, false, true]);
        assert_eq!(removes(BOTH), [false; 5], "all are spared");
    }
}
