//! A staged contact of the omnichannel.

use super::{filled, first_import_id, object, texts};
use crate::domain::field_value::Fields;

/// A view of a staged contact.
#[derive(Debug, Clone, Copy)]
pub struct StagedContact<'a>(&'a Fields);

impl<'a> StagedContact<'a> {
    #[must_use]
    pub const fn new(data: &'a Fields) -> Self {
        Self(data)
    }

    /// The import ids that are not empty.
    pub fn import_ids(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "importIds").filter(|id| !id.is_empty())
    }

    #[must_use]
    pub fn first_import_id(self) -> Option<&'a str> {
        first_import_id(self.0)
    }

    /// The name, without blanks around it; an empty one is none.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        filled(self.0, "name").map(str::trim)
    }

    /// The e-mail addresses, without blanks around them; empty ones are none.
    pub fn emails(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "emails").map(str::trim).filter(|address| !address.is_empty())
    }

    /// The telephone numbers, without blanks around them; empty ones are none.
    pub fn phones(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "phones").map(str::trim).filter(|phone| !phone.is_empty())
    }

    /// The user name of the person who looks after the contact.
    #[must_use]
    pub fn manager(self) -> Option<&'a str> {
        filled(self.0, "contactManager").map(str::trim)
    }

    /// The names of the custom fields, in the order of the record.
    pub fn custom_field_names(self) -> impl Iterator<Item = &'a str> {
        object(self.0, "customFields").into_iter().flat_map(Fields::iter).map(|(name, _)| name)
    }

    /// The value of a custom field, without blanks around it; an empty one is none.
    #[must_use]
    pub fn custom_field(self, id: &str) -> Option<&'a str> {
        filled(object(self.0, "customFields")?, id).map(str::trim)
    }
}
