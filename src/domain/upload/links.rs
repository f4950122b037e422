//! Links to stored files, escaped as JavaScript does it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where Rocket.Chat serves stored files.
const FILES: &str = "/file-upload";
/// The signs that `encodeURIComponent` escapes.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// The signs that `encodeURI` escapes.
const ADDRESS: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'#');

/// The link that an attachment holds.
///
/// Source: `apps/meteor/app/file-upload/server/methods/sendFileMessage.ts`.
#[must_use]
pub fn attachment_link(id: &str, name: &str) -> String {
    format!("{FILES}/{id}/{}", utf8_percent_encode(name, ADDRESS))
}

/// The `path` of an upload.
///
/// Source: `apps/meteor/server/lib/media/file-upload/lib/FileUpload.ts` (`getPath`).
#[must_use]
pub fn upload_path(id: &str, name: &str) -> String {
    format!("{FILES}/{id}/{}", utf8_percent_encode(name, COMPONENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_escaped_as_in_javascript() {
        assert_eq!(attachment_link("a", "ä b/c?.png"), "/file-upload/a/%C3%A4%20b/c?.png");
        assert_eq!(upload_path("a", "ä b/c?.png"), "/file-upload/a/%C3%A4%20b%2Fc%3F.png");
    }
}
