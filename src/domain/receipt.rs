//! Outcomes of staged records.

use super::counts::Counts;

/// The word for an account that was deactivated beside the records, since a source no longer holds the person.
pub const DEACTIVATED: &str = "deactivated";

/// What became of one staged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A document was created.
    Created,
    /// A document that was there gained import ids, and values for what was empty.
    Linked,
    /// A document that was there was changed.
    Updated,
    /// A document that was there already had every value.
    Same,
    /// Nothing was stored.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order reports list them.
    pub const ALL: [Self; 5] = [Self::Created, Self::Linked, Self::Updated, Self::Same, Self::Failed];

    /// The word stored in receipts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Linked => "linked",
            Self::Updated => "updated",
            Self::Same => "same",
            Self::Failed => "failed",
        }
    }

    /// The outcome whose stored word is `word`.
    #[must_use]
    pub fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// How many records had which outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub created: u64,
    pub linked: u64,
    pub updated: u64,
    pub same: u64,
    pub failed: u64,
}

impl Outcomes {
    /// The number of records with this outcome.
    #[must_use]
    pub const fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Created => self.created,
            Outcome::Linked => self.linked,
            Outcome::Updated => self.updated,
            Outcome::Same => self.same,
            Outcome::Failed => self.failed,
        }
    }

    /// Counts one more record with this outcome.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Linked => self.linked += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Same => self.same += 1,
            Outcome::Failed => self.failed += 1,
        }
    }

    /// The two counters of `import.status`: everything but failures is completed.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        Counts { completed: self.created + self.linked + self.updated + self.same, error: self.failed }
    }
}
