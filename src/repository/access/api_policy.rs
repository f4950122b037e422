//! What administrators have decided about calls of the API, read at most once a second.
//!
//! Every request asks for it, and unlike who is calling it may be a little old, as it may in Rocket.Chat.

use std::{sync::Arc, time::Duration};

use futures::future::try_join;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout};

use crate::{
    domain::{api::policy::ApiPolicy, caller::Permission},
    repository::{Permissions, RepositoryError, Settings, connection::shared_reads::SharedReads},
};

/// How long what was read counts as current.
const MAX_AGE: Duration = Duration::from_secs(1);
/// How long a caller waits for newer rules before those it has are good enough.
const REFRESH_PATIENCE: Duration = Duration::from_secs(1);

/// Reads the rules and keeps the latest. Clones share them.
#[derive(Debug, Clone)]
pub struct ApiPolicyCache {
    settings: Settings,
    permissions: Permissions,
    reads: SharedReads<(), Arc<ApiPolicy>>,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug, Clone)]
struct Kept {
    rules: Arc<ApiPolicy>,
    /// Just before they were read.
    read_at: Instant,
    /// When reading them again was last found to take too long, or to fail.
    given_up_at: Option<Instant>,
}

impl Kept {
    fn is_current(&self, now: Instant) -> bool {
        let latest = self.given_up_at.map_or(self.read_at, |given_up| given_up.max(self.read_at));
        now.saturating_duration_since(latest) < MAX_AGE
    }
}

impl ApiPolicyCache {
    pub(in crate::repository) fn new(settings: Settings, permissions: Permissions) -> Self {
        Self { settings, permissions, reads: SharedReads::default(), kept: Arc::default() }
    }

    /// The rules as they were stored a second ago or later; while the database does not answer, the last that were
    /// known.
    ///
    /// # Errors
    /// When the database does not answer, and never has.
    pub async fn current(&self) -> Result<Arc<ApiPolicy>, RepositoryError> {
        let now = Instant::now();
        let kept = self.kept().clone();
        match kept {
            None => self.clone().refresh(now).await,
            Some(kept) if kept.is_current(now) => Ok(kept.rules),
            Some(kept) => {
                // On its own, so that what comes too late for this caller comes in time for others.
                let refresh = tokio::spawn(self.clone().refresh(now));
                if let Ok(Ok(Ok(rules))) = timeout(REFRESH_PATIENCE, refresh).await {
                    return Ok(rules);
                }
                log::warn!("the rules of the API cannot be read again in time; the last known ones hold");
                self.give_up();
                Ok(kept.rules)
            }
        }
    }

    async fn refresh(self, now: Instant) -> Result<Arc<ApiPolicy>, RepositoryError> {
        let (settings, permissions) = (self.settings.clone(), self.permissions.clone());
        let rules = self.reads.get((), || read(settings, permissions)).await?;
        let mut kept = self.kept();
        // Unless somebody who began later was quicker.
        if kept.as_ref().is_none_or(|kept| kept.read_at <= now) {
            *kept = Some(Kept { rules: Arc::clone(&rules), read_at: now, given_up_at: None });
        }
        drop(kept);
        Ok(rules)
    }

    fn give_up(&self) {
        if let Some(kept) = self.kept().as_mut() {
            kept.given_up_at = Some(Instant::now());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock()
    }
}

async fn read(settings: Settings, permissions: Permissions) -> Result<Arc<ApiPolicy>, RepositoryError> {
    let unlimited = permissions.holders(Permission::BypassRateLimit);
    let ((call_limit, cross_origin), unlimited_roles) = try_join(settings.api_limits(), unlimited).await?;
    Ok(Arc::new(ApiPolicy { call_limit, unlimited_roles: unlimited_roles.to_vec(), cross_origin }))
}
