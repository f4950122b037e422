//! Imports that are ended from outside while they run.

use std::time::Duration;

use bson::doc;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Service, Workspace, eventually, staged_users, workspace};

const USERS: usize = 20_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// 250 ms to notice, and a batch to finish.
const TIME_TO_STOP: Duration = Duration::from_millis(250 + 1000);

async fn running_import() -> (Workspace, Service) {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.stage(&staged_users(0..USERS)).await;
    service.run_import().await;
    eventually("users arrive", PATIENCE, async || workspace.count_imported().await > 1000).await;
    (workspace, service)
}

/// Waits out the time a run has to stop in, then makes sure that it did.
async fn assert_stopped(workspace: &Workspace) -> u64 {
    sleep(TIME_TO_STOP).await;
    let imported = workspace.count_imported().await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(workspace.count_imported().await, imported, "users still arrive");
    imported
}

#[tokio::test]
async fn import_clear_stops_a_run_and_a_new_operation_can_start_at_once() {
    let (workspace, service) = running_import().await;
    let cleared = service.post("/api/v1/import.clear", &json!({})).await;
    assert_eq!((cleared.status.as_u16(), cleared.body.as_str()), (200, r#"{"success":true}"#));
    assert_eq!(service.status().await.json()["state"], "error");
    let imported = assert_stopped(&workspace).await;
    assert!(imported < USERS as u64, "the import was over before it was cleared");
    let count = &service.status().await.json()["operation"]["count"];
    assert_eq!((count["completed"].as_u64(), count["error"].as_u64()), (Some(imported), Some(0)));
    workspace.left_staged(0).await;

    service.stage(&staged_users(USERS..USERS + 120)).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"], json!({"total": 120, "users": 120, "completed": 120, "error": 0}));
}

#[tokio::test]
async fn a_new_operation_ends_the_run_before_it_and_loses_none_of_its_own_users() {
    let (workspace, service) = running_import().await;
    let first = service.status().await.json()["operation"]["_id"].clone();
    // While the old run is still stopping.
    service.stage(&staged_users(USERS..USERS + 3000)).await;
    assert_eq!(workspace.count_staged().await, 3000);
    assert_stopped(&workspace).await;
    assert_eq!(workspace.count_staged().await, 3000);
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_ne!(done["operation"]["_id"], first);
    assert_eq!(done["operation"]["count"]["completed"], 3000);
    let of_the_new =
        doc! { "importIds": { "$in": (USERS..USERS + 3000).map(|n| format!("id{n}")).collect::<Vec<_>>() } };
    assert_eq!(workspace.collection("users").count_documents(of_the_new).await.unwrap(), 3000);
}

#[tokio::test]
async fn a_restart_of_rocket_chat_stops_a_run_and_import_resume_goes_on_with_what_is_left() {
    let (workspace, service) = running_import().await;
    // What every Rocket.Chat process does when it starts.
    let operations = workspace.collection("rocketchat_import");
    operations.update_many(doc! { "valid": { "$ne": false } }, doc! { "$set": { "valid": false } }).await.unwrap();
    let imported = assert_stopped(&workspace).await;
    assert_eq!(service.status().await.json()["state"], "error");
    workspace.left_staged(USERS as u64 - imported).await;

    let resumed = service.post("/api/v1/import.resume", &json!({})).await.json();
    let left = USERS as u64 - imported;
    assert_eq!(resumed["operation"]["count"], json!({"total": left, "users": left}));
    assert_eq!(service.status().await.json()["state"], "ready");
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"]["completed"], left);
    assert_eq!(workspace.count_imported().await, USERS as u64);
    workspace.left_staged(0).await;
}
