//! The values by which the records of a list find accounts, and the last record with each.
//!
//! Digests, because a list may hold millions: what an earlier record did is kept in memory only as long as a later record
//! may find it.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::directory::Key;

/// Bytes of a digest that are kept. Two of a hundred million values share them with a chance of 10⁻¹³.
const DIGEST_BYTES: usize = 12;

/// The last record with each value, by its number in the list.
#[derive(Debug, Default)]
pub(super) struct Values {
    last: HashMap<[u8; DIGEST_BYTES], u32>,
}

impl Values {
    /// Notes that the record has the value. Records come in their order.
    pub(super) fn note(&mut self, value: &Key, record: u32) {
        self.last.insert(digest(value), record);
    }

    /// Whether a record behind this one has the value.
    pub(super) fn comes_after(&self, value: &Key, record: u32) -> bool {
        self.last.get(&digest(value)).is_some_and(|last| *last > record)
    }
}

fn digest(value: &Key) -> [u8; DIGEST_BYTES] {
    let (kind, text) = match value {
        Key::ImportId(text) => (0_u8, text),
        Key::Email(text) => (1, text),
        Key::Username(text) => (2, text),
    };
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&Sha256::new_with_prefix([kind]).chain_update(text).finalize()[..DIGEST_BYTES]);
    digest
}
