//! People of an export: those of its lists, and those who only wrote something.

use std::{collections::HashSet, sync::Arc};

use indexmap::IndexMap;
use serde_json::Value;

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

use crate::importers::{
    entries::FoundElement,
    json::{field_value, object_of, text, text_of, texts},
    record::{Element, Note, PassedOver, Place, Problem, Record},
};

use super::{
    message::{RawMessage, object},
    names::Names,
    text::{is_slackbot, unescaped},
};

const SECONDS_PER_HOUR: i64 = 3600;

/// Adds the usernames of a list.
pub(super) fn add_names(names: &mut Names, elements: impl Iterator<Item = FoundElement>) {
    for (_, json) in elements.flatten() {
        if let Ok(user) = object_of(&json)
            && let Some(id) = text_of(&user, "id")
            && !is_slackbot(id)
        {
            names.add_user(id, username_of(&user).unwrap_or(id));
        }
    }
}

fn username_of(user: &Value) -> Option<&str> {
    let profile = user.get("profile").unwrap_or(&Value::Null);
    text_of(user, "name").or_else(|| text_of(profile, "display_name"))
}

/// The users of lists, each id once.
pub(super) fn users_in(elements: impl Iterator<Item = FoundElement> + Send) -> impl Iterator<Item = Element> + Send {
    let mut seen = HashSet::new();
    elements.map(move |element| match element {
        Ok((place, json)) => user(place, &json, &mut seen),
        Err(problem) => problem.into(),
    })
}

fn user(place: Place, json: &[u8], seen: &mut HashSet<Box<str>>) -> Element {
    let user = match object_of(json) {
        Ok(user) => user,
        Err(reason) => return Problem::new(RecordType::User, place, reason).into(),
    };
    let Some(id) = text_of(&user, "id") else {
        return Problem::new(RecordType::User, place, "The user has no id.").into();
    };
    if is_slackbot(id) {
        return PassedOver::one("user", "Slackbot, in whose place Rocket.Chat has a bot of its own.", place).into();
    }
    if !seen.insert(id.into()) {
        return PassedOver::one("user", "Listed before.", place).into();
    }
    let profile = user.get("profile").unwrap_or(&Value::Null);
    let is_bot = user.get("is_bot").and_then(Value::as_bool).unwrap_or_default();
    let username = username_of(&user).unwrap_or(id);
    let name = profile.get("real_name").or_else(|| user.get("real_name")).and_then(Value::as_str).unwrap_or(username);
    let mut data = vec![
        ("emails", texts(text_of(profile, "email"))),
        ("importIds", texts([id])),
        ("username", text(username)),
        ("name", text(unescaped(name))),
    ];
    if let Some(offset) = user.get("tz_offset").and_then(Value::as_i64) {
        data.push(("utcOffset", hours(offset)));
    }
    if let Some(avatar) = text_of(profile, "image_original").or_else(|| text_of(profile, "image_512")) {
        data.push(("avatarUrl", text(avatar)));
    }
    if let Some(deleted) = user.get("deleted").filter(|deleted| deleted.is_boolean()) {
        data.push(("deleted", field_value(deleted.clone())));
    }
    for (field, source) in [("statusText", "status_text"), ("bio", "title")] {
        if let Some(value) = text_of(profile, source) {
            data.push((field, text(unescaped(value))));
        }
    }
    data.push(("type", text(if is_bot { "bot" } else { "user" })));
    if is_bot {
        data.push(("roles", texts(["bot"])));
    }
    Record::new(RecordType::User, Fields::from_iter(data), place).into()
}

/// Half and quarter hours are zones of their own.
#[allow(clippy::cast_precision_loss, reason = "seconds of a day are exact")]
fn hours(seconds: i64) -> FieldValue {
    if seconds % SECONDS_PER_HOUR == 0 {
        FieldValue::Integer(seconds / SECONDS_PER_HOUR)
    } else {
        FieldValue::Double(seconds as f64 / SECONDS_PER_HOUR as f64)
    }
}

/// Somebody in no list of users.
#[derive(Debug, Clone, Default)]
struct Stranger {
    username: Option<String>,
    name: Option<String>,
    is_bot: bool,
    place: Place,
}

/// A deactivated placeholder for everybody who is in no list of users, but wrote something or takes part in a direct
/// message, so that nothing of theirs is lost.
pub(super) fn placeholders(
    names: &Arc<Names>,
    participants: impl Iterator<Item = (Place, String)>,
    messages: impl Iterator<Item = FoundElement>,
) -> Vec<Element> {
    let mut strangers: IndexMap<String, Stranger> = IndexMap::new();
    for (place, id) in participants {
        if !names.knows_user(&id) && !is_slackbot(&id) {
            strangers.entry(id).or_insert_with(|| Stranger { place, ..Stranger::default() });
        }
    }
    for (place, json) in messages.flatten() {
        let Ok(message) = RawMessage::read(&json) else { continue };
        let Some(id) = message.author_id().filter(|id| !names.knows_user(id) && !is_slackbot(id)) else { continue };
        let stranger = strangers.entry(id.to_string()).or_insert_with(|| Stranger { place, ..Stranger::default() });
        if stranger.name.is_none() {
            stranger.learn(&message);
        }
    }
    strangers.into_iter().map(|(id, stranger)| stranger.placeholder(&id)).collect()
}

impl Stranger {
    fn learn(&mut self, message: &RawMessage<'_>) {
        let profile = object(message.user_profile);
        let bot = object(message.bot_profile);
        self.is_bot |= bot.is_some();
        let profile = profile.or(bot).unwrap_or_default();
        let found = |names: [&str; 2]| names.into_iter().find_map(|name| text_of(&profile, name)).map(str::to_owned);
        self.name = found(["real_name", "display_name"]).or_else(|| found(["name", "name"]));
        self.username = self.username.take().or_else(|| found(["name", "display_name"]));
    }

    fn placeholder(self, id: &str) -> Element {
        let username = self.username.as_deref().unwrap_or(id);
        let mut data = vec![
            ("emails", texts(None::<&str>)),
            ("importIds", texts([id])),
            ("username", text(username)),
            ("name", text(self.name.as_deref().unwrap_or(username))),
            ("deleted", FieldValue::Boolean(true)),
            ("type", text(if self.is_bot { "bot" } else { "user" })),
        ];
        if self.is_bot {
            data.push(("roles", texts(["bot"])));
        }
        data.push(("_placeholder", FieldValue::Boolean(true)));
        let mut record = Record::new(RecordType::User, Fields::from_iter(data), self.place);
        record.notes.push(Note::Placeholder);
        record.into()
    }
}
