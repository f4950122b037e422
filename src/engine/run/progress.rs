//! The counters of a run, shared between the batches that move them and the writer that stores them.

use parking_lot::Mutex;

use crate::{domain::counts::Counts, engine::activity::Activity};

/// How far a run has come.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    activity: Activity,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// What happened.
    actual: Counts,
    /// What was last stored.
    stored: Counts,
    /// Records that are yet to be processed.
    waiting: u64,
}

impl Progress {
    /// Starts at zero and mirrors every change into `activity`.
    pub(super) fn new(activity: Activity) -> Self {
        Self { state: Mutex::default(), activity }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Starts anew from what the receipts and the operation say, with `waiting` records left.
    pub(super) fn reset(&self, actual: Counts, stored: Counts, waiting: u64) {
        self.with(|state| {
            self.activity.users_waiting.change(signed(waiting) - signed(state.waiting));
            *state = State { actual, stored, waiting };
        });
    }

    pub(super) fn add(&self, more: Counts) {
        self.activity.add_processed(more);
        self.with(|state| {
            state.actual += more;
            let left = state.waiting.saturating_sub(more.processed());
            self.activity.users_waiting.change(signed(left) - signed(state.waiting));
            state.waiting = left;
        });
    }

    pub(super) fn actual(&self) -> Counts {
        self.with(|state| state.actual)
    }

    /// The counts that are due to be stored, if they moved by a whole step.
    pub(super) fn due(&self) -> Option<Counts> {
        self.with(|state| Some(state.actual.in_steps(state.stored)).filter(|counts| *counts != state.stored))
    }

    pub(super) fn last_stored(&self) -> Counts {
        self.with(|state| state.stored)
    }

    pub(super) fn stored(&self, counts: Counts) {
        self.with(|state| state.stored = counts);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock())
    }
}

impl Drop for Progress {
    /// The next run counts them anew.
    fn drop(&mut self) {
        self.with(|state| self.activity.users_waiting.change(-signed(state.waiting)));
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
