//! Why loading stops before its end.

use crate::repository::{RepositoryError, WriteOutcome};

/// Why loading stops before its end.
#[derive(Debug)]
pub(in crate::engine) enum Stop {
    /// The database or the file cannot be reached: try again.
    Again(String),
    /// Somebody cleared the import, made a new one, or restarted Rocket.Chat.
    Ended,
    /// Another instance has taken over.
    LeaseLost,
    /// There is nothing to load: the lease was left by something else.
    NotOurs,
    /// The service is being stopped.
    Shutdown,
    /// It cannot be done.
    Failed(String),
}

impl From<RepositoryError> for Stop {
    fn from(error: RepositoryError) -> Self {
        if error.may_pass() { Self::Again(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

/// # Errors
/// When nothing was written.
pub(in crate::engine) const fn outcome(outcome: WriteOutcome) -> Result<(), Stop> {
    match outcome {
        WriteOutcome::Written => Ok(()),
        WriteOutcome::LeaseLost => Err(Stop::LeaseLost),
        WriteOutcome::Invalidated => Err(Stop::Ended),
    }
}
