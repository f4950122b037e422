//! Access that is looked at again and again while it is being used.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    sync::LazyLock,
    time::Duration,
};

use actix_web::HttpRequest;
use tokio::time::Instant;

use super::{
    authentication::{Credentials, Required},
    deadline::Deadline,
    error::ApiError,
};
use crate::{domain::permission::Permission, repository::Repositories};

/// Moments within an interval at which somebody looks, and the time between them.
const SLOTS: u32 = 30;
const SLOT: Duration = Duration::from_millis(100);
/// How often to look. A token or a permission that is taken away counts within five seconds.
const INTERVAL: Duration = Duration::from_secs(3);

/// From which slots are counted.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A caller's right to something that takes its time.
pub(super) struct StandingAccess {
    credentials: Credentials,
    permission: Permission,
    /// When to look, from the beginning of each interval: all who look at the same moment share a read of the database,
    /// and not all look at the same moment.
    offset: Duration,
}

impl StandingAccess {
    /// Of a request that was found to be authorized.
    pub(super) fn of<P: Required>(request: &HttpRequest) -> Result<Self, ApiError> {
        let credentials = Credentials::of(request.headers())?;
        let slot = BuildHasherDefault::<DefaultHasher>::default().hash_one(&credentials) % u64::from(SLOTS);
        let offset = SLOT * u32::try_from(slot).unwrap_or_default();
        Ok(Self { credentials, permission: P::PERMISSION, offset })
    }

    /// When to look next.
    pub(super) fn next_check(&self) -> Instant {
        let since = EPOCH.elapsed().saturating_sub(self.offset);
        let intervals = since.as_millis() / INTERVAL.as_millis() + 1;
        *EPOCH + self.offset + INTERVAL * u32::try_from(intervals).unwrap_or(u32::MAX)
    }

    /// Whether the caller may still do it.
    pub(super) async fn check(&self, repositories: &Repositories) -> Result<(), ApiError> {
        self.credentials.authorize_again(repositories, self.permission, Deadline::from_now()).await.map(drop)
    }
}
