//! Ids that follow from what a document is made of.

use crate::domain::{
    record_type::RecordType,
    stable_hash::{hex, stable_hash},
};

const ID_BYTES: usize = 12;

/// 24 hex digits, as Rocket.Chat's own ids of rooms, subscriptions, contacts and messages have.
///
/// The same parts always give the same id. That makes an import happen exactly once: a second attempt to create the
/// document, after a crash or beside another instance, meets its own id. The parts are kept apart, and so are the types.
#[must_use]
pub fn stable_id(kind: RecordType, parts: &[&str]) -> String {
    let parts = std::iter::once(kind.data_type()).chain(parts.iter().copied());
    hex(&stable_hash(parts)[..ID_BYTES])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_parts_and_the_types_are_kept_apart() {
        let ids = [
            stable_id(RecordType::Channel, &["a", "bc"]),
            stable_id(RecordType::Channel, &["ab", "c"]),
            stable_id(RecordType::Channel, &["abc"]),
            stable_id(RecordType::Message, &["a", "bc"]),
        ];
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }

    proptest! {
        #[test]
        fn an_id_has_24_hex_digits_and_never_changes(parts in prop::collection::vec(".{0,12}", 0..4)) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let id = stable_id(RecordType::Contact, &parts);
            prop_assert_eq!(id.len(), 24);
            prop_assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
            prop_assert_eq!(id, stable_id(RecordType::Contact, &parts));
        }
    }
}
