//! The media type of a file, from its bytes, the header of its server, and its name.

/// The type of a file of which nothing is known.
pub const UNKNOWN: &str = "application/octet-stream";
const HTML: &str = "text/html";
/// Types that servers give to files they know nothing about.
const NOTHING: [&str; 4] = ["", UNKNOWN, "binary/octet-stream", "application/force-download"];
/// Types of which Rocket.Chat's clients show a picture.
///
/// Source: `apps/meteor/server/lib/media/file-upload/lib/isImagePreviewSupported.ts`.
const SHOWN_AS_PICTURES: [&str; 12] = [
    "image/bmp",
    "image/x-windows-bmp",
    "image/jpeg",
    "image/pjpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/svg+xml",
    "image/heic",
    "image/heic-sequence",
    "image/heif",
    "image/heif-sequence",
];
/// Formats that every browser can draw, and whose bytes are always recognised.
const RECOGNISED: [&str; 5] = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp"];

/// How a file is shown, and how its attachment is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Picture,
    Audio,
    Video,
    File,
}

/// How a file of this type is shown.
#[must_use]
pub fn shown_as(media_type: &str) -> Shown {
    if SHOWN_AS_PICTURES.contains(&media_type) {
        Shown::Picture
    } else if media_type.starts_with("audio/") {
        Shown::Audio
    } else if media_type.starts_with("video/") {
        Shown::Video
    } else {
        Shown::File
    }
}

/// The type of a file that begins with `head`. Its bytes decide for pictures, sound and films, then its server, then its
/// name. A file that its server calls a picture and that is none is nothing in particular.
#[must_use]
pub fn media_type(head: &[u8], header: Option<&str>, name: &str) -> String {
    let recognised = infer::get(head).map(|kind| kind.mime_type());
    let is_shown = |kind: &&str| ["image/", "audio/", "video/"].iter().any(|start| kind.starts_with(start));
    if let Some(kind) = recognised.filter(is_shown) {
        return kind.to_owned();
    }
    let header = header.map(bare).filter(|kind| !NOTHING.contains(&kind.as_str()));
    let header = header.filter(|kind| !RECOGNISED.contains(&kind.as_str()) && kind.contains('/'));
    header.or_else(|| recognised.map(str::to_owned)).unwrap_or_else(|| by_name(name).to_owned())
}

/// Whether a page was sent where a file of this name was promised: servers answer so that want a login.
#[must_use]
pub fn is_page_instead(head: &[u8], header: Option<&str>, name: &str) -> bool {
    let is_page = header.map(bare).is_some_and(|kind| kind == HTML)
        || infer::get(head).is_some_and(|kind| kind.mime_type() == HTML);
    is_page && by_name(name) != HTML
}

/// The type without parameters, in small letters.
fn bare(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn by_name(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    mime_guess::from_ext(ending).first_raw().unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn bytes_come_before_the_header_and_the_header_before_the_name() {
        for (head, header, name, expected) in [
            (PNG, Some("application/octet-stream"), "a.bin", "image/png"),
            (PNG, Some("text/plain; charset=utf-8"), "a.txt", "image/png"),
            (b"hello".as_slice(), Some("Text/Plain; charset=utf-8"), "a.md", "text/plain"),
            (b"hello", Some("image/png"), "a", "application/octet-stream"),
            (b"hello", None, "a.pdf", "application/pdf"),
            (b"%PDF-1.7", None, "a", "application/pdf"),
            (b"<svg xmlns='x'/>", Some("image/svg+xml"), "a.svg", "image/svg+xml"),
            (b"", None, "a", "application/octet-stream"),
        ] {
            assert_eq!(media_type(head, header, name), expected, "{header:?} {name}");
        }
    }

    #[test]
    fn a_page_is_recognised_by_header_or_bytes_unless_a_page_was_promised() {
        let page = b"<!DOCTYPE html><html><body>Sign in</body></html>".as_slice();
        for (head, header, name, expected) in [
            (page, Some("text/html; charset=utf-8"), "a.png", true),
            (page, Some("image/png"), "a.png", true),
            (page, None, "a", true),
            (page, Some("text/html"), "a.html", false),
            (PNG, Some("image/png"), "a.png", false),
            (b"Sign in", Some("text/html"), "a.pdf", true),
        ] {
            assert_eq!(is_page_instead(head, header, name), expected, "{header:?} {name}");
        }
    }

    #[test]
    fn only_types_that_clients_can_draw_are_pictures() {
        for (kind, shown) in [
            ("image/png", Shown::Picture),
            ("image/tiff", Shown::File),
            ("audio/mpeg", Shown::Audio),
            ("video/mp4", Shown::Video),
            ("application/pdf", Shown::File),
        ] {
            assert_eq!(shown_as(kind), shown, "{kind}");
        }
    }
}
