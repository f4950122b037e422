//! Files that messages carry.

use serde_json::Value;

use crate::domain::field_value::{FieldValue, Fields};

use crate::importers::{
    held_names::is_held_path,
    json::{field_value, text, text_of},
};

/// Modes of files that Slack shows but no longer holds.
const GONE: [(&str, &str); 2] = [
    ("tombstone", "_A file that was deleted in Slack_"),
    ("hidden_by_limit", "_A file beyond Slack's limit of history_"),
];
/// Modes of documents that live in Slack alone: canvases, lists and the posts before them.
const DOCUMENTS: [&str; 5] = ["canvas", "quip", "docs", "list", "space"];
const SOURCE: &str = "slack";

/// A file of a message.
#[derive(Debug)]
pub(super) struct File {
    file: Value,
    /// What the `_id` of its row ends with.
    suffix: String,
}

/// What becomes of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    /// A row of its own, hidden until the file is fetched.
    Pending(&'a str),
    /// A link in the text of the message.
    Link { name: &'a str, address: &'a str },
    /// A line in the text of the message that says why there is none.
    Gone(&'static str),
}

impl File {
    pub(super) const fn new(file: Value, suffix: String) -> Self {
        Self { file, suffix }
    }

    pub(super) fn suffix(&self) -> &str {
        &self.suffix
    }

    pub(super) fn fate(&self) -> Fate<'_> {
        let mode = text_of(&self.file, "mode").unwrap_or_default();
        if let Some((_, line)) = GONE.iter().find(|(gone, _)| *gone == mode) {
            return Fate::Gone(line);
        }
        let address = |names: &[&str]| names.iter().find_map(|name| text_of(&self.file, name));
        let is_external = mode == "external" || self.file.get("is_external").and_then(Value::as_bool) == Some(true);
        let linked = if is_external {
            address(&["external_url", "url_private", "permalink"])
        } else if DOCUMENTS.contains(&mode) {
            address(&["permalink", "url_private"])
        } else {
            return address(&["url_private_download", "url_private"])
                .filter(|address| is_web_address(address) || is_held_path(address))
                .map_or(Fate::Gone("_A file without an address in the export_"), Fate::Pending);
        };
        match linked.filter(|address| is_web_address(address)) {
            Some(address) => Fate::Link { name: self.name(), address },
            None => Fate::Gone("_A file without an address in the export_"),
        }
    }

    fn name(&self) -> &str {
        ["title", "name", "id"].into_iter().find_map(|name| text_of(&self.file, name)).unwrap_or("file")
    }

    /// What somebody wrote when sharing it, in exports made before 2018.
    pub(super) fn initial_comment(&self) -> Option<&str> {
        text_of(self.file.get("initial_comment")?, "comment")
    }

    /// The field `_importFile`, by which the file is fetched later.
    pub(super) fn import_file(&self, address: &str) -> FieldValue {
        let mut fields = vec![("downloadUrl", text(address))];
        for name in ["id", "size", "name"] {
            if let Some(value) = self.file.get(name).filter(|value| !value.is_null()) {
                fields.push((name, field_value(value.clone())));
            }
        }
        fields.push(("external", FieldValue::Boolean(false)));
        fields.push(("source", text(SOURCE)));
        fields.push(("original", field_value(self.file.clone())));
        FieldValue::Object(Fields::from_iter(fields))
    }
}

/// Whether this is a whole address of the web, which alone becomes a link.
pub(super) fn is_web_address(address: &str) -> bool {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}
