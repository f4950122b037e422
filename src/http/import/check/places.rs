//! The checks of files that are in work.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::error::ApiError;

/// Files that an instance reads at once.
const CHECKS: usize = 2;
/// When to try again.
const RETRY: Duration = Duration::from_secs(5);

/// The places for checks: one for each caller, and [`CHECKS`] for an instance.
#[derive(Debug, Clone)]
pub(in crate::http) struct Checks {
    callers: Arc<Mutex<BTreeSet<String>>>,
    readers: Arc<Semaphore>,
}

impl Default for Checks {
    fn default() -> Self {
        Self { callers: Arc::default(), readers: Arc::new(Semaphore::new(CHECKS)) }
    }
}

impl Checks {
    /// Takes the place of a caller, before the file is received.
    ///
    /// # Errors
    /// When a check of the caller is in work.
    pub(super) fn begin(&self, caller: &str) -> Result<CallerPlace, ApiError> {
        if !self.callers.lock().insert(caller.to_owned()) {
            return Err(ApiError::CheckInWork { wait_seconds: RETRY.as_secs() });
        }
        Ok(CallerPlace { caller: caller.to_owned(), checks: self.clone() })
    }
}

/// The place of a caller, until it is dropped.
#[derive(Debug)]
pub(super) struct CallerPlace {
    caller: String,
    checks: Checks,
}

impl CallerPlace {
    /// Takes a place for reading, once the file is there: a slow sender keeps nobody else out.
    ///
    /// # Errors
    /// When the instance reads as many files as it may.
    pub(super) fn read(self) -> Result<ReadingPlace, ApiError> {
        let permit = Arc::clone(&self.checks.readers).try_acquire_owned();
        let permit = permit.map_err(|_| ApiError::Overloaded { retry_after: RETRY })?;
        Ok(ReadingPlace { _permit: permit, _caller: self })
    }
}

impl Drop for CallerPlace {
    fn drop(&mut self) {
        self.checks.callers.lock().remove(&self.caller);
    }
}

/// A place for reading a file, until it is dropped.
#[derive(Debug)]
pub(super) struct ReadingPlace {
    _permit: OwnedSemaphorePermit,
    _caller: CallerPlace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_one_check_and_an_instance_reads_two_files() {
        let checks = Checks::default();
        let ann = checks.begin("ann").unwrap();
        assert!(matches!(checks.begin("ann"), Err(ApiError::CheckInWork { .. })));
        let ann = ann.read().unwrap();
        let _bob = checks.begin("bob").unwrap().read().unwrap();
        let refused = checks.begin("cid").unwrap().read();
        assert!(matches!(refused, Err(ApiError::Overloaded { .. })));
        drop(ann);
        assert!(checks.begin("cid").unwrap().read().is_ok(), "the refused check gave up its caller's place");
        assert!(checks.begin("ann").is_ok());
    }
}
