//! How long the database is waited for where nobody else sets a limit.

use std::time::Duration;

use tokio::time::timeout;

use super::RepositoryError;

/// A server that vanishes without a word leaves its connections open, and nothing else would end the wait.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);

/// Waits for the database, but not for ever.
///
/// # Errors
/// Those of the question, and that there was no answer in time.
pub(crate) async fn answered<T>(asked: impl Future<Output = Result<T, RepositoryError>>) -> Result<T, RepositoryError> {
    timeout(DATABASE_PATIENCE, asked).await.unwrap_or(Err(RepositoryError::TimedOut))
}
