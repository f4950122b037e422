//! Whether the service has got its database ready.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Shared between whoever prepares the database and the readiness check.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness {
    prepared: Arc<AtomicBool>,
}

impl Readiness {
    /// Nothing is left to be done before requests can be served.
    pub(crate) fn prepared(&self) {
        self.prepared.store(true, Ordering::Release);
    }

    pub(super) fn is_prepared(&self) -> bool {
        self.prepared.load(Ordering::Acquire)
    }
}
