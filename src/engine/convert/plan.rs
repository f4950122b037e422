//! Plans of batches that change documents which are there.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
};

use super::StoreError;
use crate::{
    domain::field_value::{FieldValue, Fields},
    repository::{ChangedField, PlannedBatch, PlannedChange, ReceiptOutcome, Receipts},
};

/// What batches without a receipt were about to change, and may have changed.
#[derive(Debug, Default)]
pub(in crate::engine) struct EarlierPlans {
    /// In the order in which they were planned.
    changes: Vec<PlannedChange>,
    /// The last change of each record.
    by_record: HashMap<String, usize>,
    by_document: HashMap<String, Vec<usize>>,
}

impl EarlierPlans {
    /// Takes changes in the order in which they were planned.
    pub(in crate::engine) fn new(changes: Vec<PlannedChange>) -> Self {
        let (mut by_record, mut by_document) = (HashMap::new(), HashMap::<String, Vec<usize>>::new());
        for (place, change) in changes.iter().enumerate() {
            by_record.insert(change.record.clone(), place);
            by_document.entry(change.document.clone()).or_default().push(place);
        }
        Self { changes, by_record, by_document }
    }

    /// The change that was planned for the record.
    pub(super) fn of_record(&self, record: &str) -> Option<&PlannedChange> {
        self.by_record.get(record).and_then(|place| self.changes.get(*place))
    }

    /// The fields of a planned change that the document shows to be made: it has their values, or those of a later change
    /// that began with their values.
    pub(super) fn made<'a>(&'a self, planned: &'a PlannedChange, document: &'a Fields) -> Vec<&'a ChangedField> {
        let mut reached: HashMap<&str, Vec<Option<&FieldValue>>> = HashMap::new();
        let places = self.by_document.get(&planned.document).map(Vec::as_slice).unwrap_or_default();
        for change in places.iter().rev().filter_map(|place| self.changes.get(*place)) {
            let made = change.changed.iter().filter(|field| {
                let reached = reached.entry(&field.field).or_insert_with(|| vec![value_of(document, &field.field)]);
                let is_made = has_values(field) && reached.contains(&field.values.get("after"));
                if is_made {
                    reached.push(field.values.get("before"));
                }
                is_made
            });
            let made: Vec<_> = made.collect();
            if std::ptr::eq(change, planned) {
                return made;
            }
        }
        Vec::new()
    }
}

/// Whether the values of a changed field were short enough to be kept.
pub(super) fn has_values(field: &ChangedField) -> bool {
    field.values.get("after").is_some()
}

/// The value at the path of a field, which may be one within fields.
fn value_of<'a>(document: &'a Fields, path: &str) -> Option<&'a FieldValue> {
    match path.split_once('.') {
        None => document.get(path),
        Some((outer, inner)) => document.get(outer)?.as_object()?.get(inner),
    }
}

/// The plan of the batch that is being stored.
#[derive(Debug)]
pub(in crate::engine) struct BatchPlan<'a> {
    receipts: &'a Receipts,
    batch: PlannedBatch<'a>,
    earlier: &'a EarlierPlans,
    parts: AtomicU32,
}

impl<'a> BatchPlan<'a> {
    pub(in crate::engine) const fn new(
        receipts: &'a Receipts,
        batch: PlannedBatch<'a>,
        earlier: &'a EarlierPlans,
    ) -> Self {
        Self { receipts, batch, earlier, parts: AtomicU32::new(0) }
    }

    /// What batches before were about to change.
    pub(super) const fn earlier(&self) -> &'a EarlierPlans {
        self.earlier
    }

    /// Stores what the batch is about to change. Nothing may be changed before.
    ///
    /// # Errors
    /// Nothing may be changed then either.
    pub(super) async fn note(&self, changes: Vec<PlannedChange>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let part = self.parts.fetch_add(1, Ordering::Relaxed);
        match self.receipts.note_plan(self.batch, part, changes).await? {
            ReceiptOutcome::Written => Ok(()),
            ReceiptOutcome::Fenced => Err(StoreError::Fenced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::receipt::Outcome;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    fn planned(record: &str, before: Option<&str>, after: &str) -> PlannedChange {
        let values = before.map(|before| ("before", text(before))).into_iter().chain([("after", text(after))]);
        PlannedChange {
            record: record.to_owned(),
            document: "ann".to_owned(),
            outcome: Outcome::Updated,
            found_by: None,
            changed: vec![ChangedField { field: "bio".to_owned(), values: values.collect() }],
        }
    }

    fn ann(bio: &str) -> Fields {
        Fields::from_iter([("_id", text("ann")), ("bio", text(bio))])
    }

    #[test]
    fn a_change_is_made_if_the_document_has_it_or_a_later_change_that_began_with_it() {
        let plans = EarlierPlans::new(vec![planned("1", None, "one"), planned("2", Some("one"), "two")]);
        let made = |record: &str, bio: &str| !plans.made(plans.of_record(record).unwrap(), &ann(bio)).is_empty();
        assert_eq!((made("1", "two"), made("2", "two")), (true, true));
        assert_eq!((made("1", "one"), made("2", "one")), (true, false));
        assert_eq!((made("1", "of somebody else"), made("2", "of somebody else")), (false, false));
    }

    #[test]
    fn of_two_plans_of_a_record_the_last_one_counts() {
        let plans = EarlierPlans::new(vec![planned("1", None, "one"), planned("1", Some("other"), "new")]);
        assert_eq!(plans.of_record("1").unwrap(), &planned("1", Some("other"), "new"));
        assert_eq!(plans.of_record("2"), None);
    }
}
