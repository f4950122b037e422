//! A lease that is renewed for as long as it is held.

use tokio::{
    task::AbortHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::repository::{LEASE_LIFETIME, LEASE_RENEWAL_INTERVAL, Lease, Leases};

/// A lease with a task of its own that renews it, whatever the run is doing. The task ends with this value, also when the
/// run panics.
#[derive(Debug)]
pub(in crate::engine) struct KeptLease {
    pub(in crate::engine) lease: Lease,
    /// Cancelled when another acquisition has followed this one.
    pub(in crate::engine) lost: CancellationToken,
    renewal: AbortHandle,
}

impl KeptLease {
    pub(in crate::engine) fn new(leases: Leases, lease: Lease) -> Self {
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(leases, lease.clone(), lost.clone())).abort_handle();
        Self { lease, lost, renewal }
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
