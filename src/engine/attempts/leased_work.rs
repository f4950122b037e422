//! How work under a lease stops: the lease is given back in the way that the reason asks for.

use super::{PassingError, Stop};
use crate::{
    engine::kept_lease::KeptLease,
    repository::{OperationUpdate, RepositoryError},
};

/// Work on an operation under a lease.
pub(in crate::engine) trait LeasedWork: Sync {
    fn kept(&self) -> &KeptLease;

    /// Leaves an operation that was ended from outside, and gives the lease back.
    ///
    /// # Errors
    /// When the database does not answer.
    fn leave_ended(&self) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Stores that the operation has failed, as `update` says, and gives the lease back.
    ///
    /// # Errors
    /// When the database does not answer.
    fn leave_failed(&self, update: OperationUpdate) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Leaves an operation to another process, and gives the lease back.
    ///
    /// # Errors
    /// When the database does not answer.
    fn leave_to_others(&self) -> impl Future<Output = Result<(), RepositoryError>> + Send {
        self.kept().release()
    }

    /// Leaves the operation in order.
    ///
    /// # Errors
    /// When the work, or its end, is to be attempted again.
    fn stop_because(&self, stop: Stop) -> impl Future<Output = Result<(), PassingError>> + Send {
        async {
            let id = &self.kept().lease.operation;
            match stop {
                Stop::Again(error) => return Err(error),
                Stop::LeaseLost => log::info!("operation {id} was taken over by another instance"),
                Stop::NotOurs => self.kept().release().await?,
                Stop::Foreign => self.leave_to_others().await?,
                Stop::Shutdown => self.kept().hand_over().await?,
                Stop::Ended => {
                    self.leave_ended().await?;
                    log::info!("operation {id} was ended from outside");
                }
                Stop::Failed(reason) => {
                    self.leave_failed(OperationUpdate::failure(&reason)).await?;
                    log::error!("operation {id} failed: {reason}");
                }
            }
            Ok(())
        }
    }
}
