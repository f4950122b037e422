//! Files of messages and pictures of people, as Rocket.Chat stores and shows them.

pub mod attachment;
pub mod content;
pub mod document;
pub mod links;
pub mod media_type;
pub mod pending_file;
pub mod picture;

use super::stable_hash::{hex, stable_hash};

/// As many as an `ObjectId` has, in whose form Rocket.Chat's own ids of uploads are.
const ID_BYTES: usize = 12;

/// The `_id` of an upload, which follows from what it is made of: a second attempt, after a crash or beside another
/// instance, meets its own.
#[must_use]
pub fn upload_id(parts: &[&str]) -> String {
    hex(&stable_hash(std::iter::once("upload").chain(parts.iter().copied()))[..ID_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_message_and_file() {
        let id = upload_id(&["slack-C1-1-file1", "F1"]);
        assert_eq!(id, upload_id(&["slack-C1-1-file1", "F1"]));
        assert!(id.len() == 24 && id.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_ne!(id, upload_id(&["slack-C1-1-file2", "F1"]));
        assert_ne!(id, upload_id(&["slack-C1-1-file1F", "1"]));
    }
}
