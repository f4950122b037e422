//! The counters of a run, shared between the batches that move them and the writer that stores them.

use std::sync::{Mutex, PoisonError};

use crate::domain::counts::Counts;

/// How far a run has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// What happened.
    actual: Counts,
    /// What was last stored.
    stored: Counts,
}

impl Progress {
    /// Starts anew from what the staging area and the operation say.
    pub(super) fn reset(&self, actual: Counts, stored: Counts) {
        self.with(|state| *state = State { actual, stored });
    }

    pub(super) fn add(&self, more: Counts) {
        self.with(|state| state.actual += more);
    }

    pub(super) fn actual(&self) -> Counts {
        self.with(|state| state.actual)
    }

    /// The counts that are due to be stored, if they moved by a whole step.
    pub(super) fn due(&self) -> Option<Counts> {
        self.with(|state| Some(state.actual.in_steps(state.stored)).filter(|counts| *counts != state.stored))
    }

    /// What happened, if that is more than was stored.
    pub(super) fn unstored(&self) -> Option<Counts> {
        self.with(|state| Some(state.actual).filter(|actual| *actual != state.stored))
    }

    pub(super) fn last_stored(&self) -> Counts {
        self.with(|state| state.stored)
    }

    pub(super) fn stored(&self, counts: Counts) {
        self.with(|state| state.stored = counts);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
