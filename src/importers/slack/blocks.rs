//! Messages that Slack keeps as blocks become text.

use serde_json::Value;

use crate::importers::json::text_of;

use super::text::Text;

/// Deeper than any editor nests.
const MAX_DEPTH: usize = 16;

/// Appends what blocks say, each on a line of its own.
pub(super) fn push_blocks(blocks: &[Value], text: &mut Text<'_>) {
    for block in blocks {
        let before = text.shown.len();
        if before > 0 {
            text.shown.push('\n');
        }
        let begun = text.shown.len();
        push_block(block, text, 0);
        if text.shown.len() == begun {
            text.shown.truncate(before);
        }
    }
}

fn push_block(block: &Value, text: &mut Text<'_>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match text_of(block, "type").unwrap_or_default() {
        "rich_text" => {
            for (at, element) in list(block, "elements").iter().enumerate() {
                if at > 0 {
                    text.shown.push('\n');
                }
                push_rich(element, text, depth + 1);
            }
        }
        "section" => {
            push_text_object(block.get("text"), text);
            for field in list(block, "fields") {
                if !text.shown.is_empty() {
                    text.shown.push('\n');
                }
                push_text_object(Some(field), text);
            }
        }
        "header" => {
            text.shown.push('*');
            push_text_object(block.get("text"), text);
            text.shown.push('*');
        }
        "context" => {
            for (at, element) in list(block, "elements").iter().enumerate() {
                if at > 0 {
                    text.shown.push(' ');
                }
                push_block(element, text, depth + 1);
            }
        }
        "mrkdwn" | "plain_text" => push_text_object(Some(block), text),
        "markdown" => text.push_text(text_of(block, "text").unwrap_or_default()),
        "image" | "video" => push_picture(block, text),
        _ => {}
    }
}

fn push_picture(block: &Value, text: &mut Text<'_>) {
    let title = block.get("title").and_then(|title| text_of(title, "text")).or_else(|| text_of(block, "alt_text"));
    let address = ["image_url", "title_url", "video_url"].into_iter().find_map(|name| text_of(block, name));
    match address {
        Some(address) => text.push_link(address, title),
        None => text.push_text(title.unwrap_or_default()),
    }
}

fn push_text_object(object: Option<&Value>, text: &mut Text<'_>) {
    let Some(object) = object else { return };
    let value = text_of(object, "text").unwrap_or_default();
    if text_of(object, "type") == Some("plain_text") { text.push_text(value) } else { text.push_markup(value) }
}

fn push_rich(element: &Value, text: &mut Text<'_>, depth: usize) {
    match text_of(element, "type").unwrap_or_default() {
        "rich_text_list" => push_list(element, text, depth),
        "rich_text_quote" => {
            let begin = text.shown.len();
            push_inline(element, text);
            let quoted = text.shown.split_off(begin);
            text.shown.push_str("> ");
            text.shown.push_str(&quoted.replace('\n', "\n> "));
        }
        "rich_text_preformatted" => {
            text.shown.push_str("```\n");
            push_inline(element, text);
            text.shown.push_str("\n```");
        }
        _ => push_inline(element, text),
    }
}

fn push_list(element: &Value, text: &mut Text<'_>, depth: usize) {
    let is_ordered = text_of(element, "style") == Some("ordered");
    let number = |name| element.get(name).and_then(Value::as_u64).unwrap_or_default();
    let indent = usize::try_from(number("indent")).unwrap_or_default().min(MAX_DEPTH);
    for (at, item) in (1_u64..).zip(list(element, "elements")) {
        if at > 1 {
            text.shown.push('\n');
        }
        text.shown.extend(std::iter::repeat_n("  ", indent));
        if is_ordered {
            text.shown.push_str(&at.saturating_add(number("offset")).to_string());
            text.shown.push_str(". ");
        } else {
            text.shown.push_str("- ");
        }
        if depth < MAX_DEPTH {
            push_rich(item, text, depth + 1);
        }
    }
}

fn push_inline(element: &Value, text: &mut Text<'_>) {
    for part in list(element, "elements") {
        let named = |name: &str| text_of(part, name).unwrap_or_default();
        match named("type") {
            "text" => push_styled(named("text"), part, text),
            "link" => text.push_link(named("url"), text_of(part, "text")),
            "user" => text.push_user(named("user_id"), None),
            "channel" => text.push_channel(named("channel_id"), None),
            "usergroup" => text.push_group(named("usergroup_id"), None),
            "emoji" => {
                let tone = part.get("skin_tone").and_then(Value::as_u64).and_then(|tone| u8::try_from(tone).ok());
                text.push_emoji(named("name"), tone.filter(|tone| (2..=6).contains(tone)));
            }
            "broadcast" => text.push_everyone(if named("range") == "here" { "here" } else { "all" }),
            "date" => text.push_text(named("fallback")),
            "color" => text.push_text(named("value")),
            _ => {}
        }
    }
}

/// Marks stand close round the text, or they are none.
fn push_styled(value: &str, part: &Value, text: &mut Text<'_>) {
    let style = part.get("style").unwrap_or(&Value::Null);
    let marks: Vec<&str> = [("code", "`"), ("strike", "~"), ("italic", "_"), ("bold", "*")]
        .into_iter()
        .filter(|(name, _)| style.get(name).and_then(Value::as_bool) == Some(true))
        .map(|(_, mark)| mark)
        .collect();
    let bare = value.trim();
    if marks.is_empty() || bare.is_empty() {
        text.push_text(value);
        return;
    }
    let start = value.len() - value.trim_start().len();
    text.shown.push_str(&value[..start]);
    text.shown.extend(marks.iter().rev().copied());
    text.push_text(bare);
    text.shown.extend(marks.iter().copied());
    text.shown.push_str(&value[start + bare.len()..]);
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
