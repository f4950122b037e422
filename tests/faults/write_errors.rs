//! The database is there, but does not do its work, as when its disk is full or it is shutting down.

use std::time::Duration;

use bson::{Bson, Document, doc};
use tokio::time::sleep;

use crate::{replica_set::ReplicaSet, trial::Trial};

/// Commands of a run; the pollers send the `find`, too.
const COMMANDS: [&str; 5] = ["insert", "update", "delete", "find", "getMore"];
/// How often each of them fails in a row. The driver repeats some of them once by itself.
const FAILURES: i32 = 5;
/// Time for a fault to have its effect before the next.
const REST: Duration = Duration::from_millis(300);

/// Lets a command fail a number of times on the primary.
async fn fail(set: &ReplicaSet, command: &str, how: &Document) {
    let mut what = how.clone();
    what.insert("failCommands", vec![command]);
    set.fail(set.primary().await, Bson::from(doc! { "times": FAILURES }), what).await;
}

async fn fail_no_more(set: &ReplicaSet) {
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
}

/// What passes by itself: the run pauses and goes on, whatever it was that failed.
async fn assert_passes(fault: &str, how: Document) {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin(fault, set).await;
    trial.fault_over();
    for command in COMMANDS {
        fail(set, command, &how).await;
        sleep(REST).await;
    }
    fail_no_more(set).await;
    trial.count_from_now();
    trial.reckon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shuts_down_is_waited_for() {
    for (name, code) in [("InterruptedAtShutdown", 11600), ("ShutdownInProgress", 91)] {
        assert_passes(&format!("each command fails 5 times: `{name}` ({code})"), doc! { "errorCode": code }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_it_is_no_primary_is_waited_for() {
    assert_passes("each command fails 5 times: `PrimarySteppedDown` (189)", doc! { "errorCode": 189 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_is_called_again() {
    assert_passes("each command fails 5 times: connection closed", doc! { "closeConnection": true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_that_does_not_confirm_is_asked_again() {
    let set = ReplicaSet::of_three().await;
    let late = doc! { "writeConcernError": { "code": 64, "errmsg": "waiting for replication timed out" } };
    for command in ["insert", "update", "delete"] {
        let fault = format!("`{command}` is not confirmed 5 times: write concern error 64");
        let mut trial = Trial::begin_small(&fault, set).await;
        fail(set, command, &late).await;
        trial.fault_over();
        sleep(REST).await;
        fail_no_more(set).await;
        trial.reckon().await;
    }
}

/// An import that cannot be done says so; what was done is counted, and the rest is staged for `import.resume`.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_and_doubles_nobody() {
    let set = ReplicaSet::of_three().await;
    for command in ["insert", "update", "delete", "getMore"] {
        let fault = format!("`{command}` fails 5 times: `OutOfDiskSpace` (14031)");
        let mut trial = Trial::begin_small(&fault, set).await;
        fail(set, command, &doc! { "errorCode": 14031 }).await;
        trial.fault_over();
        sleep(REST).await;
        fail_no_more(set).await;
        trial.reckon().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_a_deposed_server_ends_begins_anew() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin_small("`getMore` fails 5 times: `QueryPlanKilled` (175)", set).await;
    fail(set, "getMore", &doc! { "errorCode": 175 }).await;
    trial.fault_over();
    trial.services[0].logged("begins to read anew").await;
    fail_no_more(set).await;
    trial.reckon().await;
}
