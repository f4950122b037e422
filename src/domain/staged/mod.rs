//! Views of staged records: one place that knows the names of their fields.
//!
//! A view borrows the fields and never fails: a value that is missing, null or of another type reads as absent.
//!
//! Source: `packages/core-typings/src/import/`.

mod channel;
mod contact;
mod message;
mod user;

pub use channel::{ChannelType, StagedChannel};
pub use contact::StagedContact;
pub(in crate::domain) use message::is_group_mention;
pub use message::{StagedMessage, StagedReaction};
pub use user::StagedUser;

use super::field_value::{Date, FieldValue, Fields};

/// Rocket.Chat's own bot. The importers know it without a look-up, by its `_id` and as an import id.
pub const ROCKET_CAT: &str = "rocket.cat";

pub(in crate::domain) fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_text()
}

pub(in crate::domain) fn filled<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    text(fields, name).filter(|text| !text.trim().is_empty())
}

pub(in crate::domain) fn date(fields: &Fields, name: &str) -> Option<Date> {
    match fields.get(name)? {
        FieldValue::Date(date) => Some(*date),
        _ => None,
    }
}

pub(in crate::domain) fn list<'a>(fields: &'a Fields, name: &str) -> Option<&'a [FieldValue]> {
    match fields.get(name)? {
        FieldValue::List(list) => Some(list),
        _ => None,
    }
}

pub(in crate::domain) fn texts<'a>(fields: &'a Fields, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    list(fields, name).unwrap_or_default().iter().filter_map(FieldValue::as_text)
}

pub(in crate::domain) fn object<'a>(fields: &'a Fields, name: &str) -> Option<&'a Fields> {
    fields.get(name)?.as_object()
}

pub(in crate::domain) fn is_true(fields: &Fields, name: &str) -> bool {
    fields.get(name).is_some_and(FieldValue::is_truthy)
}

/// The import id that the record is chosen by and that others name it by.
pub(in crate::domain) fn first_import_id(fields: &Fields) -> Option<&str> {
    texts(fields, "importIds").find(|id| !id.is_empty())
}
