//! The id of the request a task works for, so that all log lines of one request can be found.

use std::{fmt, future::Future};

use rand::random;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// Names one request in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId(u64);

impl RequestId {
    pub(crate) fn random() -> Self {
        Self(random())
    }

    /// Runs `work` as work for this request.
    pub(crate) async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// The request that is being worked for, if any.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}
