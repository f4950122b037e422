//! Ids that follow from content, so that the same file read twice gives the same records.

use crate::domain::stable_hash::{hex, stable_hash};

const ID_BYTES: usize = 12;

/// 24 hex digits of a hash over `parts`, which are kept apart.
pub(super) fn stable_id(parts: &[&str]) -> String {
    hex(&stable_hash(parts.iter().copied())[..ID_BYTES])
}

/// The same hash as a number.
pub(super) fn stable_number(parts: &[&str]) -> u64 {
    stable_hash(parts.iter().copied()).into_iter().take(8).fold(0, |number, byte| number << 8 | u64::from(byte))
}
