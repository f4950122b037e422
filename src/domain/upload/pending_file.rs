//! A file that a message of an import waits for.

use crate::domain::{
    field_value::{Date, FieldValue, Fields},
    stable_hash::{hex, stable_hash},
};

/// The field of a message that tells of its file.
///
/// Source: `apps/meteor/server/lib/import/pending-files/PendingFileImporter.ts`.
pub const IMPORT_FILE: &str = "_importFile";
const KEY_BYTES: usize = 16;

/// A file that a message waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingFile {
    /// The `_id` of the message.
    pub message: String,
    /// The `_id` of its room.
    pub room: String,
    /// The `_id` of its author.
    pub author: String,
    pub ts: Date,
    /// Where the file is. It may hold a token.
    pub address: String,
    /// The id in the system that it comes from.
    pub id: String,
    pub name: String,
    /// Bytes, as far as the source says.
    pub size: Option<u64>,
    /// The same for the same file, however many messages wait for it.
    pub key: String,
}

impl PendingFile {
    /// The file that a stored message waits for; `None` for a message that waits for none, or has it.
    #[must_use]
    pub fn of(message: &Fields) -> Option<Self> {
        let text = |fields: &Fields, name: &str| fields.get(name).and_then(FieldValue::as_text).map(str::to_owned);
        let file = message.get(IMPORT_FILE)?.as_object()?;
        let is_there =
            file.get("downloaded") == Some(&FieldValue::Boolean(true)) || file.get("rocketChatUrl").is_some();
        if is_there || file.get("external") == Some(&FieldValue::Boolean(true)) {
            return None;
        }
        let Some(FieldValue::Date(ts)) = message.get("ts") else { return None };
        let id = text(message, "_id")?;
        let address = text(file, "downloadUrl").unwrap_or_default();
        let key = file_key(file, &id);
        let file_id = text(file, "id").filter(|file| !file.is_empty());
        let size = file.get("size").and_then(FieldValue::as_integer);
        Some(Self {
            room: text(message, "rid")?,
            author: message.get("u").and_then(FieldValue::as_object).and_then(|author| text(author, "_id"))?,
            ts: *ts,
            address,
            name: name_of(file, file_id.as_deref().unwrap_or(&id)),
            id: file_id.unwrap_or_else(|| id.clone()),
            size: size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
            message: id,
            key,
        })
    }
}

/// The key of the file that `_importFile` tells of, in the message `message`.
///
/// Rocket.Chat goes by the id alone; an id of a hand-made file may name another file in the next import.
#[must_use]
pub fn file_key(file: &Fields, message: &str) -> String {
    let text = |name: &str| file.get(name).and_then(FieldValue::as_text).unwrap_or_default();
    let id = if text("id").is_empty() { message } else { text("id") };
    hex(&stable_hash([text("source"), id, without_secrets(text("downloadUrl"))])[..KEY_BYTES])
}

fn name_of(file: &Fields, otherwise: &str) -> String {
    let original = file.get("original").and_then(FieldValue::as_object);
    let names = [file.get("name"), original.and_then(|original| original.get("title"))];
    let mut name = names.into_iter().flatten().filter_map(FieldValue::as_text).map(str::trim);
    name.find(|name| !name.is_empty()).unwrap_or(otherwise).to_owned()
}

/// The address without query and fragment, where tokens stand.
#[must_use]
pub fn without_secrets(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

/// What `_importFile` holds, with every address in it cut before its query.
#[must_use]
pub fn cleaned(file: &Fields) -> Fields {
    file.iter().map(|(name, value)| (name, cleaned_value(value))).collect()
}

fn cleaned_value(value: &FieldValue) -> FieldValue {
    match value {
        FieldValue::Text(text) if text.contains("://") => FieldValue::Text(without_secrets(text).into()),
        FieldValue::Object(fields) => FieldValue::Object(cleaned(fields)),
        FieldValue::List(list) => FieldValue::List(list.iter().map(cleaned_value).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    fn message(id: &str, address: &str, more: &[(&str, FieldValue)]) -> Fields {
        let mut file = Fields::from_iter([
            ("downloadUrl", text(address)),
            ("id", text("F1")),
            ("size", FieldValue::Integer(12)),
            ("name", text("a.png")),
            ("source", text("slack")),
            ("original", FieldValue::Object(Fields::from_iter([("thumb", text("https://f.example/t?t=secret"))]))),
        ]);
        for (name, value) in more {
            file = file.with(name, value.clone());
        }
        Fields::from_iter([
            ("_id", text(id)),
            ("rid", text("room")),
            ("u", FieldValue::Object(Fields::from_iter([("_id", text("ann"))]))),
            ("ts", FieldValue::Date(Date::from_epoch_millis(5))),
            (IMPORT_FILE, FieldValue::Object(file)),
        ])
    }

    #[test]
    fn the_same_file_has_one_key_whatever_its_token() {
        let key = |id: &str, address: &str| PendingFile::of(&message(id, address, &[])).unwrap().key;
        assert_eq!(key("m1", "https://f.example/F1/a.png?t=1"), key("m2", "https://f.example/F1/a.png?t=2"));
        assert_ne!(key("m1", "https://f.example/F1/a.png"), key("m1", "https://other.example/F1/a.png"));
    }

    #[test]
    fn a_message_that_has_its_file_waits_for_none() {
        let address = "https://f.example/a";
        assert!(PendingFile::of(&message("m", address, &[])).is_some());
        for (name, value) in [
            ("downloaded", FieldValue::Boolean(true)),
            ("rocketChatUrl", text("/file-upload/a/b")),
            ("external", FieldValue::Boolean(true)),
        ] {
            assert_eq!(PendingFile::of(&message("m", address, &[(name, value)])), None, "{name}");
        }
    }

    #[test]
    fn tokens_go_out_of_every_address() {
        let message = message("m", "https://f.example/a?t=secret#part", &[]);
        let cleaned = cleaned(message.get(IMPORT_FILE).and_then(FieldValue::as_object).unwrap());
        assert!(!format!("{cleaned:?}").contains("secret"), "{cleaned:?}");
        assert_eq!(cleaned.get("downloadUrl"), Some(&text("https://f.example/a")));
        assert_eq!(cleaned.get("name"), Some(&text("a.png")));
    }
}
