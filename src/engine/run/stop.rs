//! Why a run stops before its end.

use super::batch::BatchError;
use crate::repository::{RepositoryError, WriteOutcome};

/// Why a run stops before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The database does not answer, or says that it cannot do it now: try again.
    Unavailable(RepositoryError),
    /// Somebody cleared the import, made a new one, or restarted Rocket.Chat; or the run was over before.
    Ended,
    /// Another instance has taken over.
    LeaseLost,
    /// It was never claimed with success: somebody else may be running it.
    NotOurs,
    /// Another process has given it a status or counters: Rocket.Chat runs it, too.
    Foreign,
    /// The service is being stopped.
    Shutdown,
    /// It cannot be done.
    Failed(String),
}

impl From<RepositoryError> for Stop {
    fn from(error: RepositoryError) -> Self {
        if error.may_pass() { Self::Unavailable(error) } else { Self::Failed(error.to_string()) }
    }
}

impl From<BatchError> for Stop {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Database(error) => error.into(),
            BatchError::Fenced => Self::LeaseLost,
            BatchError::Panicked(_) => Self::Failed(error.to_string()),
        }
    }
}

impl WriteOutcome {
    /// # Errors
    /// When nothing was written.
    pub(super) fn or_stop(self) -> Result<(), Stop> {
        match self {
            Self::Written => Ok(()),
            Self::LeaseLost => Err(Stop::LeaseLost),
            Self::Invalidated => Err(Stop::Ended),
        }
    }
}
