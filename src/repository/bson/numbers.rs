//! Counts, which are never negative, as the whole numbers of BSON, which have a sign.

use bson::Bson;

/// Returns the number to store. One that is too large for BSON is the largest.
pub(in crate::repository) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the number in the smallest type that holds it, as Rocket.Chat's driver writes it.
pub(in crate::repository) fn smallest(number: u64) -> Bson {
    i32::try_from(number).map_or_else(|_| Bson::Int64(signed(number)), Bson::Int32)
}

/// Returns the stored count; 0 where none is stored.
pub(in crate::repository) fn unsigned(number: Option<&Bson>) -> u64 {
    let number = match number {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        _ => 0,
    };
    u64::try_from(number).unwrap_or_default()
}
