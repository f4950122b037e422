//! The readers of import files, bare.

use std::sync::Arc;

use super::{Element, Format, Options, Position, csv, open, slack};

/// Reads a file of any format to its end; the refusal if there is one.
///
/// # Errors
/// With the sentence that a person would see.
pub fn elements_of_file(file: &[u8], format: Format) -> Result<Vec<Element>, String> {
    let reader = open(format, Arc::new(file.to_vec()), &Options::default()).map_err(|error| error.to_string())?;
    Ok(reader.filter_map(Result::ok).collect())
}

/// Reads a file from a position on.
#[must_use]
pub fn elements_from(file: &[u8], format: Format, position: Position) -> Vec<Element> {
    let Ok(mut reader) = open(format, Arc::new(file.to_vec()), &Options::default()) else { return Vec::new() };
    reader.resume(position);
    reader.filter_map(Result::ok).collect()
}

/// The text of a message of Slack, and the ids it mentions: people first, then channels.
#[must_use]
pub fn slack_text(markup: &str) -> (String, Vec<String>, Vec<String>) {
    slack::converted_text(markup)
}

/// The messages of a room of Slack, of which this is the one day.
#[must_use]
pub fn slack_messages(day: &[u8]) -> Vec<Element> {
    slack::messages_of_day(day)
}

/// The messages of a CSV file, with a recipient in each row or without.
#[must_use]
pub fn csv_messages(file: &[u8], direct: bool) -> Vec<Element> {
    csv::messages_of_file(file, direct)
}
