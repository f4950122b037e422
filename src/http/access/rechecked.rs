//! Access that is looked at again and again while it is being used.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    sync::LazyLock,
    time::Duration,
};

use actix_web::HttpRequest;
use tokio::time::Instant;

use crate::{
    domain::caller::Permission,
    http::{
        access::{
            authentication::{Credentials, Required},
            deadline::Deadline,
        },
        error::ApiError,
    },
    repository::Repositories,
};

/// Moments within an interval at which somebody looks, and the time between them.
const SLOTS: u32 = 30;
const SLOT: Duration = Duration::from_millis(100);
/// How often to look. A token or a permission that is taken away counts within five seconds.
const INTERVAL: Duration = Duration::from_secs(3);

/// From which slots are counted.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A caller's right to something that takes its time.
pub(in crate::http) struct RecheckedAccess {
    credentials: Credentials,
    permission: Permission,
    /// When to look, from the beginning of each interval: all who look at the same moment share a read of the database,
    /// and not all look at the same moment.
    offset: Duration,
}

impl RecheckedAccess {
    /// Of a request that was found to be authorized.
    pub(in crate::http) fn of<P: Required>(request: &HttpRequest) -> Result<Self, ApiError> {
        let credentials = Credentials::of(request.headers())?;
        let slot = BuildHasherDefault::<DefaultHasher>::default().hash_one(&credentials) % u64::from(SLOTS);
        let offset = SLOT * u32::try_from(slot).unwrap_or_default();
        Ok(Self { credentials, permission: P::PERMISSION, offset })
    }

    /// When to look next.
    pub(in crate::http) fn next_check(&self) -> Instant {
        let since = EPOCH.elapsed().saturating_sub(self.offset);
        let intervals = since.as_millis() / INTERVAL.as_millis() + 1;
        *EPOCH + self.offset + INTERVAL * u32::try_from(intervals).unwrap_or(u32::MAX)
    }

    /// Whether the caller may still do it.
    pub(in crate::http) async fn check(&self, repositories: &Repositories) -> Result<(), ApiError> {
        self.credentials.authorize(repositories, self.permission, Deadline::from_now()).await.map(drop)
    }
}
