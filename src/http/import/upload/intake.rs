//! Bytes of a body that is stored while it comes, and never held as a whole.

use std::time::Duration;

use actix_web::web::{Bytes, Payload};
use futures::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    http::{access::rechecked::RecheckedAccess, error::ApiError},
    repository::Repositories,
};

/// How long a client may take for the next piece.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);

/// A body of a caller who is looked at again and again while it comes.
pub(super) struct Intake {
    payload: Payload,
    access: RecheckedAccess,
    next_check: Instant,
}

/// Why a body does not go on.
pub(super) enum Broken {
    /// The client went away, or sends nothing any more.
    Off,
    /// The caller may not go on.
    Refused(ApiError),
}

impl Intake {
    pub(super) fn new(payload: Payload, access: RecheckedAccess) -> Self {
        let next_check = access.next_check();
        Self { payload, access, next_check }
    }

    /// Returns the next bytes; `None` at the end of the body.
    pub(super) async fn next(&mut self, repositories: &Repositories) -> Result<Option<Bytes>, Broken> {
        let waiting_since = Instant::now();
        loop {
            if Instant::now() >= self.next_check {
                match self.access.check(repositories).await {
                    // A database that does not answer takes nobody's rights away.
                    Err(refusal @ (ApiError::NotLoggedIn | ApiError::Unauthorized)) => {
                        return Err(Broken::Refused(refusal));
                    }
                    _ => self.next_check = self.access.next_check(),
                }
            }
            let until = self.next_check.min(waiting_since + PIECE_PATIENCE);
            match timeout_at(until, self.payload.next()).await {
                Ok(Some(Ok(bytes))) => return Ok(Some(bytes)),
                Ok(Some(Err(_))) => return Err(Broken::Off),
                Ok(None) => return Ok(None),
                Err(_) if waiting_since.elapsed() >= PIECE_PATIENCE => return Err(Broken::Off),
                Err(_) => {}
            }
        }
    }

    /// The same, but waits no longer than `patience`: `Ok(None)` inside is the end of the body.
    pub(super) async fn next_within(
        &mut self,
        patience: Duration,
        repositories: &Repositories,
    ) -> Option<Result<Option<Bytes>, Broken>> {
        timeout(patience, self.next(repositories)).await.ok()
    }
}
