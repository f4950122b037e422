//! Whether the service has got its database ready, and what its database user may not do there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::RwLock;

use super::privileges::{MissingPrivilege, Work};

/// Shared by the preparation of the database, which writes it, and the handlers of requests, which read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness {
    prepared: Arc<AtomicBool>,
    missing: Arc<RwLock<Vec<MissingPrivilege>>>,
}

impl Readiness {
    /// Nothing is left to be done before requests can be served.
    pub(crate) fn prepared(&self) {
        self.prepared.store(true, Ordering::Release);
    }

    pub(crate) fn is_prepared(&self) -> bool {
        self.prepared.load(Ordering::Acquire)
    }

    /// These privileges are missing. Returns whether others were before.
    pub(super) fn set_missing(&self, missing: Vec<MissingPrivilege>) -> bool {
        let mut known = self.missing.write();
        let has_changed = *known != missing;
        *known = missing;
        has_changed
    }

    /// The privileges that the database user lacks. A user that is for users alone lacks none of those for files.
    pub(crate) fn missing(&self) -> Vec<MissingPrivilege> {
        self.missing.read().iter().filter(|missing| !missing.is_for_files()).cloned().collect()
    }

    /// Those of them that `work` takes.
    pub(crate) fn missing_for(&self, work: Work) -> Vec<MissingPrivilege> {
        self.missing.read().iter().filter_map(|missing| missing.needed_for(work)).collect()
    }
}
