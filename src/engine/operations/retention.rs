//! Messages that the workspace would remove as soon as they are imported.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time::timeout;

use super::{Operations, Refusal};
use crate::repository::{Repositories, RepositoryError, with_default_timeout};

/// How long an old message is looked for among all that are staged.
const PATIENCE: Duration = Duration::from_secs(30);

impl Operations {
    /// Refuses messages that are older than the workspace keeps any.
    ///
    /// # Errors
    /// With that reason, or when the database does not answer.
    pub(super) async fn require_that_messages_stay(&self, root: &str) -> Result<(), Refusal> {
        let Repositories { settings, staged_view, .. } = self.repositories();
        let retention = with_default_timeout(settings.retention()).await?;
        let kinds = with_default_timeout(staged_view.channel_types(root)).await?;
        let Some(kept) = retention.shortest(&kinds) else { return Ok(()) };
        let Some(then) = Utc::now().checked_sub_signed(kept) else { return Ok(()) };
        let found = timeout(PATIENCE, staged_view.has_message_before(root, then)).await;
        if found.unwrap_or(Err(RepositoryError::TimedOut))? { Err(Refusal::Retention { kept }) } else { Ok(()) }
    }
}

/// A number of days for a person to read.
pub(super) fn in_days(time: TimeDelta) -> String {
    match time.num_days() {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}
