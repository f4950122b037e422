//! The list of an operation, read in groups of records that wait for the same thing.

use std::collections::VecDeque;

use crate::repository::{Gap, ListedRecord, RepositoryError, Worklists, with_default_timeout};

/// Records that are read together.
const RECORDS_AT_A_TIME: i64 = 200;
/// Records of one group. What goes beyond is another group, which finds what this one stored.
const LARGEST_GROUP: usize = 500;

/// Records that wait for the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) records: Vec<ListedRecord>,
}

/// The groups that have no receipt yet.
#[derive(Debug)]
pub(super) struct Groups {
    worklists: Worklists,
    operation: String,
    gaps: VecDeque<Gap>,
    read: VecDeque<ListedRecord>,
}

impl Groups {
    /// The groups within the gaps.
    pub(super) fn new(worklists: Worklists, operation: &str, gaps: Vec<Gap>) -> Self {
        Self { worklists, operation: operation.to_owned(), gaps: gaps.into(), read: VecDeque::new() }
    }

    /// Returns the next group; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Group>, RepositoryError> {
        let mut records: Vec<ListedRecord> = Vec::new();
        loop {
            while let Some(record) = self.read.front() {
                let is_other = records.first().is_some_and(|first| first.key != record.key);
                if is_other || records.len() == LARGEST_GROUP {
                    return Ok(Some(Group { records }));
                }
                records.extend(self.read.pop_front());
            }
            if !self.read_on().await? {
                return Ok((!records.is_empty()).then_some(Group { records }));
            }
        }
    }

    /// Reads on in the list. False at its end.
    async fn read_on(&mut self) -> Result<bool, RepositoryError> {
        while let Some(gap) = self.gaps.front_mut() {
            let read = self.worklists.read(&self.operation, gap, RECORDS_AT_A_TIME);
            let read = with_default_timeout(read).await?;
            match read.last() {
                Some(last) => {
                    gap.after = Some(last.place.clone());
                    self.read.extend(read);
                    return Ok(true);
                }
                None => self.gaps.pop_front(),
            };
        }
        Ok(false)
    }
}
