//! A staged user.

use super::{filled, first_import_id, texts};
use crate::domain::field_value::{FieldValue, Fields};

/// A view of a staged user.
#[derive(Debug, Clone, Copy)]
pub struct StagedUser<'a>(&'a Fields);

impl<'a> StagedUser<'a> {
    #[must_use]
    pub const fn new(data: &'a Fields) -> Self {
        Self(data)
    }

    /// All fields as they were staged.
    #[must_use]
    pub const fn fields(self) -> &'a Fields {
        self.0
    }

    /// The import ids that are not empty.
    pub fn import_ids(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "importIds").filter(|id| !id.is_empty())
    }

    #[must_use]
    pub fn first_import_id(self) -> Option<&'a str> {
        first_import_id(self.0)
    }

    /// The e-mail addresses, without blanks around them; empty ones are none.
    pub fn emails(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "emails").map(str::trim).filter(|address| !address.is_empty())
    }

    /// The user name, without blanks around it; an empty one is none.
    #[must_use]
    pub fn username(self) -> Option<&'a str> {
        filled(self.0, "username").map(str::trim)
    }

    /// The display name, without blanks around it; an empty one is none.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        filled(self.0, "name").map(str::trim)
    }

    pub fn roles(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "roles").filter(|role| !role.is_empty())
    }

    /// The names of the channels that the person's new account joins, without `#` before them.
    ///
    /// Ours: Rocket.Chat passes the field over.
    pub fn channels(self) -> impl Iterator<Item = &'a str> {
        let names = texts(self.0, "channels").map(str::trim).map(|name| name.strip_prefix('#').unwrap_or(name));
        names.filter(|name| !name.is_empty())
    }

    /// Whether `channels` hold something that is no name of a channel, and is passed over.
    #[must_use]
    pub fn has_unreadable_channels(self) -> bool {
        match self.0.get("channels") {
            None | Some(FieldValue::Null | FieldValue::Undefined) => false,
            Some(FieldValue::List(names)) => !names.iter().all(|name| name.as_text().is_some()),
            Some(_) => true,
        }
    }

    /// The line of the source that the person comes from, counted from 1.
    ///
    /// Ours: Rocket.Chat stages the field and never reads it.
    #[must_use]
    pub fn line(self) -> Option<u64> {
        match self.0.get("line")? {
            FieldValue::Integer(line) => u64::try_from(*line).ok().filter(|line| *line > 0),
            _ => None,
        }
    }

    /// `user` or `bot`.
    #[must_use]
    pub fn kind(self) -> Option<&'a str> {
        filled(self.0, "type")
    }

    /// Whether the source holds the person as deactivated; `None` if it says nothing about that.
    #[must_use]
    pub fn is_deleted(self) -> Option<bool> {
        self.0.get("deleted").filter(|value| !matches!(value, FieldValue::Null)).map(FieldValue::is_truthy)
    }
}
