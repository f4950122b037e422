//! What staged records become: the documents of Rocket.Chat, in the order in which it stores their fields.
//!
//! Pure rules. The caller brings what has to be looked up, so that a batch can look it up at once.

pub mod account;
pub mod attachments;
pub mod contact;
pub mod message;
pub mod message_change;
pub mod message_text;
pub mod room;
pub mod room_counters;
pub mod room_match;
pub mod room_names;
pub mod room_source;
pub mod source_hash;
pub mod stable_id;
pub mod subscription;
pub mod thread;
pub mod urls;
pub mod username;

use super::{
    field_value::{Date, FieldValue, Fields},
    staged::ROCKET_CAT,
};

/// An account, as rooms, subscriptions and messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account's `_id`.
    pub id: String,
    /// An account that waits for its owner to choose a user name has none.
    pub username: Option<String>,
    /// The display name.
    pub name: Option<String>,
    pub is_active: bool,
}

impl Person {
    /// Rocket.Chat's own bot, which every workspace has.
    #[must_use]
    pub fn rocket_cat() -> Self {
        Self {
            id: ROCKET_CAT.to_owned(),
            username: Some(ROCKET_CAT.to_owned()),
            name: Some("Rocket.Cat".to_owned()),
            is_active: true,
        }
    }

    /// The display name, else the user name.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.username.as_deref()).unwrap_or_default()
    }

    /// `{_id, username, name}` of an author. Clients that show real names stop at a message whose author lacks one of them.
    pub(super) fn author_reference(&self) -> FieldValue {
        let username = self.username.as_deref().unwrap_or(&self.id);
        let name = self.name.as_deref().unwrap_or(username);
        let fields = [("_id", self.id.as_str()), ("username", username), ("name", name)];
        FieldValue::Object(fields.into_iter().map(|(field, value)| (field, text(value))).collect())
    }

    /// `{_id, username, name}`. A field without a value is left out, for a null trips clients.
    pub(super) fn reference(&self) -> FieldValue {
        let optional = [("username", &self.username), ("name", &self.name)];
        let known = optional.into_iter().filter_map(|(field, value)| Some((field, text(value.as_deref()?))));
        FieldValue::Object([("_id", text(&self.id))].into_iter().chain(known).collect())
    }

    /// `{_id, username}`.
    pub(super) fn short_reference(&self) -> FieldValue {
        let username = self.username.as_deref().map(|username| ("username", text(username)));
        FieldValue::Object([("_id", text(&self.id))].into_iter().chain(username).collect())
    }
}

/// The path of an account's password: a bcrypt text.
pub const PASSWORD_HASH: &str = "services.password.bcrypt";

/// One field of a stored document that an import changes.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The field, or the path of a field within fields, its parts joined by dots.
    pub field: String,
    /// `None` if the document has no such field.
    pub before: Option<FieldValue>,
    pub after: FieldValue,
}

impl FieldChange {
    /// The name in reports: that of the field, or of a password what people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.is_secret() { "password" } else { &self.field }
    }

    /// Whether neither value may be shown or kept.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.field == PASSWORD_HASH
    }

    /// The change of `field` in `stored`, unless it holds that value already.
    pub(super) fn of(stored: &Fields, field: &str, after: FieldValue) -> Option<Self> {
        let before = stored.get(field);
        (before != Some(&after)).then(|| Self { field: field.to_owned(), before: before.cloned(), after })
    }
}

pub(in crate::domain) fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.into())
}

pub(in crate::domain) fn number(number: u64) -> FieldValue {
    FieldValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(in crate::domain) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> FieldValue {
    FieldValue::List(texts.into_iter().map(text).collect())
}

/// Fields in the order in which they are put.
#[derive(Debug, Default)]
pub(super) struct Builder(Vec<(&'static str, FieldValue)>);

impl Builder {
    pub(super) fn put(&mut self, field: &'static str, value: FieldValue) -> &mut Self {
        self.0.push((field, value));
        self
    }

    pub(super) fn put_text(&mut self, field: &'static str, value: &str) -> &mut Self {
        self.put(field, text(value))
    }

    pub(super) fn put_date(&mut self, field: &'static str, value: Date) -> &mut Self {
        self.put(field, FieldValue::Date(value))
    }

    pub(super) fn put_flag(&mut self, field: &'static str, value: bool) -> &mut Self {
        self.put(field, FieldValue::Boolean(value))
    }

    pub(super) fn put_number(&mut self, field: &'static str, value: i64) -> &mut Self {
        self.put(field, FieldValue::Integer(value))
    }

    /// Puts the field unless it has no value.
    pub(super) fn put_some(&mut self, field: &'static str, value: Option<FieldValue>) -> &mut Self {
        self.0.extend(value.filter(is_value).map(|value| (field, value)));
        self
    }

    pub(super) fn build(&mut self) -> Fields {
        std::mem::take(&mut self.0).into_iter().collect()
    }
}

/// Whether the value is neither null nor undefined.
pub(super) fn is_value(value: &FieldValue) -> bool {
    !matches!(value, FieldValue::Null | FieldValue::Undefined)
}

/// The value without fields and elements that are null, at any depth.
pub(super) fn without_nulls(value: &FieldValue) -> FieldValue {
    match value {
        FieldValue::Object(fields) => FieldValue::Object(
            fields
                .iter()
                .filter(|(_, value)| is_value(value))
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        FieldValue::List(list) => {
            FieldValue::List(list.iter().filter(|value| is_value(value)).map(without_nulls).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
