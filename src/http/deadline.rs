//! How long a caller is kept waiting for the database.
//!
//! A frozen server keeps its connections open and says nothing, so no time-out of the driver ends the wait. One deadline
//! for all reads of a request does.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout, timeout_at};

use super::error::ApiError;
use crate::repository::RepositoryError;

/// Leaves room below the five seconds in which an outage has to be answered.
const READ_PATIENCE: Duration = Duration::from_secs(4);

/// A write may have much to do, and giving up on one leaves open whether it was done.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the database to do something that may take its time.
pub(super) async fn bound_write<T>(write: impl Future<Output = Result<T, RepositoryError>>) -> Result<T, ApiError> {
    timeout(WRITE_PATIENCE, write).await.unwrap_or(Err(RepositoryError::TimedOut)).map_err(ApiError::from)
}

/// The moment at which the reads of one request have to be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn from_now() -> Self {
        Self(Instant::now() + READ_PATIENCE)
    }

    /// Waits for `read`, but not beyond the deadline.
    pub(super) async fn bound<T>(self, read: impl Future<Output = Result<T, RepositoryError>>) -> Result<T, ApiError> {
        timeout_at(self.0, read).await.unwrap_or(Err(RepositoryError::TimedOut)).map_err(ApiError::from)
    }
}
