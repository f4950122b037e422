//! How far the loading of a file has come, and the account of the file's elements.

use std::collections::BTreeMap;

use super::record_type::RecordType;

/// Staged records by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StagedCounts([u64; RecordType::ALL.len()]);

impl StagedCounts {
    /// The number of records of this type.
    #[must_use]
    pub const fn of(self, kind: RecordType) -> u64 {
        self.0[kind as usize]
    }

    #[must_use]
    pub fn total(self) -> u64 {
        self.0.iter().sum()
    }

    /// These counts with so many more records of this type.
    #[must_use]
    pub const fn with_more(mut self, kind: RecordType, more: u64) -> Self {
        self.0[kind as usize] += more;
        self
    }
}

/// How far the loading of a file has come: the place from which it goes on, and the account of everything before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// The part of the file that is read next, as the importer numbers parts.
    pub part: u64,
    /// Elements of that part that are done.
    pub done: u64,
    /// Batches that are stored.
    pub batches: u32,
    /// The workspace's `DirectMesssage_maxUsers` when loading began: the same file has to give the same records.
    pub direct_message_max_users: Option<u64>,
    pub staged: StagedCounts,
    /// Elements that cannot be imported, by type.
    pub failed: BTreeMap<String, u64>,
    /// Elements that are left out on purpose, by type.
    pub passed_over: BTreeMap<String, u64>,
    /// Facts about staged records, by their words for the report.
    pub notes: BTreeMap<String, u64>,
    /// Whether the file was read to its end.
    pub is_complete: bool,
}

impl LoadProgress {
    /// The number of elements that were read so far.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.staged.total() + self.failed.values().sum::<u64>() + self.passed_over.values().sum::<u64>()
    }
}

/// What became of an element that is not staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStaged {
    Failed,
    PassedOver,
}

impl NotStaged {
    /// The word for the report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::PassedOver => "passedOver",
        }
    }

    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Failed, Self::PassedOver].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A line of a file's report: elements that are not staged, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    pub outcome: NotStaged,
    /// A record type's `dataType`, or a word for something else, such as `entry`.
    pub kind: String,
    /// Where in the file the element is, or the first of several.
    pub place: String,
    /// Ids of the element in its source.
    pub ids: Vec<String>,
    /// One sentence, without any text of a message.
    pub reason: String,
    /// The number of elements.
    pub count: u64,
}

/// The line that tells which file of an archive is being read: its folder and its name up to the first dot.
///
/// Source: `apps/meteor/server/lib/import/csv/CsvImporter.ts` (`messagesstatus`).
#[must_use]
pub fn messages_status(entry: &str) -> String {
    let mut parts = entry.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    match parts.next() {
        Some(folder) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_messages_names_folder_and_file() {
        for (entry, expected) in [
            ("general/2020-01-02.json", "general/2020-01-02"),
            ("export/general/2020.a.csv", "general/2020"),
            ("messages.jsonl", "messages"),
            ("", ""),
        ] {
            assert_eq!(messages_status(entry), expected, "{entry}");
        }
    }

    #[test]
    fn counts_are_kept_by_type() {
        let counts = StagedCounts::default().with_more(RecordType::Message, 3).with_more(RecordType::User, 1);
        assert_eq!(RecordType::ALL.map(|kind| counts.of(kind)), [1, 0, 0, 3]);
        assert_eq!(counts.total(), 4);
    }
}
