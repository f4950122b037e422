//! Links to stored files, escaped as JavaScript does it.

/// Where Rocket.Chat serves stored files.
const FILES: &str = "/file-upload";
/// Signs that `encodeURIComponent` leaves alone, besides letters and digits.
const COMPONENT_SIGNS: &[u8] = b"-_.!~*'()";
/// Signs that `encodeURI` leaves alone, besides letters and digits.
const ADDRESS_SIGNS: &[u8] = b"-_.!~*'();/?:@&=+$,#";

/// The link that an attachment holds.
///
/// Source: `apps/meteor/app/file-upload/server/methods/sendFileMessage.ts`.
#[must_use]
pub fn attachment_link(id: &str, name: &str) -> String {
    format!("{FILES}/{id}/{}", escaped(name, ADDRESS_SIGNS))
}

/// The `path` of an upload.
///
/// Source: `apps/meteor/server/lib/media/file-upload/lib/FileUpload.ts` (`getPath`).
#[must_use]
pub fn upload_path(id: &str, name: &str) -> String {
    format!("{FILES}/{id}/{}", escaped(name, COMPONENT_SIGNS))
}

fn escaped(text: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for half in [byte >> 4, byte & 0xf] {
                escaped.push(char::from_digit(half.into(), 16).unwrap_or_default().to_ascii_uppercase());
            }
        }
    }
    escaped
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
