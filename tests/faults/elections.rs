//! A replica set of three loses its primary, or a part of itself.

use std::time::Duration;

use tokio::time::sleep;

use crate::{replica_set::ReplicaSet, trial::Trial};

/// Longer than an election takes, and longer than a lease lives.
const LONG_SLEEP: Duration = Duration::from_secs(7);
/// How long a primary goes on storing what nobody else gets.
const ALONE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_killed_loses_and_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("primary killed (`SIGKILL`)", set).await;
    let primary = set.primary().await;
    set.members[primary].kill();
    trial.fault_over();
    trial.reckon().await;
    set.members[primary].start_again();
    set.well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_killed_and_comes_back_at_once_loses_and_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("primary killed, back at once", set).await;
    let primary = set.primary().await;
    set.members[primary].kill();
    set.members[primary].start_again();
    trial.fault_over();
    trial.reckon().await;
    set.well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_steps_down_loses_and_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("primary steps down", set).await;
    set.step_down().await;
    trial.fault_over();
    trial.reckon().await;
    set.well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_that_freezes_is_not_noticed() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("secondary frozen", set).await;
    let primary = set.primary().await;
    let secondary = set.others(primary).next().unwrap();
    secondary.freeze();
    trial.fault_over();
    trial.reckon().await;
    secondary.thaw();
    set.well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_freezes_for_longer_than_an_election_loses_and_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("primary frozen for 7 s, deposed meanwhile", set).await;
    let primary = set.primary().await;
    set.members[primary].freeze();
    trial.fault_over();
    let (deposed, slept) = (set.successor(primary), sleep(LONG_SLEEP));
    tokio::join!(deposed, slept);
    set.members[primary].thaw();
    trial.reckon().await;
    set.well().await;
}

/// What it alone has stored is lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_nobody_follows_any_more_and_that_dies_loses_and_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("primary killed with what it alone has stored", set).await;
    let primary = set.primary().await;
    set.replicate_from(primary, false).await;
    sleep(ALONE).await;
    set.members[primary].kill();
    trial.fault_over();
    set.replicate_from(primary, true).await;
    set.members[primary].start_again();
    trial.reckon().await;
    set.well().await;
}
