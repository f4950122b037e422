//! What the database has left for files.

use std::time::Duration;

use bson::{Bson, Document, doc};

use super::Files;
use crate::repository::{
    RepositoryError,
    connection::error::{UNAUTHORIZED, has_code},
};

impl Files {
    /// Returns the bytes that are free where the database lies; `None` if it does not say.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn free_bytes(&self) -> Result<Option<u64>, RepositoryError> {
        let stats = match self.connection.database().run_command(doc! { "dbStats": 1 }).await {
            // The database user of an older release may not look.
            Err(error) if has_code(&error, &[UNAUTHORIZED]) => return Ok(None),
            stats => stats?,
        };
        let total = number(&stats, "fsTotalSize");
        let used = number(&stats, "fsUsedSize");
        Ok(total.zip(used).map(|(total, used)| total.saturating_sub(used)))
    }

    /// Returns how far the majority of the servers is behind the primary; `None` if the database does not say.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn majority_lag(&self) -> Result<Option<Duration>, RepositoryError> {
        let hello = self.connection.database().run_command(doc! { "hello": 1 }).await?;
        let Ok(last) = hello.get_document("lastWrite") else { return Ok(None) };
        let millis = |name: &str| last.get_datetime(name).ok().map(|date| date.timestamp_millis());
        let lag = millis("lastWriteDate").zip(millis("majorityWriteDate")).map(|(last, majority)| last - majority);
        Ok(lag.map(|lag| Duration::from_millis(u64::try_from(lag).unwrap_or_default())))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
fn number(stats: &Document, name: &str) -> Option<u64> {
    match stats.get(name)? {
        Bson::Double(value) if *value >= 0.0 => Some(*value as u64),
        Bson::Int32(value) => u64::try_from(*value).ok(),
        Bson::Int64(value) => u64::try_from(*value).ok(),
        _ => None,
    }
}
