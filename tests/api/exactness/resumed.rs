//! Imports that are gone on with.

use std::time::Duration;

use bson::doc;
use serde_json::{Value, json};

use super::assert_exact;
use crate::harness::{Answer, eventually, served, staged_users, user};

const RESUME: &str = "/api/v1/import.resume";
const USERS: u64 = 10_000;

#[tokio::test]
async fn an_import_that_is_resumed_beside_the_draining_run_counts_nobody_twice() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..10_000)).await;
    service.run_import().await;
    eventually("users arrive", Duration::from_secs(60), async || workspace.count_imported().await > 1000).await;
    // What every Rocket.Chat process does when it starts.
    let operations = workspace.collection("rocketchat_import");
    operations.update_many(doc! { "valid": { "$ne": false } }, doc! { "$set": { "valid": false } }).await.unwrap();
    let resumed = service.post(RESUME, &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    let before = workspace.count_imported().await;
    let left = resumed.json()["operation"]["count"]["total"].as_u64().unwrap();
    assert_eq!(before + left, USERS);
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_exact(&workspace, &service, &done, before).await;
    assert_eq!(workspace.count_imported().await, USERS);
    workspace.left_staged(0).await;
}

#[tokio::test]
async fn of_several_resumes_at_once_one_wins() {
    let (workspace, service) = served().await;
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..3);
    users[0]["username"] = json!("existing");
    service.stage(&users).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let nothing = json!({});
    let answers = futures::future::join_all((0..6).map(|_| service.post(RESUME, &nothing))).await;
    let won: Vec<Value> = answers.iter().filter(|answer| answer.status == 200).map(Answer::json).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert_eq!(won[0]["operation"]["count"], json!({ "total": 1, "users": 1 }));
    assert_eq!(workspace.operations().await.len(), 2);
}

#[tokio::test]
async fn until_a_resumed_import_is_run_its_errors_are_those_of_the_one_before() {
    let (workspace, service) = served().await;
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..3);
    users[0]["username"] = json!("existing");
    service.stage(&users).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    assert_eq!(service.post(RESUME, &json!({})).await.status, 200);
    assert_eq!(service.get_as_admin("/api/v1/import.errors").await.json()["total"], 1);
    workspace.collection("users").delete_one(doc! { "_id": "existing" }).await.unwrap();
    service.run_import().await;
    service.wait_for_state("done").await;
    assert_eq!(service.get_as_admin("/api/v1/import.errors").await.json()["total"], 0);
    workspace.left_staged(0).await;
}
