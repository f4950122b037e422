//! How long a workspace keeps messages.

use chrono::TimeDelta;

use super::{
    field_value::{Date, FieldValue, Fields},
    staged::{ChannelType, object, text},
};

/// The policy of a workspace that removes messages: how long they stay in rooms of each kind; `None` where they stay for
/// ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub channels: Option<TimeDelta>,
    pub groups: Option<TimeDelta>,
    pub direct: Option<TimeDelta>,
    pub spares_pinned: bool,
}

/// How messages are removed from one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomRetention {
    pub kept: TimeDelta,
    pub spares_pinned: bool,
}

/// The oldest messages that one import has for a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldestMessages {
    /// The import id or the name of the room, as the messages name it.
    pub room: String,
    pub any: Option<Date>,
    /// The oldest of those that are not pinned.
    pub not_pinned: Option<Date>,
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
        kept.map(|kept| RoomRetention { kept, spares_pinned: self.spares_pinned })
    }

    /// Returns how messages are removed from this room, which is there; `None` if they stay.
    ///
    /// Source: `apps/meteor/app/retention-policy/server/cronPruneMessages.ts`.
    #[must_use]
    pub fn of_room(&self, room: &Fields) -> Option<RoomRetention> {
        let own = object(room, "retention");
        let field = |name: &str| own.and_then(|own| own.get(name));
        let is_true = |name: &str| field(name) == Some(&FieldValue::Boolean(true));
        if field("enabled").is_some() && !is_true("enabled") {
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
        let spares_pinned = retention.get("excludePinned").is_none_or(FieldValue::is_truthy);
        Some(Self { kept: TimeDelta::try_days(days)?, spares_pinned })
    }

    /// Whether any of the messages that are the oldest of the room would be removed at this moment.
    #[must_use]
    pub fn removes(self, oldest: &OldestMessages, now: Date) -> bool {
        let oldest = if self.spares_pinned { oldest.not_pinned } else { oldest.any };
        oldest.is_some_and(|oldest| oldest < before(now, self.kept))
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

    fn policy() -> Retention {
        Retention { channels: Some(DAYS(30)), groups: None, direct: Some(DAYS(7)), spares_pinned: false }
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
        let plain = RoomRetention { kept: DAYS(30), spares_pinned: false };
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
        let rules = |kept, spares_pinned| Some(RoomRetention { kept, spares_pinned });
        assert_eq!(policy().of_room(&room("p", own(FieldValue::Integer(5)))), rules(DAYS(5), true));
        assert_eq!(policy().of_room(&room("c", own(FieldValue::Double(0.0)))), rules(DAYS(0), true));
        let no = [("excludePinned", FieldValue::Boolean(false))];
        assert_eq!(
            policy().of_room(&room("c", own(FieldValue::Integer(5)).into_iter().chain(no))),
            rules(DAYS(5), false)
        );
        for none in [FieldValue::Integer(-1), FieldValue::Integer(i64::MAX), FieldValue::Null] {
            assert_eq!(policy().of_room(&room("c", own(none))), None);
        }
    }

    #[test]
    fn messages_go_once_they_are_older_than_they_are_kept() {
        let day = |days: i64| Date::from_epoch_millis(DAYS(days).num_milliseconds());
        let oldest = OldestMessages { room: "C1".to_owned(), any: Some(day(90)), not_pinned: Some(day(95)) };
        let removes = |spares_pinned| {
            [100, 101, 105, 106].map(|now| RoomRetention { kept: DAYS(10), spares_pinned }.removes(&oldest, day(now)))
        };
        assert_eq!(removes(false), [false, true, true, true]);
        assert_eq!(removes(true), [false, false, false, true]);
    }
}
