//! What administrators have decided about calls of the API, read at most once a second.
//!
//! Every request asks for it, and unlike who is calling it may be a little old, as it may in Rocket.Chat.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::try_join;
use tokio::time::{Instant, timeout};

use super::{Permissions, RepositoryError, Settings, shared_reads::SharedReads};
use crate::domain::{api_rules::ApiRules, permission::Permission};

/// How long what was read counts as current.
const MAX_AGE: Duration = Duration::from_secs(1);
/// How long a caller waits for newer rules before those it has are good enough.
const REFRESH_PATIENCE: Duration = Duration::from_secs(1);

/// Reads the rules and keeps the latest. Clones share them.
#[derive(Debug, Clone)]
pub struct ApiRuleBook {
    settings: Settings,
    permissions: Permissions,
    reads: SharedReads<(), Arc<ApiRules>>,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug, Clone)]
struct Kept {
    rules: Arc<ApiRules>,
    /// The latest moment for which it is known that nothing newer is to be had: before they were read, or before reading
    /// was tried in vain.
    looked_at: Instant,
}

impl ApiRuleBook {
    pub(super) fn over(settings: Settings, permissions: Permissions) -> Self {
        Self { settings, permissions, reads: SharedReads::default(), kept: Arc::default() }
    }

    /// The rules as they were stored a second ago or later; while the database does not answer, the last that were
    /// known.
    ///
    /// # Errors
    /// When the database does not answer, and never has.
    pub async fn current(&self) -> Result<Arc<ApiRules>, RepositoryError> {
        let now = Instant::now();
        let known = match self.kept().as_ref() {
            Some(kept) if now.saturating_duration_since(kept.looked_at) < MAX_AGE => {
                return Ok(Arc::clone(&kept.rules));
            }
            Some(kept) => Some(Arc::clone(&kept.rules)),
            None => None,
        };
        let (settings, permissions) = (self.settings.clone(), self.permissions.clone());
        let read = self.reads.get((), || read(settings, permissions));
        let rules = match known {
            None => read.await?,
            Some(known) => timeout(REFRESH_PATIENCE, read)
                .await
                .unwrap_or(Err(RepositoryError::TimedOut))
                .unwrap_or_else(|error| {
                    log::warn!("the rules of the API cannot be read again: {error}");
                    known
                }),
        };
        self.keep(Kept { rules: Arc::clone(&rules), looked_at: now });
        Ok(rules)
    }

    /// Unless somebody who began later was quicker.
    fn keep(&self, new: Kept) {
        let mut kept = self.kept();
        if kept.as_ref().is_none_or(|kept| kept.looked_at <= new.looked_at) {
            *kept = Some(new);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(settings: Settings, permissions: Permissions) -> Result<Arc<ApiRules>, RepositoryError> {
    let unlimited = permissions.holders(Permission::BypassRateLimit);
    let ((call_limit, cross_origin), unlimited_roles) = try_join(settings.api_limits(), unlimited).await?;
    Ok(Arc::new(ApiRules { call_limit, unlimited_roles: unlimited_roles.to_vec(), cross_origin }))
}
