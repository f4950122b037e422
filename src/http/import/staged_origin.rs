//! What a failed record's staged form still says: where it comes from, and what its receipt does not hold.

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
    staged::StagedUser,
};

/// Bytes of one text of a failed user that are shown.
const TEXT_BYTES: usize = 4 * 1024;

/// The origin of a staged record.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The place in its file, for people.
    pub(super) place: Option<String>,
    /// The line of a user's source, where it was staged with it.
    pub(super) line: Option<u64>,
    /// The display name of a user.
    pub(super) name: Option<String>,
    /// The roles of a user, those of the setting among them.
    pub(super) roles: Vec<String>,
}

impl Origin {
    /// Reads `place` and `dataType` of a record, and of its `data` the line, the name and the roles.
    pub(super) fn of(record: &Fields) -> Self {
        let place = record.get("place").and_then(FieldValue::as_text).filter(|place| !place.is_empty()).map(short);
        let is_user = record.get("dataType").and_then(FieldValue::as_text) == Some(RecordType::User.data_type());
        let Some(user) = record.get("data").and_then(FieldValue::as_object).filter(|_| is_user) else {
            return Self { place, ..Self::default() };
        };
        let user = StagedUser::new(user);
        let line = user.line();
        Self {
            place: place.or_else(|| line.map(|line| format!("line {line}"))),
            line,
            name: user.name().map(short),
            roles: user.roles().map(short).collect(),
        }
    }
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    let end = (0..=TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or_default()].to_owned()
}
