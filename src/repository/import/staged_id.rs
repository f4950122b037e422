//! The `_id` of a staged record, and its order.

use std::cmp::Ordering;

use bson::{Bson, oid::ObjectId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{document::stable_id::stable_id, record_type::RecordType};

/// The bytes of an id of a record out of a file that name the operation. The next one is the type, the rest the ordinal.
const OPERATION_BYTES: usize = 6;
const ID_BYTES: usize = 12;

/// Names one record of the staging area. Ids compare as MongoDB compares them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StagedId(pub(in crate::repository) Bson);

impl StagedId {
    /// The id of the record of a file that is the `ordinal`-th of its type. Ids rise with the file, and the same record has
    /// the same id whenever the file is read.
    pub fn in_file(root: &str, kind: RecordType, ordinal: u64) -> Self {
        let mut id = [0; ID_BYTES];
        id[..OPERATION_BYTES].copy_from_slice(&Sha256::digest(root)[..OPERATION_BYTES]);
        id[OPERATION_BYTES] = kind as u8;
        let ordinal = ordinal.to_be_bytes();
        let ordinal_bytes = ID_BYTES - OPERATION_BYTES - 1;
        id[OPERATION_BYTES + 1..].copy_from_slice(&ordinal[ordinal.len() - ordinal_bytes..]);
        Self(Bson::String(ObjectId::from_bytes(id).to_hex()))
    }

    /// The id as text, the same for the same record always.
    pub fn as_text(&self) -> String {
        match &self.0 {
            Bson::String(text) => text.clone(),
            // Rocket.Chat writes texts only.
            other => other.to_string(),
        }
    }

    /// The id of the record that is staged for a person whom no list of the root operation names. It comes after those of
    /// all lists: who is in a list gets the user name.
    pub fn of_unlisted_person(root: &str, import_id: &str) -> Self {
        let id = stable_id(RecordType::User, &["unlisted", root, import_id]);
        Self(Bson::String(id.chars().enumerate().map(|(place, digit)| if place < 8 { 'f' } else { digit }).collect()))
    }

    /// The position of the id's type in MongoDB's order, for the types that a tool may choose for an `_id`.
    ///
    /// Source: MongoDB manual, "Comparison/Sort Order".
    const fn rank(&self) -> u8 {
        match self.0 {
            Bson::MinKey => 0,
            Bson::Null | Bson::Undefined => 1,
            Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => 2,
            Bson::String(_) | Bson::Symbol(_) => 3,
            Bson::Document(_) => 4,
            Bson::Array(_) => 5,
            Bson::Binary(_) => 6,
            Bson::ObjectId(_) => 7,
            Bson::Boolean(_) => 8,
            Bson::DateTime(_) => 9,
            _ => 10,
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "ids that differ beyond 2^53 are nobody's")]
    fn as_number(&self) -> Option<f64> {
        match self.0 {
            Bson::Int32(number) => Some(number.into()),
            Bson::Int64(number) => Some(number as f64),
            Bson::Double(number) => Some(number),
            _ => None,
        }
    }
}

impl Eq for StagedId {}

impl PartialOrd for StagedId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StagedId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Bson::String(left), Bson::String(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Bson::ObjectId(left), Bson::ObjectId(right)) => left.bytes().cmp(&right.bytes()),
            (Bson::DateTime(left), Bson::DateTime(right)) => left.cmp(right),
            _ => match (self.as_number(), other.as_number()) {
                (Some(left), Some(right)) => left.total_cmp(&right),
                _ => self.rank().cmp(&other.rank()).then_with(|| self.as_text().cmp(&other.as_text())),
            },
        }
    }
}

impl From<&str> for StagedId {
    fn from(text: &str) -> Self {
        Self(Bson::String(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_files_records_rise_with_the_file() {
        let ids: Vec<StagedId> = RecordType::ALL
            .into_iter()
            .flat_map(|kind| {
                [0, 1, 255, 256, 70_000, 10_000_000_000].map(|ordinal| StagedId::in_file("operation", kind, ordinal))
            })
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        assert!(ids.iter().all(|id| id.as_text().len() == 2 * ID_BYTES));
        assert_ne!(StagedId::in_file("other", RecordType::User, 0), ids[0]);
    }
}
