//! The account of a file: each element is a record, a problem, or passed over.

use std::collections::BTreeMap;

use crate::domain::record_type::RecordType;

use super::record::{Element, Note};

/// How many elements of a file came out as what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: BTreeMap<RecordType, u64>,
    /// By [`super::Problem::kind`].
    pub problems: BTreeMap<&'static str, u64>,
    /// By kind and reason.
    pub passed_over: BTreeMap<(&'static str, String), u64>,
    pub notes: BTreeMap<Note, u64>,
}

impl Tally {
    /// Counts an element.
    pub fn add(&mut self, element: &Element) {
        match element {
            Element::Record(record) => {
                *self.records.entry(record.kind).or_default() += 1;
                for note in &record.notes {
                    *self.notes.entry(*note).or_default() += 1;
                }
            }
            Element::Problem(problem) => *self.problems.entry(problem.kind).or_default() += 1,
            Element::PassedOver(passed) => {
                *self.passed_over.entry((passed.kind, passed.reason.clone())).or_default() += passed.count;
            }
        }
    }

    /// How many records there are of all types.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.records.values().sum()
    }

    /// How many elements there are.
    #[must_use]
    pub fn element_count(&self) -> u64 {
        self.record_count() + self.problems.values().sum::<u64>() + self.passed_over.values().sum::<u64>()
    }
}
