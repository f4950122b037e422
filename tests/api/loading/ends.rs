//! Loading that is ended, by a call or by a start of Rocket.Chat, and what goes on afterwards.

use std::time::{Duration, Instant};

use bson::doc;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::sleep;

use super::{PATIENCE, ServerFile, csv_zip};
use crate::harness::{Mongo, Service, Workspace, eventually, workspace};

const MESSAGES_OF_A_ROOM: usize = 10_000;
const RECORDS: usize = 10 + 3 + 2 * MESSAGES_OF_A_ROOM + 1;
const TIME_TO_END: Duration = Duration::from_secs(5);
/// How often the service looks for imports to go on with.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const ID: &str = "64d51ea91558939980aab371";

async fn half_loaded(settings: &[(&str, &str)], file: &ServerFile) -> (Workspace, Service) {
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_file(ID, "csv", &file.path).await;
    let mut all = vec![("MONGO_URL", workspace.url.as_str())];
    all.extend(settings);
    let service = Service::start(&all).await;
    eventually("records arrive", PATIENCE, async || workspace.count_staged().await > 1000).await;
    assert_eq!(service.status().await.json()["state"], "loading");
    (workspace, service)
}

/// What every process of Rocket.Chat does when it starts.
async fn start_rocket_chat(workspace: &Workspace) {
    let operations = workspace.collection("rocketchat_import");
    operations.update_many(doc! { "valid": { "$ne": false } }, doc! { "$set": { "valid": false } }).await.unwrap();
}

#[tokio::test]
async fn import_clear_and_import_new_end_loading_within_five_seconds_and_leave_nothing_staged() {
    for call in ["import.clear", "import.new"] {
        let file = csv_zip(10, MESSAGES_OF_A_ROOM);
        let (workspace, service) = half_loaded(&[], &file).await;
        let started = Instant::now();
        let answer = service.post(&format!("/api/v1/{call}"), &json!({})).await;
        assert_eq!(answer.status, 200, "{call}: {}", answer.body);
        assert!(started.elapsed() < TIME_TO_END, "{call} took {:?}", started.elapsed());
        let leases = workspace.collection("rocketchat_import_service_run_leases");
        eventually("loading has ended", TIME_TO_END, async || leases.count_documents(doc! {}).await.unwrap() == 0)
            .await;
        workspace.left_staged(0).await;
        let stored = workspace.operation_named(ID).await;
        assert!(!stored.get_bool("valid").unwrap(), "{call}");
        // Nobody goes on with it.
        let state = service.status().await.json()["state"].clone();
        assert_eq!(state, if call == "import.new" { "new" } else { "error" });
    }
}

#[tokio::test]
async fn after_a_start_of_rocket_chat_loading_goes_on_by_itself_where_it_was() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let (workspace, service) = half_loaded(&[], &file).await;
    start_rocket_chat(&workspace).await;
    let started = Instant::now();
    eventually("another operation goes on", Duration::from_secs(10), async || {
        service.status().await.json()["operation"]["import"]["resumes"] == ID
    })
    .await;
    println!("went on after {:?}", started.elapsed());
    let ready = service.wait_for_state("ready").await;
    let operation = &ready["operation"];
    for (name, expected) in [("type", "csv"), ("importerKey", "csv"), ("file", "20241025_admin_csv")] {
        assert_eq!(operation[name], expected);
    }
    assert_eq!(operation["import"]["records"], ID);
    assert_eq!(operation["import"]["resumptions"], 1);
    assert_eq!(operation["count"]["total"], json!(RECORDS));
    assert_eq!(workspace.count_staged().await, RECORDS as u64);
    let roots = workspace.collection("rocketchat_import_data").distinct("operation", doc! {}).await.unwrap();
    assert_eq!(roots, [ID.into()]);
}

#[tokio::test]
async fn without_the_setting_import_resume_goes_on_with_loading() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let (workspace, service) = half_loaded(&[("RESUME_AFTER_INVALIDATION", "false")], &file).await;
    start_rocket_chat(&workspace).await;
    assert_eq!(service.status().await.json()["state"], "error");
    let answer = service.post("/api/v1/import.resume", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let made = answer.json()["operation"].clone();
    assert_eq!((&made["status"], &made["import"]["resumes"]), (&json!("importer_file_loaded"), &json!(ID)));
    let ready = service.wait_for_state("ready").await;
    assert_eq!(ready["operation"]["_id"], made["_id"]);
    assert_eq!(ready["operation"]["count"]["total"], json!(RECORDS));
    assert_eq!(workspace.count_staged().await, RECORDS as u64);
}

#[tokio::test]
async fn an_import_that_keeps_being_ended_goes_on_five_times_at_most() {
    let file = csv_zip(2, 2);
    for (resumptions, goes_on) in [(4, true), (5, false)] {
        let workspace = workspace().await.ready_for_imports().await;
        workspace.add_file(ID, "csv", &file.path).await;
        let ended = doc! { "valid": false, "status": "importer_preparing_messages", "import.resumptions": resumptions };
        workspace.change_operation(ID, ended).await;
        let service = workspace.serve().await;
        if goes_on {
            let ready = service.wait_for_state("ready").await;
            assert_eq!(ready["operation"]["import"]["resumptions"], 5);
        } else {
            // The line comes with each look, and nothing else does.
            sleep(3 * LOOK_INTERVAL).await;
            assert_eq!(workspace.operations().await.len(), 1);
            assert_eq!(service.status().await.json()["state"], "error");
            assert_eq!(workspace.count_staged().await, 0);
            let resumed = service.post("/api/v1/import.resume", &json!({})).await;
            assert_eq!(resumed.status, 200, "{}", resumed.body);
            assert_eq!(resumed.json()["operation"]["import"]["resumptions"], json!(null), "it is counted anew");
            service.wait_for_state("ready").await;
        }
    }
}

#[tokio::test]
async fn an_import_that_rocket_chat_cleared_does_not_go_on() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let (workspace, service) = half_loaded(&[], &file).await;
    // Rocket.Chat's own `clear`: it knows nothing of ours.
    start_rocket_chat(&workspace).await;
    workspace.collection("rocketchat_import_data").delete_many(doc! {}).await.unwrap();
    let leases = workspace.collection("rocketchat_import_service_run_leases");
    eventually("loading has ended", TIME_TO_END, async || leases.count_documents(doc! {}).await.unwrap() == 0).await;
    sleep(3 * LOOK_INTERVAL).await;
    assert_eq!(workspace.operations().await.len(), 1);
    assert_eq!(service.status().await.json()["state"], "error");
}

#[tokio::test]
async fn a_service_that_is_stopped_hands_loading_over_at_once() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let (workspace, mut service) = half_loaded(&[], &file).await;
    let other = workspace.serve().await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await.code(), Some(0));
    let ready = other.wait_for_state("ready").await;
    assert_eq!(ready["operation"]["count"]["total"], json!(RECORDS));
    assert_eq!(workspace.count_staged().await, RECORDS as u64);
}

#[tokio::test]
async fn a_database_that_freezes_for_a_while_costs_no_record() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await.ready_for_imports().await;
    workspace.add_file(ID, "csv", &file.path).await;
    let service = workspace.serve().await;
    eventually("records arrive", PATIENCE, async || workspace.count_staged().await > 1000).await;
    mongo.freeze();
    // Longer than a lease lasts.
    sleep(Duration::from_secs(7)).await;
    mongo.thaw();
    let ready = service.wait_for_state("ready").await;
    assert_eq!(ready["operation"]["count"]["total"], json!(RECORDS));
    assert_eq!(workspace.count_staged().await, RECORDS as u64);
}

#[tokio::test]
async fn a_run_that_goes_on_by_itself_keeps_the_rules_that_it_was_started_under() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_file(ID, "csv", &file.path).await;
    let service = workspace.serve().await;
    service.wait_for_state("ready").await;
    let answer = service.post("/api/v1/import.run", &json!({ "onExisting": "update", "matchBy": ["email"] })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    start_rocket_chat(&workspace).await;
    let leases = workspace.collection("rocketchat_import_service_run_leases");
    let kept = doc! { "_id": { "$ne": ID }, "rules.onExisting": "update", "rules.matchBy": ["email"] };
    eventually("it goes on under its rules", PATIENCE, async || {
        leases.count_documents(kept.clone()).await.unwrap() == 1
    })
    .await;
}
