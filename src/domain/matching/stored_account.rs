//! A view of an account that is there.

use crate::domain::{
    document::account::PLACEHOLDER,
    field_value::{FieldValue, Fields},
    staged::{StagedUser, filled, is_true, list, text, texts},
};

/// A view of a stored account, with the fields that matching reads.
#[derive(Debug, Clone, Copy)]
pub struct StoredAccount<'a>(&'a Fields);

impl<'a> StoredAccount<'a> {
    /// `document` needs `_id`, `username`, `emails`, `importIds`, and for link and update also `name`, `bio`,
    /// `statusText`, `utcOffset`, `_pendingAvatarUrl`, `avatarETag`, `customFields`, `roles`, `type`, `active`,
    /// `federated`, `requirePasswordChange` and the mark of a placeholder.
    #[must_use]
    pub const fn new(document: &'a Fields) -> Self {
        Self(document)
    }

    #[must_use]
    pub const fn fields(self) -> &'a Fields {
        self.0
    }

    #[must_use]
    pub fn id(self) -> &'a str {
        text(self.0, "_id").unwrap_or_default()
    }

    #[must_use]
    pub fn username(self) -> Option<&'a str> {
        filled(self.0, "username")
    }

    /// The addresses, each with whether its owner verified it; empty ones are none.
    pub fn emails(self) -> impl Iterator<Item = (&'a str, bool)> {
        let emails = list(self.0, "emails").unwrap_or_default().iter().filter_map(FieldValue::as_object);
        emails.filter_map(|email| Some((filled(email, "address")?.trim(), is_true(email, "verified"))))
    }

    /// Whether the account administrates the workspace. One that says nothing about its activity is active.
    #[must_use]
    pub fn is_active_administrator(self) -> bool {
        self.0.get("active") != Some(&FieldValue::Boolean(false)) && texts(self.0, "roles").any(|role| role == "admin")
    }

    /// Whether the account belongs to another server.
    #[must_use]
    pub fn is_federated(self) -> bool {
        is_true(self.0, "federated")
    }

    /// How reports name the account.
    #[must_use]
    pub fn label(self) -> String {
        match self.username() {
            Some(username) => format!("{} (@{username})", self.id()),
            None => self.id().to_owned(),
        }
    }

    /// The ids that it has in other systems.
    pub fn import_ids(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "importIds")
    }

    pub(super) fn shared_import_ids<'r>(self, record: StagedUser<'r>) -> impl Iterator<Item = &'r str> + use<'a, 'r> {
        record.import_ids().filter(move |id| self.import_ids().any(|known| known == *id))
    }

    /// Whether a shared address is verified; `None` without a shared address. The letter case of addresses is ignored.
    pub(super) fn verification_of(self, record: StagedUser<'_>) -> Option<bool> {
        let shared = self.emails().filter(|(known, _)| record.emails().any(|address| is_same(known, address)));
        shared.map(|(_, is_verified)| is_verified).max()
    }

    pub(super) fn shares_email_exactly(self, record: StagedUser<'_>) -> bool {
        self.emails().any(|(known, _)| record.emails().any(|address| address == known))
    }

    /// Whether account and record both have addresses, and share none.
    pub(super) fn has_other_addresses_than(self, record: StagedUser<'_>) -> bool {
        self.emails().next().is_some() && record.emails().next().is_some() && self.verification_of(record).is_none()
    }

    /// Whether the account has the record's user name, in any letter case.
    #[must_use]
    pub fn has_username_of(self, record: StagedUser<'_>) -> bool {
        record.username().is_some_and(|username| self.username().is_some_and(|known| is_same(known, username)))
    }

    /// Whether the account has the record's user name. A placeholder is never found by its name alone: nobody knows
    /// whose it is.
    pub(super) fn is_found_by_name(self, record: StagedUser<'_>) -> bool {
        self.has_username_of(record) && !self.is_placeholder()
    }

    /// Whether the account stands in for somebody who is not imported.
    #[must_use]
    pub fn is_placeholder(self) -> bool {
        is_true(self.0, PLACEHOLDER)
    }

    pub(super) fn has_username(self, username: &str) -> bool {
        self.username().is_some_and(|known| is_same(known, username))
    }
}

/// Whether two addresses or user names are the same but for letter case.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}
