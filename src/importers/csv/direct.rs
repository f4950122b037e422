//! Rooms of two people, of whom only the rows of `directmessages` know.

use std::collections::HashSet;

use crate::domain::{field_value::Fields, record_type::RecordType, stable_hash::stable_hash};

use crate::importers::{
    entries::RowSource,
    json::{text, texts},
    record::{Element, Record},
};

use super::{Room, messages::message, pair::pair_of};

/// One room a pair, in the order of their first message. It takes about 60 bytes a pair, however long the names are.
pub(super) fn rooms_in(rows: RowSource) -> impl Iterator<Item = Element> + Send {
    let mut seen = HashSet::new();
    // What is wrong with a row is said where its message is read.
    rows.flatten().filter_map(move |(place, row)| {
        let room = message(&row, &Room::Direct).ok()?.room;
        let (from, to) = pair_of(&row)?;
        seen.insert(stable_hash([room.as_str()])).then(|| {
            let data =
                Fields::from_iter([("importIds", texts([room])), ("users", texts([from, to])), ("t", text("d"))]);
            Record::new(RecordType::Channel, data, place).into()
        })
    })
}
