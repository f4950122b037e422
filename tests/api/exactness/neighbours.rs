//! Other processes that add staged records, or take them.

use std::time::Duration;

use bson::doc;
use serde_json::json;

use super::assert_exact;
use crate::harness::{Workspace, eventually, served, staged_users};

const PATIENCE: Duration = Duration::from_secs(60);

/// The clean-up of Rocket.Chat's own run, which is not limited to its operation.
async fn clean_up_as_rocket_chat_does(workspace: &Workspace) -> u64 {
    let succeeded = doc! { "errors": { "$exists": false } };
    workspace.collection("rocketchat_import_data").delete_many(succeeded).await.unwrap().deleted_count
}

#[tokio::test]
async fn rocket_chats_clean_up_in_the_middle_of_a_run_ends_it_in_an_error_with_the_true_counts() {
    let (workspace, service) = served().await;
    let users: usize = std::env::var("EXACTNESS_USERS").ok().and_then(|users| users.parse().ok()).unwrap_or(20_000);
    service.stage(&staged_users(0..users)).await;
    service.run_import().await;
    eventually("users arrive", PATIENCE, async || workspace.count_imported().await > 1000).await;
    let removed = clean_up_as_rocket_chat_does(&workspace).await;
    let imported = workspace.count_imported().await;
    assert!(removed > 0 && imported < users as u64, "the import was over before the clean-up: {imported}, {removed}");
    let ended = service.wait_for_state("error").await;
    assert_exact(&workspace, &service, &ended, 0).await;
    let completed = ended["operation"]["count"]["completed"].as_u64().unwrap();
    let problem = ended["operation"]["import"]["problem"].as_str().unwrap();
    let expected =
        format!("{} staged records were removed by another process during the run", users as u64 - completed);
    assert_eq!(problem, expected);
    assert_eq!(service.log_lines(&expected).len(), 1, "the log says it, too");
}

#[tokio::test]
async fn records_that_vanish_before_the_run_are_missed() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..50)).await;
    let gone = doc! { "data.username": { "$in": ["user3", "user4"] } };
    workspace.collection("rocketchat_import_data").delete_many(gone).await.unwrap();
    service.run_import().await;
    let ended = service.wait_for_state("error").await;
    let problem = "2 staged records were removed by another process between staging and the run";
    assert_eq!(ended["operation"]["import"]["problem"], problem);
    assert_eq!((workspace.count_imported().await, &ended["operation"]["count"]["total"]), (0, &json!(50)));

    // What is left can be gone on with, in the knowledge of how many they are.
    let resumed = service.post("/api/v1/import.resume", &json!({})).await.json();
    assert_eq!(resumed["operation"]["count"], json!({ "total": 48, "users": 48 }));
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_exact(&workspace, &service, &done, 0).await;
}

#[tokio::test]
async fn a_record_that_somebody_adds_is_counted_and_not_passed_over() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..10)).await;
    let theirs = doc! { "_id": "theirs", "data": { "username": "x", "importIds": ["x"] }, "dataType": "user" };
    workspace.collection("rocketchat_import_data").insert_one(theirs).await.unwrap();
    service.run_import().await;
    let ended = service.wait_for_state("error").await;
    let problem = "1 staged record was added by another process between staging and the run";
    assert_eq!(ended["operation"]["import"]["problem"], problem);
}

#[tokio::test]
async fn a_late_removal_leaves_the_records_of_a_newer_operation_alone() {
    let (workspace, service) = served().await;
    let first = service.stage(&staged_users(0..30)).await;
    let second = service.stage(&staged_users(30..60)).await;
    // As an instance leaves it that slept in the middle of `import.clear`, before the second operation was made.
    let late = doc! { "_id": "late", "roots": [&first], "at": bson::DateTime::now() };
    let removals = workspace.collection("rocketchat_import_service_removals");
    removals.insert_one(late).await.unwrap();
    eventually("the removal is over", PATIENCE, async || removals.count_documents(doc! {}).await.unwrap() == 0).await;
    assert_eq!(workspace.count_staged().await, 30);
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["_id"], second.as_str());
    assert_exact(&workspace, &service, &done, 0).await;
}

#[tokio::test]
async fn of_several_new_operations_at_once_one_is_the_newest_and_its_users_are_all_imported() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..2000)).await;
    futures::future::join_all((0..5).map(|_| service.new_import())).await;
    let valid = doc! { "valid": true };
    assert_eq!(workspace.collection("rocketchat_import").count_documents(valid).await.unwrap(), 1);
    workspace.left_staged(0).await;
    service.add_users(&staged_users(0..100)).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_exact(&workspace, &service, &done, 0).await;
    assert_eq!(workspace.count_imported().await, 100);
}

#[tokio::test]
async fn staged_records_without_an_operation_are_adopted_by_the_newest() {
    let (workspace, service) = served().await;
    let operation = service.stage(&staged_users(0..20)).await;
    // As Rocket.Chat, or the release before, has staged them.
    let unlabelled = doc! { "$unset": { "operation": 1 } };
    workspace.collection("rocketchat_import_data").update_many(doc! {}, unlabelled).await.unwrap();
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["_id"], operation.as_str());
    assert_exact(&workspace, &service, &done, 0).await;
    workspace.left_staged(0).await;
}

#[tokio::test]
async fn records_are_imported_in_the_order_of_their_ids_whatever_their_natural_order() {
    let (workspace, service) = served().await;
    let operation = service.stage(&[]).await;
    let record = |id: &str, username: &str| {
        doc! { "_id": id, "data": { "username": username, "emails": [format!("{id}@example.com")] }, "dataType": "user" }
    };
    let records = [record("b", "second"), record("a", "same"), record("c", "same")];
    workspace.collection("rocketchat_import_data").insert_many(records).await.unwrap();
    let ready = doc! { "status": "importer_user_selection", "count": { "total": 3, "users": 3 } };
    workspace.change_operation(&operation, ready).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let ids: Vec<String> = workspace
        .receipt_records(&operation)
        .await
        .iter()
        .map(|record| format!("{} {}", record.get_str("_id").unwrap(), record.get_str("outcome").unwrap()))
        .collect();
    assert_eq!(ids, ["a created", "b created", "c failed"]);
}
