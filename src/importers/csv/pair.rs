//! Pairs of people, as the rows of `directmessages` name them.

use std::cmp::Ordering;

use crate::importers::rows::Row;

/// The two people of a row.
pub(super) fn pair_of(row: &Row) -> Option<(&str, &str)> {
    let (from, to) = (row.trimmed(0), row.trimmed(1));
    (!from.is_empty() && !to.is_empty()).then_some((from, to))
}

/// The import id of the room of two people: their names in the order of JavaScript's `sort`, that of UTF-16 units.
pub(super) fn import_id(one: &str, other: &str) -> String {
    match one.encode_utf16().cmp(other.encode_utf16()) {
        Ordering::Greater => format!("{other}/{one}"),
        Ordering::Less | Ordering::Equal => format!("{one}/{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capital_letters_sort_first_as_in_rocket_chat() {
        assert_eq!(import_id("cat.lee", "Zed"), "Zed/cat.lee");
        assert_eq!(import_id("bob", "bob"), "bob/bob");
    }
}
