//! Texts that are no object, as they stand in the file and in the list of bad lines, to be mended.

use serde_json::value::{RawValue, to_raw_value};

use super::{super::problem::Fault, Object};

/// Names of the members that such an entry of the list has, and no others.
pub(in super::super) const LINE: &str = "line";
pub(in super::super) const REASON: &str = "reason";
pub(super) const ORIGINAL: &str = "original";

/// Bytes that are kept of a text: more than users have, and little enough for hundreds of them.
pub(super) const KEPT_BYTES: usize = 64 * 1024;

/// A text that is no object, and why.
#[derive(Debug)]
pub(in super::super) struct Broken {
    pub(in super::super) fault: Fault,
    pub(in super::super) text: KeptText,
}

impl Broken {
    pub(super) fn new(fault: Fault, text: &str) -> Self {
        Self { fault, text: KeptText::new(text) }
    }
}

/// The text, or its beginning.
#[derive(Debug)]
pub(crate) struct KeptText {
    pub(super) text: String,
    is_cut: bool,
}

impl KeptText {
    fn new(text: &str) -> Self {
        let end = (0..=KEPT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        Self { text: text[..end].to_owned(), is_cut: end < text.len() }
    }

    /// The entry of the list of bad lines.
    ///
    /// # Errors
    /// Never: texts and numbers are JSON.
    pub(in super::super) fn listed(&self, line: u64, reason: &str) -> serde_json::Result<Object> {
        let cut = if self.is_cut { "; original holds its beginning only: take the rest from the file" } else { "" };
        let reason = format!("{reason}{cut}");
        let member = |name: &str, value: Box<RawValue>| (name.to_owned(), value);
        Ok(Object(vec![
            member(LINE, to_raw_value(&line)?),
            member(REASON, to_raw_value(&reason)?),
            member(ORIGINAL, to_raw_value(&self.text)?),
        ]))
    }
}
