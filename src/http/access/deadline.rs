//! How long a caller is kept waiting for the database.
//!
//! A frozen server keeps its connections open and says nothing, so no time-out of the driver ends the wait. One deadline
//! for all reads of a request does.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

use crate::{
    http::error::ApiError,
    repository::{RepositoryError, with_timeout},
};

/// Leaves room below the five seconds in which an outage has to be answered.
const READ_PATIENCE: Duration = Duration::from_secs(4);

/// A write may have much to do, and giving up on one leaves open whether it was done.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the database to do something that may take its time.
pub(in crate::http) async fn bound_write<T, E>(write: impl Future<Output = Result<T, E>>) -> Result<T, ApiError>
where
    E: Into<ApiError> + From<RepositoryError>,
{
    tokio::time::timeout(WRITE_PATIENCE, write)
        .await
        .unwrap_or_else(|_| Err(RepositoryError::TimedOut.into()))
        .map_err(Into::into)
}

/// The moment at which the reads of one request have to be over.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Deadline(Instant);

impl Deadline {
    pub(in crate::http) fn from_now() -> Self {
        Self(Instant::now() + READ_PATIENCE)
    }

    /// Waits for `read`, but not beyond the deadline.
    pub(in crate::http) async fn bound<T>(
        self,
        read: impl Future<Output = Result<T, RepositoryError>>,
    ) -> Result<T, ApiError> {
        with_timeout(self.0.saturating_duration_since(Instant::now()), read).await.map_err(ApiError::from)
    }
}
