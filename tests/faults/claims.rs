//! An instance that dies between the claim of a run and its first batch.

use std::time::{Duration, Instant};

use bson::{Bson, Document, doc};

use crate::{
    harness::{Service, Workspace, eventually, staged_users},
    invariants::differences,
    replica_set::ReplicaSet,
    report::Row,
};

const USERS: usize = 1000;
/// Longer than the instance lives after it has begun to wait.
const BLOCKED_MILLIS: i32 = 20_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// A lease lives for 5 s, and another instance looks once a second.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);

async fn lease(workspace: &Workspace) -> Option<Document> {
    workspace.collection("rocketchat_import_service_run_leases").find_one(doc! {}).await.unwrap()
}

/// A set with a service that has users to import.
async fn staged() -> (&'static ReplicaSet, Workspace, Service) {
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    service.stage(&staged_users(0..USERS)).await;
    (set, workspace, service)
}

/// Kills the instance that runs an import while the database keeps it waiting with this command on the staging area, and
/// its lease is as `is_reached` wants it.
async fn killed(fault: &'static str, waits_with: &str, is_reached: impl Fn(&Document) -> bool) {
    let (set, workspace, service) = staged().await;
    let primary = set.primary().await;
    let staging = format!("{}.rocketchat_import_data", workspace.database.name());
    let blocked = doc! {
        "failCommands": [waits_with], "namespace": staging, "blockConnection": true, "blockTimeMS": BLOCKED_MILLIS,
    };
    set.fail(primary, Bson::from("alwaysOn"), blocked).await;
    service.run_import().await;
    eventually(fault, PATIENCE, async || lease(&workspace).await.is_some_and(|lease| is_reached(&lease))).await;
    service.kill();
    assert_eq!(workspace.count_imported().await, 0, "{fault}: it was too late");
    set.fail(primary, Bson::from("off"), doc! {}).await;
    reckon(fault, &workspace, workspace.serve().await).await;
}

/// Waits for the end of the import on another instance, and holds everything against everything.
async fn reckon(fault: &'static str, workspace: &Workspace, successor: Service) {
    let since = Instant::now();
    let status = successor.wait_for_state("done").await;
    let took = since.elapsed();
    let accounts = workspace.count_imported().await;
    assert_eq!(accounts, USERS as u64, "{fault}");
    assert_eq!(differences(workspace, &successor, &status, accounts).await, [""; 0], "{fault}");
    assert!(took < TAKEN_OVER_WITHIN, "{fault}: {took:?}");
    Row { goes_on: Some(took), ..Row::of_dropped(fault, accounts, 0, 0) }.tell();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_after_its_claim_is_replaced() {
    let is_claimed = |lease: &Document| lease.contains_key("holder") && !lease.contains_key("checkpoint");
    killed("killed after the claim, before the records are counted", "aggregate", is_claimed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_before_its_first_batch_is_replaced() {
    let is_counted = |lease: &Document| lease.contains_key("checkpoint");
    killed("killed after the count, before the first batch", "find", is_counted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_with_the_answer_is_replaced() {
    let (_, workspace, service) = staged().await;
    service.run_import().await;
    service.kill();
    reckon("killed as soon as `import.run` has answered", &workspace, workspace.serve().await).await;
}
