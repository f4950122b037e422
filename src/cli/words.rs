//! Words for a person at a terminal.

/// Returns a text of somebody else made fit for a terminal: without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Returns the number with its noun, which is given in the singular.
pub(super) fn counted(count: u64, what: &str) -> String {
    let what = match (count, what.strip_suffix('y')) {
        (1, _) => what.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{what}s"),
    };
    format!("{count} {what}")
}
