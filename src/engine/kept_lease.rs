//! A lease that is renewed for as long as it is held.

use tokio::{
    task::AbortHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::repository::{LEASE_LIFETIME, LEASE_RENEWAL_INTERVAL, Lease, Leases, RepositoryError, with_default_timeout};

/// A lease with a task of its own that renews it, whatever the run is doing. The task ends with this value, also when the
/// run panics.
#[derive(Debug)]
pub(super) struct KeptLease {
    pub(super) lease: Lease,
    /// Cancelled when another acquisition has followed this one.
    pub(super) lost: CancellationToken,
    leases: Leases,
    renewal: AbortHandle,
}

impl KeptLease {
    pub(super) fn new(leases: Leases, lease: Lease) -> Self {
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(leases.clone(), lease.clone(), lost.clone())).abort_handle();
        Self { lease, lost, leases, renewal }
    }

    /// Gives the lease back: nothing is left to be done.
    pub(super) async fn release(&self) -> Result<(), RepositoryError> {
        with_default_timeout(self.leases.release(&self.lease)).await
    }

    /// Lets another instance take the lease over at once.
    pub(super) async fn hand_over(&self) -> Result<(), RepositoryError> {
        with_default_timeout(self.leases.expire_now(&self.lease)).await?;
        log::info!("operation {} was handed over", self.lease.operation);
        Ok(())
    }
}

impl Drop for KeptLease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(leases: Leases, lease: Lease, lost: CancellationToken) {
    let mut ticks = interval(LEASE_RENEWAL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(LEASE_LIFETIME, leases.renew(&lease)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return lost.cancel(),
            Ok(Err(error)) => log::debug!("the lease on operation {} is not renewed: {error}", lease.operation),
            Err(_) => log::debug!("the lease on operation {} is not renewed in time", lease.operation),
        }
    }
}
