//! Hashes of source records.

use sha2::{Digest as _, Sha256};

use super::{FieldValue, Fields};
use crate::domain::stable_hash::hex;

/// A hash of a source record, by which a later import sees that nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHash([u8; HASH_BYTES]);

/// The bytes of a hash.
pub const HASH_BYTES: usize = 16;

impl SourceHash {
    /// The hash of a staged record. The order of its fields and fields without a value do not count.
    #[must_use]
    pub fn new(staged: &Fields) -> Self {
        let mut hash = Sha256::new();
        add_fields(&mut hash, staged);
        let mut bytes = [0; HASH_BYTES];
        bytes.copy_from_slice(&hash.finalize()[..HASH_BYTES]);
        Self(bytes)
    }

    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The hash that was stored as this text. A text that is none makes the hash of no record.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let bytes = u128::from_str_radix(text, 16).unwrap_or_default();
        Self(bytes.to_be_bytes())
    }

    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// The hash as hexadecimal digits.
    #[must_use]
    pub fn to_text(self) -> String {
        hex(&self.0)
    }
}

fn add_fields(hash: &mut Sha256, fields: &Fields) {
    let mut sorted: Vec<_> = fields.iter().filter(|(_, value)| super::is_value(value)).collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    hash.update(b"{");
    for (name, value) in sorted {
        add_text(hash, name);
        add_value(hash, value);
    }
    hash.update(b"}");
}

fn add_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

fn add_value(hash: &mut Sha256, value: &FieldValue) {
    match value {
        FieldValue::Null | FieldValue::Undefined => hash.update(b"n"),
        FieldValue::Boolean(value) => hash.update([b'b', u8::from(*value)]),
        // A whole number is one number, whether it was stored as an integer or as a double.
        #[allow(clippy::cast_precision_loss, reason = "numbers beyond 2^53 may share a hash; none counts that far")]
        FieldValue::Integer(value) => add_number(hash, *value as f64),
        FieldValue::Double(value) => add_number(hash, *value),
        FieldValue::Text(value) => {
            hash.update(b"t");
            add_text(hash, value);
        }
        FieldValue::Date(value) => {
            hash.update(b"d");
            hash.update(value.epoch_millis().to_be_bytes());
        }
        FieldValue::List(list) => {
            hash.update(b"[");
            for value in list {
                add_value(hash, value);
            }
            hash.update(b"]");
        }
        FieldValue::Object(fields) => add_fields(hash, fields),
    }
}

fn add_number(hash: &mut Sha256, value: f64) {
    hash.update(b"#");
    hash.update(value.to_be_bytes());
}
