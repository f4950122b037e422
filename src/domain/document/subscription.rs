//! Subscriptions: who is in which room, and how it shows there.

use super::{Builder, FieldValue, Fields, Person, stable_id::stable_id, text};
use crate::domain::{
    field_value::Date,
    record_type::RecordType,
    staged::{ChannelType, is_true, text as stored_text},
};

/// The `_id` of a person's subscription of a room.
#[must_use]
pub fn subscription_id(room: &str, person: &str) -> String {
    stable_id(RecordType::Channel, &["subscription", room, person])
}

/// How a person takes part in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Member,
    Owner,
    /// A new account that joins a channel, which shows as unread.
    Newcomer,
}

/// Makes the subscription of a channel or private group, in the order in which Rocket.Chat stores its fields.
///
/// `room` is the room's document.
///
/// Source: `packages/models/src/models/Subscriptions.ts` (`createWithRoomAndManyUsers`), `addUserToDefaultChannels.ts`,
/// `addUserToRoom.ts`.
#[must_use]
pub fn room_subscription(room: &Fields, person: &Person, part: Part, now: Date) -> Fields {
    let field = |name| stored_text(room, name);
    let id = field("_id").unwrap_or_default();
    let is_archived = room.get("archived").is_some_and(FieldValue::is_truthy);
    let is_new = part == Part::Newcomer && !is_archived;
    let mut subscription = Builder::default();
    subscription.put_text("_id", &subscription_id(id, &person.id)).put_flag("open", !is_archived);
    subscription.put_flag("alert", is_new).put_number("unread", is_new.into());
    subscription.put_number("userMentions", is_new.into()).put_number("groupMentions", 0).put_date("ts", now);
    subscription
        .put_text("rid", id)
        .put_some("name", field("name").map(text))
        .put_some("fname", field("fname").map(text));
    subscription.put_some("t", field("t").map(text)).put("u", person.reference());
    if part == Part::Newcomer && ["default", "favorite"].iter().all(|mark| is_true(room, mark)) {
        subscription.put_flag("f", true);
    }
    if part == Part::Owner {
        subscription.put_date("ls", now).put("roles", super::texts(["owner"]));
    }
    subscription.put_date("_updatedAt", now);
    if is_archived {
        subscription.put_flag("archived", true);
    }
    subscription.build()
}

/// Makes the subscription of a direct message, in the order in which Rocket.Chat stores its fields.
///
/// It is open for groups. That of two people opens when the first message is in, see [`opens`].
///
/// Source: `apps/meteor/server/lib/rooms/createDirectRoom.ts`.
#[must_use]
pub fn direct_subscription(room: &str, person: &Person, members: &[&Person], now: Date) -> Fields {
    let mut others: Vec<&Person> = members.iter().copied().filter(|member| member.id != person.id).collect();
    others.sort_by_key(|other| other.label().to_lowercase());
    if others.is_empty() {
        others.push(person);
    }
    let joined = |name: fn(&Person) -> &str| others.iter().map(|other| name(other)).collect::<Vec<_>>().join(", ");
    let mut subscription = Builder::default();
    subscription.put_text("_id", &subscription_id(room, &person.id)).put_text("rid", room);
    subscription.put("u", person.short_reference()).put_date("_updatedAt", now).put_flag("alert", false);
    subscription.put_text("fname", &joined(Person::label)).put_number("groupMentions", 0);
    subscription.put_text("name", &joined(|other| other.username.as_deref().unwrap_or_default()));
    subscription.put_flag("open", members.len() > 2).put_text("t", ChannelType::DirectMessage.letter());
    subscription.put_date("ts", now).put_number("unread", 0).put_number("userMentions", 0);
    subscription.build()
}

/// Whether a direct message that now holds imported messages opens for a member: it does unless he closed it himself,
/// which only a subscription that was there before the import can tell.
#[must_use]
pub fn opens(subscription: &Fields, was_there_before: bool) -> bool {
    let is_open = subscription.get("open").is_some_and(FieldValue::is_truthy);
    !is_open && !was_there_before
}
