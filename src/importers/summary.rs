//! What can be chosen from, as `getImportFileData` lists it.
//!
//! Source: `apps/meteor/server/lib/import/classes/Importer.ts` and `ImporterSelection*.ts` beside it.

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

/// A record as a line of the selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selectable {
    User(SelectableUser),
    Channel(SelectableChannel),
    /// A room of people, not chosen by itself: one line stands for all of them.
    DirectMessages,
    Contact(SelectableContact),
    Message,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectableUser {
    /// The first import id.
    pub user_id: String,
    pub username: Option<String>,
    /// The first address.
    pub email: Option<String>,
    pub is_deleted: bool,
    pub is_bot: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectableChannel {
    /// The first import id.
    pub channel_id: String,
    pub name: Option<String>,
    pub is_archived: bool,
    pub is_private: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectableContact {
    /// The first import id.
    pub id: String,
    pub name: Option<String>,
    pub emails: Vec<String>,
    pub phones: Vec<String>,
}

impl Selectable {
    /// The line of a record of this type with this data.
    #[must_use]
    pub fn of(kind: RecordType, data: &Fields) -> Self {
        let id = || first(data, "importIds").unwrap_or_default();
        match kind {
            RecordType::User => Self::User(SelectableUser {
                user_id: id(),
                username: text(data, "username"),
                email: first(data, "emails"),
                is_deleted: is_true(data, "deleted"),
                is_bot: text(data, "type").as_deref() == Some("bot"),
            }),
            RecordType::Channel if text(data, "t").as_deref() == Some("d") => Self::DirectMessages,
            RecordType::Channel => Self::Channel(SelectableChannel {
                channel_id: id(),
                name: text(data, "name"),
                is_archived: is_true(data, "archived"),
                is_private: text(data, "t").as_deref() == Some("p"),
            }),
            RecordType::Contact => Self::Contact(SelectableContact {
                id: id(),
                name: text(data, "name"),
                emails: texts(data, "emails"),
                phones: texts(data, "phones"),
            }),
            RecordType::Message | RecordType::File | RecordType::Avatar => Self::Message,
        }
    }
}

/// All lines of a selection, in the order of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub users: Vec<SelectableUser>,
    pub channels: Vec<SelectableChannel>,
    /// Whether there are rooms that the line `__directMessages__` stands for.
    pub has_direct_messages: bool,
    pub contacts: Vec<SelectableContact>,
    pub message_count: u64,
}

impl Summary {
    /// Adds the line of a record.
    pub fn add(&mut self, kind: RecordType, data: &Fields) {
        match Selectable::of(kind, data) {
            Selectable::User(user) => self.users.push(user),
            Selectable::Channel(channel) => self.channels.push(channel),
            Selectable::DirectMessages => self.has_direct_messages = true,
            Selectable::Contact(contact) => self.contacts.push(contact),
            Selectable::Message => self.message_count += 1,
        }
    }
}

fn text(data: &Fields, name: &str) -> Option<String> {
    data.get(name)?.as_text().map(str::to_owned)
}

fn texts(data: &Fields, name: &str) -> Vec<String> {
    let Some(FieldValue::List(values)) = data.get(name) else { return Vec::new() };
    values.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect()
}

fn first(data: &Fields, name: &str) -> Option<String> {
    texts(data, name).into_iter().next()
}

fn is_true(data: &Fields, name: &str) -> bool {
    data.get(name).is_some_and(FieldValue::is_truthy)
}
