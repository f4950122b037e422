//! The `_id` an imported user gets.

use sha2::{Digest as _, Sha256};

/// Rocket.Chat's alphabet for ids: no characters that are easily mistaken for each other.
///
/// Source: Meteor's `random` package (`UNMISTAKABLE_CHARS`).
const ALPHABET: &[u8; 55] = b"23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
const LENGTH: usize = 17;
/// Bytes from here on are passed over, so that each character is equally likely: the largest multiple of 55 in a byte.
const UNBIASED_BYTES: u8 = 220;

/// The id of the user that the record `staged_id` of the staging area becomes.
///
/// It looks random, and it is always the same for one record. That is what makes an import happen exactly once: an instance that
/// tries to create the user a second time, after a crash or beside another instance, meets its own id and knows that the
/// work was done.
#[must_use]
pub fn user_id_for(staged_id: &str) -> String {
    let mut id = String::with_capacity(LENGTH);
    let mut round = 0_u32;
    loop {
        let digest = Sha256::new().chain_update(round.to_be_bytes()).chain_update(staged_id).finalize();
        for byte in digest {
            if byte < UNBIASED_BYTES {
                id.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
                if id.len() == LENGTH {
                    return id;
                }
            }
        }
        round += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_rocket_chats_length_and_alphabet_and_differ() {
        let ids: std::collections::HashSet<String> = (0..10_000).map(|n| user_id_for(&n.to_string())).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 17 && id.bytes().all(|byte| ALPHABET.contains(&byte))));
        let used: std::collections::HashSet<char> = ids.iter().flat_map(|id| id.chars()).collect();
        assert_eq!(used.len(), ALPHABET.len());
    }

    #[test]
    fn one_record_always_becomes_the_same_user() {
        assert_eq!(user_id_for("64d51fa01558939980aab372"), user_id_for("64d51fa01558939980aab372"));
    }
}
