//! The hosts that files come from: how much comes from each at once, and how long each wants to be left alone.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// The hosts of one operation.
#[derive(Debug)]
pub(super) struct Hosts {
    at_once: usize,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
pub(super) struct Host {
    places: Arc<Semaphore>,
    rests_until: Mutex<Instant>,
}

impl Hosts {
    /// Takes so many files from a host at once.
    pub(super) fn new(at_once: usize) -> Self {
        Self { at_once, hosts: Mutex::default() }
    }

    pub(super) fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock();
        let host = hosts.entry(name.to_owned()).or_insert_with(|| {
            let places = Arc::new(Semaphore::new(self.at_once));
            Arc::new(Host { places, rests_until: Mutex::new(Instant::now()) })
        });
        Arc::clone(host)
    }
}

impl Host {
    /// Waits for a place among those that fetch from the host; it is held until this is dropped.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Waits until the host need not be left alone any more.
    pub(super) async fn wait(&self) {
        loop {
            let until = *self.rests_until.lock();
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Leaves the host alone for so long from now on.
    pub(super) fn rest(&self, time: Duration) {
        let mut until = self.rests_until.lock();
        *until = (*until).max(Instant::now() + time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_wants_to_be_left_alone_is_and_others_are_not() {
        let hosts = Hosts::new(1);
        let (busy, other) = (hosts.host("a"), hosts.host("b"));
        let rest = Duration::from_millis(300);
        busy.rest(rest);
        let began = Instant::now();
        other.wait().await;
        assert!(began.elapsed() < rest);
        hosts.host("a").wait().await;
        assert!(began.elapsed() >= rest);
    }
}
