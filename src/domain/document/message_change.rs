//! What a further import changes in a message that an earlier one made.

use thiserror::Error;

use super::{FieldChange, FieldValue, Fields, message::Message, source_hash::SourceHash};
use crate::domain::{
    field_value::Date,
    staged::{date, object, text},
};

/// What an earlier import noted of a message that it stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedMessage {
    pub source: SourceHash,
    /// The `editedAt` that it stored.
    pub edited_at: Option<Date>,
}

/// What happens to a message of the source.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageChange {
    /// It is not there, and no import made it before.
    New,
    /// Nothing changed at the source, or what changed was taken over before.
    Same,
    Change {
        set: Vec<FieldChange>,
        unset: Vec<&'static str>,
    },
    /// It stays as it is.
    Kept(KeptBecause),
}

/// Why a message stays as it is although its source changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum KeptBecause {
    #[error("somebody deleted the message here")]
    DeletedHere,
    #[error("somebody edited the message here later")]
    EditedHere,
    /// An earlier import took over an edit that this source does not know yet.
    #[error("the source is older than the one of an earlier import")]
    OlderSource,
    #[error("the message with this id lies in another room")]
    OtherRoom,
    #[error("the message with this id has another author")]
    OtherAuthor,
}

/// The fields that follow the source. Not among them: what people here may have added, such as reactions, pins and
/// stars, and what storing a file adds.
const FOLLOWING: [&str; 14] = [
    "msg",
    "ts",
    "t",
    "groupable",
    "tmid",
    "tshow",
    "tlm",
    "tcount",
    "replies",
    "editedAt",
    "editedBy",
    "mentions",
    "channels",
    "urls",
];

/// The field that says where the file of a message is.
const IMPORT_FILE: &str = "_importFile";

/// The fields of a thread's first message that count its answers.
const COUNTERS: [&str; 3] = ["tlm", "tcount", "replies"];

/// Decides about a message whose `_id` may be there already.
///
/// `stored` is the message with its `_id`, if there is one; `imported` what an earlier import noted of it.
#[must_use]
pub fn change(message: &Message, stored: Option<&Fields>, imported: Option<&ImportedMessage>) -> MessageChange {
    let Some(stored) = stored else {
        return imported.map_or(MessageChange::New, |_| MessageChange::Kept(KeptBecause::DeletedHere));
    };
    if text(stored, "rid") != Some(message.room.as_str()) {
        return MessageChange::Kept(KeptBecause::OtherRoom);
    }
    if object(stored, "u").and_then(|author| text(author, "_id")) != Some(message.author.as_str()) {
        return MessageChange::Kept(KeptBecause::OtherAuthor);
    }
    if imported.is_some_and(|imported| imported.source == message.source) {
        return MessageChange::Same;
    }
    if is_edited_here(message, stored, imported) {
        return MessageChange::Kept(KeptBecause::EditedHere);
    }
    // Sources keep the time of an edit for good.
    if date(stored, "editedAt") > date(&message.document, "editedAt") {
        return MessageChange::Kept(KeptBecause::OlderSource);
    }
    let in_source = |field: &&str| message.document.get(field).is_some();
    let answers = |fields: &Fields| fields.get("tcount").and_then(FieldValue::as_integer).unwrap_or_default();
    // People here may have answered too: the counters of a thread only grow.
    let has_more_answers = answers(&message.document) > answers(stored);
    let set: Vec<_> = FOLLOWING
        .iter()
        .filter(|field| has_more_answers || !COUNTERS.contains(field))
        .copied()
        .chain(fresh_file(message, stored))
        .filter_map(|field| FieldChange::of(stored, field, message.document.get(field)?.clone()))
        .collect();
    // Answers given here count in the thread's fields, so the source never takes those away.
    let removable = ["mentions", "channels"].into_iter();
    let unset: Vec<_> = removable.filter(|field| !in_source(field) && stored.get(field).is_some()).collect();
    if set.is_empty() && unset.is_empty() { MessageChange::Same } else { MessageChange::Change { set, unset } }
}

/// The field that says where the file of the message is, as long as the message waits for it: an address of a later export
/// may hold a token that still holds.
fn fresh_file(message: &Message, stored: &Fields) -> Option<&'static str> {
    let file = object(stored, IMPORT_FILE)?;
    let is_there = file.get("downloaded") == Some(&FieldValue::Boolean(true)) || file.get("rocketChatUrl").is_some();
    (!is_there && message.document.get(IMPORT_FILE).is_some()).then_some(IMPORT_FILE)
}

/// Whether somebody edited the message after it was imported: it holds a time of editing that no import stored.
fn is_edited_here(message: &Message, stored: &Fields, imported: Option<&ImportedMessage>) -> bool {
    let Some(edited_at) = date(stored, "editedAt") else { return false };
    match imported {
        // An attempt that died may have taken the source's editing over and noted nothing.
        Some(imported) => {
            imported.edited_at != Some(edited_at) && date(&message.document, "editedAt") != Some(edited_at)
        }
        // Made by Rocket.Chat's importer, which notes nothing: an editing that the source knows is the source's.
        None => date(&message.document, "editedAt").is_none_or(|source| edited_at > source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::text;

    fn fields(fields: &[(&str, FieldValue)]) -> Fields {
        fields.iter().cloned().collect()
    }

    fn at(millis: i64) -> FieldValue {
        FieldValue::Date(Date::from_epoch_millis(millis))
    }

    fn message(msg: &str, edited: Option<i64>) -> Message {
        let author = FieldValue::Object(fields(&[("_id", text("ann"))]));
        let mut document = fields(&[("_id", text("m")), ("rid", text("r")), ("u", author), ("msg", text(msg))]);
        if let Some(edited) = edited {
            document = document.with("editedAt", at(edited));
        }
        let ts = Date::from_epoch_millis(1);
        let source = SourceHash::new(&document);
        Message { id: "m".into(), room: "r".into(), author: "ann".into(), ts, document, source, unknown: vec![] }
    }

    fn noted(message: &Message) -> ImportedMessage {
        ImportedMessage { source: message.source, edited_at: date(&message.document, "editedAt") }
    }

    #[test]
    fn a_second_import_of_the_same_source_changes_nothing() {
        let message = message("text", None);
        let noted = noted(&message);
        let reacted = message.document.clone().with("reactions", text("here"));
        assert_eq!(change(&message, Some(&reacted), Some(&noted)), MessageChange::Same);
        assert_eq!(change(&message, None, None), MessageChange::New);
    }

    #[test]
    fn an_edit_at_the_source_is_taken_over_and_leaves_what_people_here_added() {
        let first = message("text", None);
        let edited = message("better text", Some(9));
        let stored = first.document.clone().with("reactions", text("here")).with("mentions", text("old"));
        let MessageChange::Change { set, unset } = change(&edited, Some(&stored), Some(&noted(&first))) else {
            panic!("no change")
        };
        let names: Vec<_> = set.iter().map(|change| change.field.as_str()).collect();
        assert_eq!((names, unset), (vec!["msg", "editedAt"], vec!["mentions"]));
    }

    #[test]
    fn a_fresh_address_is_taken_over_while_the_message_waits_for_its_file() {
        let with_file = |address: &str, more: &[(&str, FieldValue)]| {
            let file = fields(&[("downloadUrl", text(address)), ("id", text("F1"))]);
            let file = more.iter().fold(file, |file, (name, value)| file.with(name, value.clone()));
            let mut message = message("", None);
            message.document = message.document.with("ts", at(1)).with(IMPORT_FILE, FieldValue::Object(file));
            message.source = SourceHash::new(&message.document);
            message
        };
        let (first, later) = (with_file("https://f.example/a?t=old", &[]), with_file("https://f.example/a?t=new", &[]));
        let MessageChange::Change { set, .. } = change(&later, Some(&first.document), Some(&noted(&first))) else {
            panic!("no change")
        };
        assert_eq!((set.len(), set[0].field.as_str()), (1, IMPORT_FILE));
        let stored = with_file("https://f.example/a", &[("downloaded", FieldValue::Boolean(true))]);
        assert_eq!(change(&later, Some(&stored.document), Some(&noted(&first))), MessageChange::Same);
    }

    #[test]
    fn what_people_did_here_stays() {
        let first = message("text", Some(5));
        let later = message("better text", Some(9));
        let here = first.document.clone().with("msg", text("mine")).with("editedAt", at(7));
        let noted = noted(&first);
        assert_eq!(change(&later, Some(&here), Some(&noted)), MessageChange::Kept(KeptBecause::EditedHere));
        assert_eq!(change(&later, None, Some(&noted)), MessageChange::Kept(KeptBecause::DeletedHere));
        let moved = first.document.clone().with("rid", text("other"));
        assert_eq!(change(&later, Some(&moved), Some(&noted)), MessageChange::Kept(KeptBecause::OtherRoom));
        let foreign = first.document.clone().with("u", FieldValue::Object(fields(&[("_id", text("bob"))])));
        assert_eq!(change(&later, Some(&foreign), Some(&noted)), MessageChange::Kept(KeptBecause::OtherAuthor));
    }

    #[test]
    fn an_older_source_takes_no_edit_back() {
        let (first, edited) = (message("text", None), message("better text", Some(9)));
        let older = MessageChange::Kept(KeptBecause::OlderSource);
        assert_eq!(change(&first, Some(&edited.document), Some(&noted(&edited))), older);
        let once = message("good text", Some(5));
        assert_eq!(change(&once, Some(&edited.document), Some(&noted(&edited))), older);
    }

    #[test]
    fn the_order_of_fields_and_nulls_do_not_change_the_hash() {
        let one = fields(&[("a", FieldValue::Integer(1)), ("b", FieldValue::Null), ("c", text("x"))]);
        let other = fields(&[("c", text("x")), ("a", FieldValue::Double(1.0))]);
        assert_eq!(SourceHash::new(&one), SourceHash::new(&other));
        assert_ne!(SourceHash::new(&one), SourceHash::new(&other.with("c", text("y"))));
    }
}
