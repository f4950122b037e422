//! Receipts as they are stored.

use std::time::Duration;

use bson::{Bson, DateTime, Document, RawDocumentBuf};
use serde::{Deserialize, Serialize};

use super::{BatchReceipt, ChangedField, JoinedRoom, RecordReceipt, RoomReceipt, expiry, receipt_id};
use crate::{
    domain::{
        field_value::Date,
        matching::FoundBy,
        receipt::{Outcome, Outcomes},
        record_type::RecordType,
    },
    repository::{
        bson::{numbers::signed, read::read_fields, write::document_of},
        import::staged_id::StagedId,
    },
};

/// Import ids of one record that a receipt holds, and the bytes of each.
const IMPORT_IDS: usize = 20;
const IMPORT_ID_BYTES: usize = 256;
/// E-mail addresses of one record that a receipt holds, and the bytes of each.
const EMAILS: usize = 10;
const EMAIL_BYTES: usize = 320;
const USERNAME_BYTES: usize = 1024;
const REASON_BYTES: usize = 4 * 1024;
/// The changed fields of one record; what goes beyond is left out.
const CHANGES_BYTES: usize = 8 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredReceipt {
    #[serde(rename = "_id")]
    id: String,
    operation: String,
    batch: i64,
    epoch: i64,
    data_type: String,
    first: StagedId,
    last: StagedId,
    completed: i64,
    error: i64,
    outcomes: StoredOutcomes,
    records: Vec<StoredRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<RoomReceipt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<Vec<JoinedRoom>>,
    /// New accounts without a password.
    #[serde(default, skip_serializing_if = "is_zero")]
    without_password: i64,
    at: DateTime,
    expires: DateTime,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct StoredOutcomes {
    created: i64,
    linked: i64,
    updated: i64,
    same: i64,
    failed: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredRecord {
    #[serde(rename = "_id")]
    id: StagedId,
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    became: Option<String>,
    #[serde(default)]
    import_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emails: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_by: Option<String>,
    #[serde(default, skip_serializing_if = "Document::is_empty")]
    changed: Document,
    #[serde(default, skip_serializing_if = "is_zero")]
    memberships: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    without_password: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

pub(super) fn stored_receipt(operation: &str, epoch: i64, batch: BatchReceipt, lifetime: Duration) -> StoredReceipt {
    let outcomes = batch.outcomes;
    let counts = outcomes.counts();
    let at = DateTime::from_millis(batch.at.epoch_millis());
    let (first, last) = batch.range;
    StoredReceipt {
        id: receipt_id(operation, batch.number),
        operation: operation.to_owned(),
        batch: batch.number.into(),
        epoch,
        data_type: batch.record_type.data_type().to_owned(),
        first,
        last,
        completed: signed(counts.completed),
        error: signed(counts.error),
        outcomes: StoredOutcomes {
            created: signed(outcomes.created),
            linked: signed(outcomes.linked),
            updated: signed(outcomes.updated),
            same: signed(outcomes.same),
            failed: signed(outcomes.failed),
        },
        without_password: signed(batch.records.iter().filter(|record| record.is_without_password).count() as u64),
        records: batch.records.into_iter().map(stored_record).collect(),
        rooms: batch.rooms,
        joined: batch.joined,
        at,
        expires: expiry(at, lifetime),
    }
}

fn stored_record(record: RecordReceipt) -> StoredRecord {
    let cut_all = |texts: Vec<String>, count: usize, bytes: usize| {
        texts.into_iter().take(count).map(|text| cut(text, bytes)).collect()
    };
    StoredRecord {
        id: record.id,
        outcome: record.outcome.as_str().to_owned(),
        became: record.became,
        import_ids: cut_all(record.import_ids, IMPORT_IDS, IMPORT_ID_BYTES),
        username: record.username.map(|username| cut(username, USERNAME_BYTES)),
        emails: cut_all(record.emails, EMAILS, EMAIL_BYTES),
        reason: record.reason.map(|reason| cut(reason, REASON_BYTES)),
        found_by: record.found_by.map(|found| found.as_str().to_owned()),
        changed: document_of_changes(&record.changed),
        memberships: record.memberships.into(),
        without_password: record.is_without_password,
    }
}

/// The fields with their values, or their names alone where the values are too long.
pub(super) fn document_of_changes(changed: &[ChangedField]) -> Document {
    let fields = changed.iter().map(|change| (change.field.clone(), Bson::Document(document_of(&change.values))));
    let fields: Document = fields.collect();
    if bson::serialize_to_vec(&fields).is_ok_and(|bytes| bytes.len() <= CHANGES_BYTES) {
        return fields;
    }
    fields.keys().map(|field| (field.clone(), Bson::Document(Document::new()))).collect()
}

/// The fields of [`document_of_changes`]. Those that cannot be read are left out.
pub(super) fn changed_fields(stored: Document) -> Vec<ChangedField> {
    let changed = stored.into_iter().filter_map(|(field, values)| {
        let values = RawDocumentBuf::try_from(values.as_document()?).ok()?;
        Some(ChangedField { field, values: read_fields(&values).ok()? })
    });
    changed.collect()
}

/// The beginning of a text that is too long, with a mark at its end.
fn cut(mut text: String, bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() > bytes {
        let end = (0..=bytes - MARK.len()).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push_str(MARK);
    }
    text
}

pub(super) fn batch_receipt(stored: StoredReceipt) -> BatchReceipt {
    let StoredOutcomes { created, linked, updated, same, failed } = stored.outcomes;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    BatchReceipt {
        number: u32::try_from(stored.batch).unwrap_or_default(),
        record_type: record_type(&stored.data_type),
        range: (stored.first, stored.last),
        outcomes: Outcomes {
            created: number(created),
            linked: number(linked),
            updated: number(updated),
            same: number(same),
            failed: number(failed),
        },
        records: stored.records.into_iter().filter_map(record_receipt).collect(),
        rooms: stored.rooms,
        joined: stored.joined,
        at: Date::from_epoch_millis(stored.at.timestamp_millis()),
    }
}

pub(super) fn record_type(word: &str) -> RecordType {
    RecordType::of_receipt(word).unwrap_or(RecordType::User)
}

/// `None` for an outcome that this release does not know.
fn record_receipt(stored: StoredRecord) -> Option<RecordReceipt> {
    Some(RecordReceipt {
        outcome: Outcome::from_stored(&stored.outcome)?,
        changed: changed_fields(stored.changed),
        id: stored.id,
        became: stored.became,
        import_ids: stored.import_ids,
        username: stored.username,
        emails: stored.emails,
        reason: stored.reason,
        found_by: stored.found_by.as_deref().and_then(FoundBy::from_word),
        memberships: u32::try_from(stored.memberships).unwrap_or_default(),
        is_without_password: stored.without_password,
    })
}
