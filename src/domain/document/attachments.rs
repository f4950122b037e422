//! Attachments that Rocket.Chat accepts.
//!
//! Rocket.Chat checks the attachments of a message that it stores and loses the whole message over one wrong field. Here
//! the wrong field goes, and its text stays.
//!
//! Source: `apps/meteor/server/lib/messages/sendMessage.ts` (`validateAttachment`).

use super::{FieldValue, Fields, is_value, text, without_nulls};
use crate::domain::staged::filled;

const TEXTS: [&str; 7] = ["color", "text", "title", "author_name", "fallback", "image_type", "description"];
const ADDRESSES: [&str; 8] =
    ["thumb_url", "message_link", "author_link", "author_icon", "title_link", "image_url", "audio_url", "video_url"];
const SIZE_ENDING: &str = "_size";
/// Where files that Rocket.Chat stores are found.
const OWN_FILES: &str = "/file-upload/";

/// The attachments, without nulls and without fields that Rocket.Chat refuses; `None` if there are none.
#[must_use]
pub fn cleaned(attachments: &[FieldValue]) -> Option<FieldValue> {
    let cleaned: Vec<FieldValue> = attachments.iter().filter_map(FieldValue::as_object).map(attachment).collect();
    (!cleaned.is_empty()).then_some(FieldValue::List(cleaned))
}

fn attachment(given: &Fields) -> FieldValue {
    let mut orphaned = Vec::new();
    let mut kept = Fields::default();
    for (name, value) in given.iter().filter(|(_, value)| is_value(value)) {
        let value = match name {
            "fields" => fields(value, &mut orphaned),
            "actions" => actions(value),
            "attachments" => match value {
                FieldValue::List(list) => cleaned(list),
                _ => None,
            },
            "ts" => matches!(
                value,
                FieldValue::Text(_) | FieldValue::Integer(_) | FieldValue::Double(_) | FieldValue::Date(_)
            )
            .then(|| value.clone()),
            _ if TEXTS.contains(&name) => as_text(value),
            _ if ADDRESSES.contains(&name) => value.as_text().filter(|address| is_address(address)).map(text),
            _ if name.ends_with(SIZE_ENDING) => value.as_integer().map(|_| value.clone()),
            _ => Some(without_nulls(value)),
        };
        if let Some(value) = value {
            kept = kept.with(name, value);
        }
    }
    if !orphaned.is_empty() {
        let before = filled(&kept, "text").map(str::to_owned);
        let lines: Vec<String> = before.into_iter().chain(orphaned).collect();
        kept = kept.with("text", text(&lines.join("\n")));
    }
    FieldValue::Object(kept)
}

fn as_text(value: &FieldValue) -> Option<FieldValue> {
    match value {
        FieldValue::Text(_) => Some(value.clone()),
        FieldValue::Integer(number) => Some(text(&number.to_string())),
        FieldValue::Double(number) => Some(text(&number.to_string())),
        _ => None,
    }
}

/// Each field needs a title and a value. The text of one that has only one of them goes to `orphaned`.
fn fields(value: &FieldValue, orphaned: &mut Vec<String>) -> Option<FieldValue> {
    let FieldValue::List(list) = value else { return None };
    let mut kept = Vec::new();
    for field in list.iter().filter_map(FieldValue::as_object) {
        match (filled(field, "title"), filled(field, "value")) {
            (Some(_), Some(_)) => kept.push(without_nulls(&FieldValue::Object(field.clone()))),
            (title, value) => orphaned.extend(title.or(value).map(str::to_owned)),
        }
    }
    (!kept.is_empty()).then_some(FieldValue::List(kept))
}

fn actions(value: &FieldValue) -> Option<FieldValue> {
    let FieldValue::List(list) = value else { return None };
    let buttons =
        list.iter().filter(|action| action.as_object().is_some_and(|action| filled(action, "type") == Some("button")));
    let kept: Vec<FieldValue> = buttons.map(without_nulls).collect();
    (!kept.is_empty()).then_some(FieldValue::List(kept))
}

/// Whether it is an absolute address that no script hides in, or a file that Rocket.Chat stores.
fn is_address(address: &str) -> bool {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.trim());
    address.starts_with(OWN_FILES)
        || scheme.is_some_and(|scheme| {
            ["http", "https", "ftp", "mailto", "tel"].iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(fields: &[(&str, FieldValue)]) -> FieldValue {
        FieldValue::Object(fields.iter().cloned().collect())
    }

    #[test]
    fn a_wrong_field_goes_and_its_text_stays() {
        let field = object(&[("title", text("")), ("value", text("v"))]);
        let given = object(&[
            ("title", text("t")),
            ("title_link", text("/files/x")),
            ("image_url", text("javascript:alert(1)")),
            ("author_link", FieldValue::Null),
            ("fields", FieldValue::List(vec![field])),
        ]);
        let expected = object(&[("title", text("t")), ("text", text("v"))]);
        assert_eq!(cleaned(&[given]), Some(FieldValue::List(vec![expected])));
    }

    #[test]
    fn a_right_attachment_stays_as_it_is() {
        let field = object(&[("title", text("Prio")), ("value", text("High")), ("short", FieldValue::Boolean(true))]);
        let given = object(&[
            ("id", FieldValue::Integer(1)),
            ("title_link", text("https://t.example")),
            ("fields", FieldValue::List(vec![field])),
            ("ts", FieldValue::Integer(1_600_000_000)),
            ("thumb_url", text("/file-upload/a/b.png")),
        ]);
        assert_eq!(cleaned(std::slice::from_ref(&given)), Some(FieldValue::List(vec![given])));
        assert_eq!(cleaned(&[]), None);
    }
}
