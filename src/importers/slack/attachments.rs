//! Attachments of Slack's messages, without what Rocket.Chat refuses a whole message for.
//!
//! Source: `apps/meteor/server/lib/messages/sendMessage.ts` (`validateAttachment`).

use serde_json::{Map, Value};

use crate::domain::field_value::{FieldValue, Fields};

use crate::importers::json::{field_value, text, text_of};

use super::{
    blocks::push_blocks,
    files::is_web_address,
    names::Names,
    text::{People, Text, plain},
};

/// Fields with Slack's markup.
const MARKUP: [&str; 3] = ["text", "title", "fallback"];
/// Fields that have to be texts.
const TEXTS: [&str; 9] = [
    "color",
    "author_name",
    "author_subname",
    "footer",
    "service_name",
    "title_link_download",
    "image_type",
    "audio_type",
    "video_type",
];
/// Fields that have to be whole addresses.
const ADDRESSES: [&str; 8] =
    ["thumb_url", "message_link", "author_link", "author_icon", "title_link", "image_url", "audio_url", "video_url"];
/// Fields that mean nothing outside Slack, or that become part of the text.
const LEFT_OUT: [&str; 5] = ["blocks", "message_blocks", "pretext", "callback_id", "files"];
/// Below this, a number counts seconds: as milliseconds it would lie before March 1973.
const SECONDS_END: f64 = 1e11;

/// The attachments of a message, and whether anything had to be left out.
pub(super) fn converted(attachments: Vec<Value>, names: &Names) -> (Vec<FieldValue>, bool) {
    let mut cleaned = false;
    let mut converted = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        match attachment {
            Value::Object(members) => converted.push(FieldValue::Object(attachment_of(members, names, &mut cleaned))),
            _ => cleaned = true,
        }
    }
    converted.retain(|attachment| attachment.as_object().is_some_and(|fields| fields.iter().len() > 0));
    (converted, cleaned)
}

fn attachment_of(members: Map<String, Value>, names: &Names, cleaned: &mut bool) -> Fields {
    let members = Value::Object(members);
    let mut before: Vec<String> = text_of(&members, "pretext").map(|text| plain(text, names)).into_iter().collect();
    let mut after = Vec::new();
    let blocks = members.get("blocks").and_then(Value::as_array);
    let block_text = blocks.map(|blocks| text_of_blocks(blocks, names)).filter(|text| !text.is_empty());
    if text_of(&members, "text").is_none() {
        before.extend(block_text);
    }
    let fallback = text_of(&members, "fallback").map(|text| plain(text, names));
    let Value::Object(members) = members else { return Fields::default() };
    let mut fields: Vec<(String, FieldValue)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let value = match name.as_str() {
            _ if value.is_null() => continue,
            left_out if LEFT_OUT.contains(&left_out) => continue,
            "actions" => {
                *cleaned = true;
                continue;
            }
            "fields" => fields_of(value, names, &mut after, cleaned),
            "ts" => time_of(&value),
            "color" => value.as_str().map(|color| text(colour(color))),
            markup if MARKUP.contains(&markup) => value.as_str().map(|value| text(plain(value, names))),
            texts if TEXTS.contains(&texts) => match value {
                Value::String(value) => Some(text(value)),
                Value::Number(number) => Some(text(number.to_string())),
                _ => None,
            },
            addresses if ADDRESSES.contains(&addresses) => value
                .as_str()
                .filter(|address| is_web_address(address) || address.starts_with("/file-upload/"))
                .map(text),
            size if size.ends_with("_size") => value.is_number().then(|| field_value(value)),
            _ => Some(field_value(value)),
        };
        match value {
            Some(value) => fields.push((name, value)),
            None => *cleaned = true,
        }
    }
    let has = |name: &str| fields.iter().any(|(field, value)| field == name && value.as_text() != Some(""));
    if !["text", "title", "fields", "image_url", "thumb_url"].into_iter().any(has)
        && before.is_empty()
        && after.is_empty()
    {
        before.extend(fallback);
    }
    with_lines(fields, before, after)
}

/// The fields with lines before and after their text.
fn with_lines(mut fields: Vec<(String, FieldValue)>, mut lines: Vec<String>, after: Vec<String>) -> Fields {
    if lines.is_empty() && after.is_empty() {
        return fields.into_iter().collect();
    }
    let at = fields.iter().position(|(name, _)| name == "text");
    lines.extend(at.and_then(|at| fields[at].1.as_text()).map(str::to_owned));
    lines.extend(after);
    lines.retain(|line| !line.is_empty());
    let value = text(lines.join("\n"));
    match at {
        Some(at) => fields[at].1 = value,
        None => fields.push(("text".to_owned(), value)),
    }
    fields.into_iter().collect()
}

fn text_of_blocks(blocks: &[Value], names: &Names) -> String {
    let mut converted = Text::new(names, People::ByUsername);
    push_blocks(blocks, &mut converted);
    converted.shown
}

/// Fields with a title and a value. What has only one of them becomes a line of the text.
fn fields_of(value: Value, names: &Names, after: &mut Vec<String>, cleaned: &mut bool) -> Option<FieldValue> {
    let Value::Array(fields) = value else { return None };
    let mut kept = Vec::with_capacity(fields.len());
    for field in fields {
        let part = |name: &str| match field.get(name) {
            Some(Value::String(text)) => plain(text, names),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(flag)) => flag.to_string(),
            _ => String::new(),
        };
        let (title, value) = (part("title"), part("value"));
        if title.is_empty() || value.is_empty() {
            after.push(format!("{title}{value}"));
            *cleaned = true;
            continue;
        }
        let mut members = vec![("title", text(title)), ("value", text(value))];
        members.extend(field.get("short").and_then(Value::as_bool).map(|short| ("short", FieldValue::Boolean(short))));
        kept.push(FieldValue::Object(Fields::from_iter(members)));
    }
    (!kept.is_empty()).then_some(FieldValue::List(kept))
}

/// Slack counts seconds, Rocket.Chat milliseconds.
#[allow(clippy::cast_possible_truncation, reason = "the number is small")]
fn time_of(value: &Value) -> Option<FieldValue> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    (0.0..SECONDS_END).contains(&number).then(|| FieldValue::Integer((number * 1000.0) as i64))
}

/// Slack leaves out the `#` before six digits.
fn colour(colour: &str) -> String {
    let is_bare = matches!(colour.len(), 3 | 6) && colour.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_bare { format!("#{colour}") } else { colour.to_owned() }
}
