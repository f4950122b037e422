//! A collection is dropped under a running import.

use serde_json::json;

use crate::{
    harness::{Service, Workspace, eventually, staged_users},
    invariants::differences,
    replica_set::ReplicaSet,
    report::Row,
    trial::{PATIENCE, Trial, USERS},
    witness::{Told, wrongs},
};

/// The next import has to go through.
const NEXT_USERS: usize = 1000;

async fn assert_next_import_works(workspace: &Workspace, service: &Service) {
    let accounts_before = workspace.count_imported().await;
    service.stage(&staged_users(USERS..USERS + NEXT_USERS)).await;
    service.run_import().await;
    let end = service.wait_for_state("done").await;
    let count = json!({ "total": NEXT_USERS, "users": NEXT_USERS, "completed": NEXT_USERS, "error": 0 });
    assert_eq!(end["operation"]["count"], count);
    let accounts = workspace.count_imported().await - accounts_before;
    assert_eq!(differences(workspace, service, &end, accounts).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_staging_area_that_is_dropped_ends_the_import_in_an_error() {
    let set = ReplicaSet::of_three().await;
    let fault = "`rocketchat_import_data` dropped: ends in `error`, the next import works";
    let Trial { workspace, services, witness, .. } = Trial::begin(fault, set).await;
    workspace.collection("rocketchat_import_data").drop().await.unwrap();
    eventually("the import ends", PATIENCE, async || witness.furthest().is_some_and(|told| told.is_over())).await;
    let seen = witness.stop().await;
    let end = services[0].status().await.json();
    let accounts = workspace.count_imported().await;
    assert_eq!((&end["state"], &end["operation"]["count"]["completed"]), (&json!("error"), &json!(accounts)));
    assert_eq!(differences(&workspace, &services[0], &end, accounts).await, [""; 0]);
    let wrong = wrongs(&seen);
    Row::of_dropped(fault, accounts, seen.len(), wrong.len()).tell();
    assert_eq!(wrong, [""; 0]);
    assert_next_import_works(&workspace, &services[0]).await;
    assert_eq!(services[0].log_lines("panicked"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_are_dropped_end_the_import() {
    let set = ReplicaSet::of_three().await;
    let fault = "`rocketchat_import` dropped: no operation any more, the next import works";
    let Trial { workspace, services, witness, .. } = Trial::begin(fault, set).await;
    let mut events = services[0].events().await;
    let dropped = std::time::Instant::now();
    workspace.collection("rocketchat_import").drop().await.unwrap();
    let followed = events.until(|event| event.state() == "none").await;
    services[0].logged("was ended from outside").await;
    let accounts = workspace.count_imported().await;
    let (before, after): (Vec<_>, Vec<_>) =
        witness.stop().await.into_iter().partition(|answer| answer.answered < dropped);
    let mut wrong = wrongs(&before);
    let gone = after.iter().position(|answer| matches!(answer.told, Told::NoOperation)).expect("the operation is gone");
    wrong.extend(wrongs(&after[..gone]));
    let others = after[gone..].iter().filter(|answer| answer.asked > after[gone].answered);
    wrong.extend(others.filter(|answer| !matches!(answer.told, Told::NoOperation)).map(|answer| format!("{answer:?}")));
    let completed: Vec<u64> = followed.iter().map(|event| event.count("completed")).rev().skip(1).rev().collect();
    if !completed.is_sorted() {
        wrong.push(format!("told to a follower: {completed:?}"));
    }
    assert_eq!(services[0].status().await.json(), json!({ "state": "none", "success": true }));
    assert_eq!(workspace.count_imported().await, accounts, "the run has stopped");
    Row::of_dropped(fault, accounts, before.len() + after.len(), wrong.len()).tell();
    assert_eq!(wrong, [""; 0]);
    assert_next_import_works(&workspace, &services[0]).await;
    events.until(|event| event.state() == "done").await;
    assert_eq!(services[0].log_lines("panicked"), [""; 0]);
}
