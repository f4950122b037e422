//! The content of a file, by its first bytes.

/// Kinds of content that files of users come in, or are mistaken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text that begins with `{` or `[`.
    Json,
    /// An Excel workbook.
    Xlsx,
    /// An `OpenDocument` spreadsheet.
    Ods,
    /// Text that begins with an LDIF version or a distinguished name.
    Ldif,
    /// Any other text.
    Text,
    /// Something that holds no users; a sentence names it and the way out.
    Other(&'static str),
}

/// Beginnings of files that are no file of users.
const OTHERS: [(&[u8], &str); 10] = [
    (
        b"\xd0\xcf\x11\xe0",
        "this is an old Excel workbook (.xls), or one with a password: save it as .xlsx without a password, or as CSV",
    ),
    (b"%PDF", "this is a PDF: export the users as CSV or .xlsx"),
    (b"\x1f\x8b", "this is compressed with gzip: unpack it first"),
    (b"BZh", "this is compressed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "this is compressed with xz: unpack it first"),
    (b"7z\xbc\xaf", "this is a 7-Zip archive: unpack it first"),
    (b"{\\rtf", "this is a text document (RTF): save the users as CSV or .xlsx"),
    (b"\x89PNG", "this is a picture: export the users as CSV or .xlsx"),
    (b"\xff\xd8\xff", "this is a picture: export the users as CSV or .xlsx"),
    (b"SQLite format 3", "this is an SQLite database: export the users as CSV"),
];

/// Beginnings of texts that are no file of users, in lower case.
const OTHER_TEXTS: [(&str, &str); 6] = [
    ("<!doctype html", "this is a web page, perhaps that of a log-in: download the file itself"),
    ("<html", "this is a web page, perhaps that of a log-in: download the file itself"),
    ("<?xml", "this is XML: export the users as CSV, JSON or .xlsx"),
    ("begin:vcard", "these are vCards: export the users as CSV"),
    ("-- mysql dump", "this is a database dump: export the users as CSV"),
    ("--\n-- postgresql", "this is a database dump: export the users as CSV"),
];

const ZIP: &[u8] = b"PK\x03\x04";
const EMPTY_ZIP: &[u8] = b"PK\x05\x06";
const ODS_TYPE: &[u8] = b"application/vnd.oasis.opendocument.spreadsheet";
const SHOWN_TEXT_BYTES: usize = 64;

/// The content that the beginning of a file shows.
pub(crate) fn content_of(head: &[u8]) -> Content {
    if let Some((_, sentence)) = OTHERS.iter().find(|(start, _)| head.starts_with(start)) {
        return Content::Other(sentence);
    }
    if head.starts_with(ZIP) || head.starts_with(EMPTY_ZIP) {
        return content_of_zip(head);
    }
    // Good enough to see the first sign of a text in UTF-16 too.
    let start: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).take(SHOWN_TEXT_BYTES).collect();
    let start = String::from_utf8_lossy(&start).to_lowercase();
    let start =
        start.trim_start_matches(|character: char| character.is_whitespace() || "\u{feff}\u{fffd}".contains(character));
    if let Some((_, sentence)) = OTHER_TEXTS.iter().find(|(other, _)| start.starts_with(other)) {
        return Content::Other(sentence);
    }
    if start.starts_with(['{', '[']) {
        return Content::Json;
    }
    let is_ldif = ["version: 1\n", "version: 1\r", "version:1\n", "dn: ", "dn:: ", "# extended ldif", "# ldif"];
    if is_ldif.iter().any(|beginning| start.starts_with(beginning)) { Content::Ldif } else { Content::Text }
}

fn content_of_zip(head: &[u8]) -> Content {
    let has = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    if has(ODS_TYPE) {
        Content::Ods
    } else if has(b"[Content_Types].xml") || has(b"xl/") || has(b"_rels/.rels") {
        if has(b"word/") && !has(b"xl/") {
            return Content::Other("this is a text document (.docx): save the users as CSV or .xlsx");
        }
        Content::Xlsx
    } else if has(b"application/vnd.oasis.opendocument.") {
        Content::Other("this is an OpenDocument file, but no spreadsheet: save the users as CSV or .ods")
    } else if has(b"channels.json") || has(b"users.json") || has(b"integration_logs.json") {
        Content::Other("this is a Slack export: it holds more than users and is for the Slack importer")
    } else if has(b"users.csv") {
        Content::Other(
            "this is an archive with a users.csv: unpack it and give that file, or give the archive to the CSV importer",
        )
    } else {
        Content::Other("this is a ZIP archive: unpack it and give the file of users that is in it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_beginning() {
        for (head, content) in [
            (&b"username,email\n"[..], Content::Text),
            (b"\xef\xbb\xbf [1]", Content::Json),
            (b"\xff\xfe{\0\"\0", Content::Json),
            (b"dn: uid=ann,dc=corp,dc=example\n", Content::Ldif),
            (b"", Content::Text),
        ] {
            assert_eq!(content_of(head), content, "{head:?}");
        }
        for (head, word) in [
            (&b"\xd0\xcf\x11\xe0\xa1"[..], "old Excel"),
            (b"PK\x03\x04..channels.json", "Slack export"),
            (b"\n<!DOCTYPE HTML><html>", "web page"),
        ] {
            assert!(matches!(content_of(head), Content::Other(sentence) if sentence.contains(word)), "{word}");
        }
    }
}
