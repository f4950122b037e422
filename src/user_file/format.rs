//! The format of a file and the delimiter of its cells, found by how it begins.

use super::{
    input::{Content, content_of},
    names::Names,
    object::Object,
    options::Format,
    table::rows_of_head,
};

/// The first is taken when none fits better.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Returns the format of a file that begins with `head`.
///
/// # Errors
/// With the sentence about a file that is none of users, or that is not of the given format.
pub(super) fn format_of(head: &[u8], name: Option<&str>, given: Option<Format>) -> Result<Format, &'static str> {
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let ending = ending.as_deref();
    let content = content_of(head);
    if let Content::Other(sentence) = content {
        return Err(sentence);
    }
    let format = match (given, content) {
        (None | Some(Format::Xlsx), Content::Xlsx) => Format::Xlsx,
        (None | Some(Format::Ods), Content::Ods) => Format::Ods,
        (Some(_), Content::Xlsx | Content::Ods) => return Err("this is a workbook: leave --format away"),
        (Some(Format::Xlsx | Format::Ods), _) => return Err("this is no workbook: leave --format away"),
        (Some(given), _) => given,
        (None, Content::Json) if matches!(ending, Some("jsonl" | "ndjson")) || has_a_user_a_line(head) => Format::Jsonl,
        (None, Content::Json) => Format::Json,
        (None, Content::Ldif) => Format::Ldif,
        (None, _) => match ending {
            Some("json") => Format::Json,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("ldif" | "ldf") => Format::Ldif,
            _ => Format::Csv,
        },
    };
    Ok(format)
}

/// Whether the first two lines are an object each.
fn has_a_user_a_line(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_start_matches('\u{feff}').split(['\n', '\r']).filter(|line| !line.trim().is_empty());
    let first = lines.next().and_then(|line| Object::read(line).ok());
    first.is_some_and(|object| object.get("users").is_none() && object.get("members").is_none())
        && lines.next().is_some_and(|line| line.trim_start().starts_with('{'))
}

/// The delimiter of a first line such as `sep=;`, as spreadsheets write and read it.
pub(super) fn given_delimiter(start: &str) -> Option<u8> {
    // A tab at its end is the delimiter itself.
    let line = start.split(['\r', '\n']).next()?.trim_matches([' ', '"']);
    let (key, sign) = line.split_once('=')?;
    let sign = sign.as_bytes().first().copied().filter(u8::is_ascii)?;
    (key.eq_ignore_ascii_case("sep") && line.len() <= key.len() + 2).then_some(sign)
}

/// The delimiter by which most of the first line's columns have a known name, or else that of most columns.
pub(super) fn delimiter_of(start: &str) -> u8 {
    let rated = DELIMITERS.into_iter().rev().max_by_key(|delimiter| {
        let row = rows_of_head(start, *delimiter, 1);
        row.first().map(|cells| (Names::new(cells).known(), cells.len()))
    });
    rated.unwrap_or(DELIMITERS[0])
}
