//! Two instances, and something happens to the one that runs the import.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::{replica_set::ReplicaSet, trial::Trial};

/// Longer than a lease lives, and than it takes to take it over.
const LONG_SLEEP: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_killed_is_replaced() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin_on_two("one of two instances killed (`SIGKILL`)", set).await;
    trial.services.remove(0).kill();
    trial.fault_over();
    trial.reckon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_sleeps_through_the_loss_of_its_lease_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin_on_two("one of two instances frozen for 8 s", set).await;
    trial.services[0].signal(Signal::SIGSTOP);
    trial.fault_over();
    sleep(LONG_SLEEP).await;
    trial.services[0].signal(Signal::SIGCONT);
    trial.reckon().await;
}

/// It wakes while its successor is at work.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_wakes_beside_its_successor_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin_on_two("one of two instances frozen, woken beside its successor", set).await;
    trial.services[0].signal(Signal::SIGSTOP);
    trial.fault_over();
    trial.services[1].logged("taking over the run").await;
    trial.services[0].signal(Signal::SIGCONT);
    trial.reckon().await;
}
