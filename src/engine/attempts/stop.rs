//! Why work on an operation stops before its end.

use std::fmt;

use crate::repository::{RepositoryError, WriteOutcome};

/// Why work on an operation stops before its end.
#[derive(Debug)]
pub(in crate::engine) enum Stop {
    /// Something cannot be reached, or says that it cannot do it now: try again.
    Again(PassingError),
    /// Somebody cleared the import, made a new one, or restarted Rocket.Chat; or the operation was over before.
    Ended,
    /// Another instance has taken over.
    LeaseLost,
    /// There is nothing to do: the lease was left by something else, or the operation was never claimed with success.
    NotOurs,
    /// Another process has given the operation a status or counters: Rocket.Chat runs it, too.
    Foreign,
    /// The service is being stopped.
    Shutdown,
    /// It cannot be done.
    Failed(String),
}

/// An error after which the work is attempted again.
#[derive(Debug)]
pub(in crate::engine) struct PassingError(String);

impl PassingError {
    pub(in crate::engine) fn new(error: impl Into<String>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for PassingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<RepositoryError> for PassingError {
    fn from(error: RepositoryError) -> Self {
        Self(error.to_string())
    }
}

impl From<RepositoryError> for Stop {
    fn from(error: RepositoryError) -> Self {
        if error.may_pass() { Self::Again(error.into()) } else { Self::Failed(error.to_string()) }
    }
}

impl WriteOutcome {
    /// # Errors
    /// When nothing was written.
    pub(in crate::engine) const fn or_stop(self) -> Result<(), Stop> {
        match self {
            Self::Written => Ok(()),
            Self::LeaseLost => Err(Stop::LeaseLost),
            Self::Invalidated => Err(Stop::Ended),
        }
    }
}
