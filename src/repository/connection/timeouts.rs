//! How long the database is waited for where nobody else sets a limit.

use std::time::Duration;

use tokio::time::timeout;

use crate::repository::RepositoryError;

/// A server that vanishes without a word leaves its connections open, and nothing else would end the wait.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);

/// Waits for `work` of the database, but no longer than `patience`.
///
/// # Errors
/// Those of the work, and [`RepositoryError::TimedOut`].
pub(crate) async fn with_timeout<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, RepositoryError>>,
) -> Result<T, RepositoryError> {
    timeout(patience, work).await.unwrap_or(Err(RepositoryError::TimedOut))
}

/// Waits for `work` of the database, but not for ever.
///
/// # Errors
/// Those of the work, and [`RepositoryError::TimedOut`].
pub(crate) async fn with_default_timeout<T>(
    work: impl Future<Output = Result<T, RepositoryError>>,
) -> Result<T, RepositoryError> {
    with_timeout(DATABASE_PATIENCE, work).await
}
