//! How many records of an import were processed, and with what outcome.

/// While a run goes on, its counters are stored whenever this many more records were processed.
///
/// Source: `apps/meteor/app/importer/server/classes/Importer.ts` (`maybeUpdateRecord`); the public documentation
/// promises it.
pub const PROGRESS_STEP_RECORDS: u64 = 50;

/// The two counters a run moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that were imported.
    pub completed: u64,
    /// Records that failed.
    pub error: u64,
}

impl Counts {
    /// Records that were processed, with whatever outcome.
    #[must_use]
    pub const fn processed(self) -> u64 {
        self.completed + self.error
    }

    /// These counts, each no less than in `floor`.
    #[must_use]
    pub fn at_least(self, floor: Self) -> Self {
        Self { completed: self.completed.max(floor.completed), error: self.error.max(floor.error) }
    }

    /// The part of these counts that may be shown to somebody who last saw `seen`: a whole number of steps, and neither
    /// counter ever goes down.
    #[must_use]
    pub fn in_steps(self, seen: Self) -> Self {
        let goal = self.processed() - self.processed() % PROGRESS_STEP_RECORDS;
        let untold = goal.saturating_sub(seen.processed());
        let completed = self.completed.saturating_sub(seen.completed).min(untold);
        let error = self.error.saturating_sub(seen.error).min(untold - completed);
        Self { completed: seen.completed + completed, error: seen.error + error }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.completed += more.completed;
        self.error += more.error;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_told_in_steps_and_never_go_down(
            batches in prop::collection::vec((0_u64..120, 0_u64..120), 1..50)
        ) {
            let (mut true_counts, mut seen) = (Counts::default(), Counts::default());
            for (completed, error) in batches {
                true_counts += Counts { completed, error };
                let next = true_counts.in_steps(seen);
                prop_assert!(next.completed >= seen.completed && next.error >= seen.error);
                prop_assert!(next.completed <= true_counts.completed && next.error <= true_counts.error);
                prop_assert_eq!(next.processed() % PROGRESS_STEP_RECORDS, 0);
                prop_assert!(true_counts.processed() - next.processed() < PROGRESS_STEP_RECORDS);
                seen = next;
            }
        }
    }
}
