//! Which staged records a query is about.

use bson::{Bson, Document, doc};

use crate::domain::record_type::RecordType;

/// Records that Rocket.Chat's own importers decided to skip are not there to be imported.
fn of_type(kind: RecordType) -> Document {
    doc! { "dataType": kind.data_type(), "skipped": { "$ne": true } }
}

pub(super) fn records_of(root: &str, kind: RecordType) -> Document {
    let mut filter = of_type(kind);
    filter.insert("operation", root);
    filter
}

pub(super) fn unlabelled(kinds: &[RecordType]) -> Document {
    let types: Vec<&str> = kinds.iter().map(|kind| kind.data_type()).collect();
    doc! { "dataType": { "$in": types }, "skipped": { "$ne": true }, "operation": { "$exists": false } }
}

/// `null` stands for a missing field, too.
pub(super) fn importable(root: &str, kind: RecordType) -> Document {
    let mut filter = of_type(kind);
    filter.insert("operation", doc! { "$in": [root, Bson::Null] });
    filter
}

pub(super) fn failures(root: &str) -> Document {
    doc! { "operation": { "$in": [root, Bson::Null] }, "errors": { "$exists": true }, "skipped": { "$ne": true } }
}
