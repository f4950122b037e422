//! What a record changes in the account that it found.

use std::collections::HashSet;

use super::stored_account::{StoredAccount, is_same};
use crate::domain::{
    document::FieldChange,
    field_value::{FieldValue, Fields},
    staged::{StagedUser, is_true, object},
};

/// A column that an update only takes when it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Roles = 1,
    Type = 2,
    Password = 4,
    /// Whether the account is active.
    Deleted = 8,
}

impl Column {
    /// The columns that can be named.
    pub const NAMEABLE: [Self; 4] = [Self::Roles, Self::Type, Self::Password, Self::Deleted];

    /// The column's name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Type => "type",
            Self::Password => "password",
            Self::Deleted => "deleted",
        }
    }

    /// The column that can be named so.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::NAMEABLE.into_iter().find(|column| column.as_str() == word)
    }
}

/// A set of columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Columns(u8);

impl Columns {
    /// The set with a further column.
    #[must_use]
    pub const fn with(self, column: Column) -> Self {
        Self(self.0 | column as u8)
    }

    /// The names of its columns.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Column::NAMEABLE.into_iter().filter(move |column| self.has(*column)).map(Column::as_str)
    }

    #[must_use]
    pub const fn has(self, column: Column) -> bool {
        self.0 & column as u8 != 0
    }
}

/// Fields of an account, and the staged fields that they come from.
const PLAIN: [(&str, &str); 4] =
    [("statusText", "statusText"), ("bio", "bio"), ("utcOffset", "utcOffset"), ("name", "name")];

/// Import ids that the account lacks, and values for its empty fields. Nothing that has a value changes.
pub(super) fn of_link(
    record: StagedUser<'_>,
    account: StoredAccount<'_>,
    others: &[StoredAccount<'_>],
) -> Vec<FieldChange> {
    let stored = account.fields();
    let lacks = |field: &str| {
        !stored.get(field).is_some_and(|value| value.is_truthy() || matches!(value, FieldValue::Integer(_)))
    };
    let mut changes = Changes { stored, changes: Vec::new() };
    changes.add_import_ids(record);
    for (field, column) in PLAIN.into_iter().filter(|(field, _)| lacks(field)) {
        changes.set(field, value_of(record, column));
    }
    if account.username().is_none() {
        changes.set("username", free_username(record, account, others));
    }
    if account.emails().next().is_none() {
        changes.set("emails", emails(record, account, others));
    }
    changes.fill_picture(record);
    changes.fill_custom_fields(record, false);
    changes.changes
}

/// The values of the record, and the import ids that the account lacks. What the record does not have stays. A password is
/// the caller's: to compare one takes long.
pub(super) fn of_update(
    record: StagedUser<'_>,
    account: StoredAccount<'_>,
    others: &[StoredAccount<'_>],
    named: Columns,
) -> Vec<FieldChange> {
    let mut changes = Changes { stored: account.fields(), changes: Vec::new() };
    changes.add_import_ids(record);
    for (field, column) in PLAIN {
        changes.set(field, value_of(record, column));
    }
    changes.set("username", free_username(record, account, others));
    let has_all = record.emails().all(|address| account.emails().any(|(known, _)| known == address))
        && record.emails().count() == account.emails().count();
    if record.emails().next().is_some() && !has_all {
        changes.set("emails", emails(record, account, others));
    }
    changes.fill_picture(record);
    changes.fill_custom_fields(record, true);
    if named.has(Column::Roles) {
        changes.add_roles(record);
    }
    if named.has(Column::Type) {
        changes.set("type", value_of(record, "type"));
    }
    if named.has(Column::Deleted) {
        changes.set("active", record.is_deleted().map(|deleted| FieldValue::Boolean(!deleted)));
    }
    changes.changes
}

/// Everything that the record has: what a placeholder lacks to be the person's account. That person was deactivated only
/// because nobody chose to import him.
pub(super) fn of_fill(
    record: StagedUser<'_>,
    account: StoredAccount<'_>,
    others: &[StoredAccount<'_>],
) -> Vec<FieldChange> {
    let all = Columns::default().with(Column::Roles).with(Column::Type);
    let mut changes = of_update(record, account, others, all);
    let active = FieldValue::Boolean(!record.is_deleted().unwrap_or_default());
    changes.extend(FieldChange::of(account.fields(), "active", active));
    changes
}

/// The record's value, if it has one. Texts lose blanks around them; an empty one is none.
fn value_of(record: StagedUser<'_>, column: &str) -> Option<FieldValue> {
    match record.fields().get(column)? {
        FieldValue::Null | FieldValue::Undefined => None,
        FieldValue::Text(text) => {
            Some(text.trim()).filter(|text| !text.is_empty()).map(|text| FieldValue::Text(text.into()))
        }
        value => Some(value.clone()),
    }
}

/// The record's user name, unless another account has it.
fn free_username(
    record: StagedUser<'_>,
    account: StoredAccount<'_>,
    others: &[StoredAccount<'_>],
) -> Option<FieldValue> {
    let username = record.username()?;
    let is_taken = others.iter().any(|other| other.id() != account.id() && other.has_username(username));
    (!is_taken).then(|| FieldValue::Text(username.into()))
}

/// The record's addresses as stored ones, without those of other accounts. An address that the account has verified stays verified, in any letter case.
fn emails(record: StagedUser<'_>, account: StoredAccount<'_>, others: &[StoredAccount<'_>]) -> Option<FieldValue> {
    let mut seen = HashSet::new();
    let is_taken = |address: &str| {
        others
            .iter()
            .any(|other| other.id() != account.id() && other.emails().any(|(known, _)| is_same(known, address)))
    };
    let stored = |address: &str| {
        let is_verified = account.emails().any(|(known, is_verified)| is_verified && is_same(known, address));
        FieldValue::Object(Fields::from_iter([
            ("address", FieldValue::Text(address.into())),
            ("verified", FieldValue::Boolean(is_verified)),
        ]))
    };
    let own = record.emails().filter(|address| seen.insert(address.to_lowercase()) && !is_taken(address));
    let list: Vec<_> = own.map(stored).collect();
    (!list.is_empty()).then_some(FieldValue::List(list))
}

struct Changes<'a> {
    stored: &'a Fields,
    changes: Vec<FieldChange>,
}

impl Changes<'_> {
    fn set(&mut self, field: &str, value: Option<FieldValue>) {
        let before = self.stored.get(field).cloned();
        if let Some(after) = value.filter(|value| before.as_ref() != Some(value)) {
            self.changes.push(FieldChange { field: field.to_owned(), before, after });
        }
    }

    /// The stored texts, then those that it lacks.
    fn extend<'t>(&mut self, field: &str, values: impl Iterator<Item = &'t str>) {
        let mut list = match self.stored.get(field) {
            Some(FieldValue::List(list)) => list.clone(),
            _ => Vec::new(),
        };
        let before = list.len();
        for value in values.map(|value| FieldValue::Text(value.into())) {
            if !list.contains(&value) {
                list.push(value);
            }
        }
        if list.len() > before {
            self.set(field, Some(FieldValue::List(list)));
        }
    }

    /// The address of the picture is noted for an account without one. A picture that is there may be the person's own
    /// choice, and nothing says which address it came from.
    fn fill_picture(&mut self, record: StagedUser<'_>) {
        let is_there = |field| self.stored.get(field).is_some_and(FieldValue::is_truthy);
        if !is_there("_pendingAvatarUrl") && !is_there("avatarETag") {
            self.set("_pendingAvatarUrl", value_of(record, "avatarUrl"));
        }
    }

    fn add_import_ids(&mut self, record: StagedUser<'_>) {
        self.extend("importIds", record.import_ids());
    }

    /// Roles are added, never taken away.
    fn add_roles(&mut self, record: StagedUser<'_>) {
        self.extend("roles", record.roles());
    }

    fn fill_custom_fields(&mut self, record: StagedUser<'_>, replace: bool) {
        let Some(given) = object(record.fields(), "customFields") else { return };
        let stored = match self.stored.get("customFields") {
            None => None,
            Some(FieldValue::Object(stored)) => Some(stored),
            // There is nothing to put a single field into.
            Some(_) => return self.set("customFields", Some(FieldValue::Object(given.clone()))),
        };
        let given = given.iter().filter(|(_, value)| !matches!(value, FieldValue::Null | FieldValue::Undefined));
        for (name, value) in given.filter(|(name, _)| can_be_named_in_a_path(name)) {
            let before = stored.and_then(|stored| stored.get(name));
            if before != Some(value) && (replace || !stored.is_some_and(|stored| is_true(stored, name))) {
                self.changes.push(FieldChange {
                    field: format!("customFields.{name}"),
                    before: before.cloned(),
                    after: value.clone(),
                });
            }
        }
    }
}

/// The database takes dots for the steps of a path, and a dollar sign for an operator.
fn can_be_named_in_a_path(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}
