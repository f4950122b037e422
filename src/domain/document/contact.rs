//! The contact that a staged contact becomes.

use regex::Regex;
use thiserror::Error;

use super::{Builder, FieldValue, Fields, stable_id::stable_id, text, texts};
use crate::domain::{
    field_value::Date,
    record_type::RecordType,
    staged::{StagedContact, filled, is_true, text as stored_text},
};

/// The role that a contact's manager must have.
pub const AGENT_ROLE: &str = "livechat-agent";

/// Why a staged contact cannot become one. The texts are Rocket.Chat's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContactError {
    /// The manager is known, but no agent.
    #[error("error-contact-manager-not-found")]
    ManagerIsNoAgent,
    #[error("Invalid value for {0} field")]
    InvalidCustomField(String),
}

/// The account that a record names as a contact's manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manager<'a> {
    /// The account's `_id`.
    pub id: &'a str,
    /// Whether it has the role [`AGENT_ROLE`].
    pub is_agent: bool,
}

/// A custom field of the omnichannel that contacts may have.
#[derive(Debug, Clone)]
pub struct ContactField {
    id: String,
    label: String,
    is_required: bool,
    pattern: Option<Regex>,
}

impl ContactField {
    /// Reads a document of `rocketchat_livechat_custom_field`; `None` for one that is not of contacts.
    ///
    /// A pattern that is no regular expression here allows every value.
    #[must_use]
    pub fn new(document: &Fields) -> Option<Self> {
        if stored_text(document, "scope") != Some("visitor") {
            return None;
        }
        let id = filled(document, "_id")?.to_owned();
        Some(Self {
            label: filled(document, "label").unwrap_or(&id).to_owned(),
            is_required: is_true(document, "required"),
            pattern: filled(document, "regexp").and_then(|pattern| Regex::new(pattern).ok()),
            id,
        })
    }

    fn value<'a>(&self, staged: StagedContact<'a>) -> Result<Option<&'a str>, ContactError> {
        let value = staged.custom_field(&self.id);
        let is_valid = match value {
            Some(value) => self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value)),
            None => !self.is_required,
        };
        if is_valid { Ok(value) } else { Err(ContactError::InvalidCustomField(self.label.clone())) }
    }
}

/// The `_id` of a contact of the importer `importer`. `ordinal` is its number among those of the file with the same
/// import id, or without one and the same in everything else.
#[must_use]
pub fn contact_id(staged: StagedContact<'_>, importer: &str, ordinal: u32) -> String {
    let ordinal = ordinal.to_string();
    if let Some(import_id) = staged.first_import_id() {
        return stable_id(RecordType::Contact, &["id", importer, import_id, &ordinal]);
    }
    let emails: Vec<&str> = staged.emails().collect();
    let phones: Vec<&str> = staged.phones().collect();
    let name = staged.name().unwrap_or_default();
    stable_id(RecordType::Contact, &["", importer, name, &emails.join("\n"), &phones.join("\n"), &ordinal])
}

/// Makes a contact, in the order in which Rocket.Chat stores its fields.
///
/// `manager` is the account whose user name the record has as its manager's; an unknown one is left out. `guest_name` is
/// the name of a contact without one.
///
/// # Errors
/// When the manager is no agent, or a custom field does not hold what the workspace wants.
///
/// Source: `apps/meteor/server/lib/import/classes/converters/ContactConverter.ts`, `createContact.ts`.
pub fn contact(
    staged: StagedContact<'_>,
    id: &str,
    manager: Option<Manager<'_>>,
    fields: &[ContactField],
    guest_name: &str,
    now: Date,
) -> Result<Fields, ContactError> {
    if manager.is_some_and(|manager| !manager.is_agent) {
        return Err(ContactError::ManagerIsNoAgent);
    }
    let mut valid: Vec<(&str, &str)> = Vec::new();
    for field in fields {
        valid.extend(field.value(staged)?.map(|value| (field.id.as_str(), value)));
    }
    valid.sort_by_key(|(id, _)| staged.custom_field_names().position(|name| name == *id));
    let custom: Fields = valid.into_iter().map(|(id, value)| (id, text(value))).collect();
    let each = |field: &'static str, value: &str| FieldValue::Object(Fields::from_iter([(field, text(value))]));
    let mut contact = Builder::default();
    contact.put_text("_id", id).put_date("createdAt", now).put_text("name", staged.name().unwrap_or(guest_name));
    contact.put("emails", FieldValue::List(staged.emails().map(|email| each("address", email)).collect()));
    contact.put("phones", FieldValue::List(staged.phones().map(|phone| each("phoneNumber", phone)).collect()));
    contact
        .put_some("contactManager", manager.map(|manager| text(manager.id)))
        .put("channels", FieldValue::List(vec![]));
    contact.put("customFields", FieldValue::Object(custom)).put_flag("unknown", false);
    contact.put("importIds", texts(staged.import_ids())).put_flag("preRegistration", true).put_date("_updatedAt", now);
    Ok(contact.build())
}

/// The name of a contact without one. `count` is the setting `Livechat_guest_count` after it was raised for it.
#[must_use]
pub fn guest_name(count: i64) -> String {
    format!("guest-{count}")
}
