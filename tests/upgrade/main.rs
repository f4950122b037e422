//! An upgrade without a pause: an older release and this one on the same database, one after the other and side by side.
//!
//! `.ci/upgrade` builds the older program and runs these. They look at the whole from outside: the answers of both
//! programs, and the accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../api/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API's tests use the rest")]
mod harness;

use std::{env, path::PathBuf, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::doc;
use harness::{Service, SlackExport, Workspace, eventually, program_at, staged_users, workspace};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

/// Names the program of the older release.
const OLD_PROGRAM: &str = "OLD_PROGRAM";

const USERS: usize = 20_000;
/// Accounts after which an import is certainly under way and certainly not over.
const UNDER_WAY: u64 = 1000;
/// A lease runs out after five seconds; the documented bound of a take-over is fifteen.
const TAKE_OVER_PATIENCE: Duration = Duration::from_secs(15);

/// Starts `serve` of the older release over the workspace.
async fn serve_old(workspace: &Workspace) -> Service {
    let path = env::var_os(OLD_PROGRAM).unwrap_or_else(|| panic!("{OLD_PROGRAM} names no program; use .ci/upgrade"));
    let settings = [("PORT", "0"), ("RUST_LOG", "info"), ("MONGO_URL", &workspace.url)];
    Service::launch(program_at(&PathBuf::from(path), &["serve"], &settings)).await
}

async fn stop(mut service: Service) {
    service.signal(Signal::SIGTERM);
    assert!(service.ended().await.success());
}

async fn is_under_way(workspace: &Workspace) {
    eventually("users arrive", TAKE_OVER_PATIENCE, async || workspace.count_imported().await > UNDER_WAY).await;
}

/// Waits for the end that `service` reports, and holds it against the accounts.
async fn assert_everybody_once(workspace: &Workspace, service: &Service) {
    let done = service.wait_for_state("done").await;
    for (field, expected) in [("total", USERS), ("users", USERS), ("completed", USERS), ("error", 0)] {
        assert_eq!(done["operation"]["count"][field], json!(expected), "{field}: {done}");
    }
    let import_ids = workspace.collection("users").distinct("importIds", doc! {}).await.unwrap();
    assert_eq!((import_ids.len(), workspace.count_imported().await), (USERS, USERS as u64));
}

fn takes_over(service: &Service) -> bool {
    !service.log_lines("taking over").is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_the_old_release_staged_are_imported_by_this_one() {
    let workspace = workspace().await.ready_for_imports().await;
    let old = serve_old(&workspace).await;
    old.stage(&staged_users(0..USERS)).await;
    stop(old).await;
    let new = workspace.serve().await;
    assert_eq!(new.status().await.json()["state"], "ready");
    new.run_import().await;
    assert_everybody_once(&workspace, &new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_old_release_that_is_killed_is_finished_by_this_one() {
    let workspace = workspace().await.ready_for_imports().await;
    let old = serve_old(&workspace).await;
    old.stage(&staged_users(0..USERS)).await;
    old.run_import().await;
    is_under_way(&workspace).await;
    old.kill();
    assert!(workspace.count_imported().await < USERS as u64, "the import was over before the kill");
    let new = workspace.serve().await;
    assert_everybody_once(&workspace, &new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_old_release_that_is_stopped_is_finished_by_this_one() {
    let workspace = workspace().await.ready_for_imports().await;
    let old = serve_old(&workspace).await;
    old.stage(&staged_users(0..USERS)).await;
    old.run_import().await;
    is_under_way(&workspace).await;
    let new = workspace.serve().await;
    stop(old).await;
    assert_everybody_once(&workspace, &new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_this_release_is_left_alone_by_an_old_instance_and_reported_by_it() {
    let workspace = workspace().await.ready_for_imports().await;
    let (old, new) = (serve_old(&workspace).await, workspace.serve().await);
    new.stage(&staged_users(0..USERS)).await;
    new.run_import().await;
    let mut last = 0;
    let seen_by_old = async {
        loop {
            let status = old.status().await.json();
            let completed = status["operation"]["count"]["completed"].as_i64().unwrap_or_default();
            assert!(completed >= last, "{completed} after {last}");
            last = completed;
            if status["state"] == "done" {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), seen_by_old).await.expect("the old instance reports the end");
    assert!(!takes_over(&old), "{:?}", old.log_lines(""));
    assert_everybody_once(&workspace, &new).await;
    assert_everybody_once(&workspace, &old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_this_release_that_is_killed_is_not_taken_over_by_an_old_instance() {
    let workspace = workspace().await.ready_for_imports().await;
    let (old, new) = (serve_old(&workspace).await, workspace.serve().await);
    new.stage(&staged_users(0..USERS)).await;
    new.run_import().await;
    is_under_way(&workspace).await;
    new.kill();
    let imported = workspace.count_imported().await;
    assert!(imported < USERS as u64, "the import was over before the kill");
    sleep(TAKE_OVER_PATIENCE).await;
    assert!(!takes_over(&old), "{:?}", old.log_lines(""));
    let successor = workspace.serve().await;
    assert_everybody_once(&workspace, &successor).await;
    assert!(!takes_over(&old), "{:?}", old.log_lines(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_release_goes_on_where_this_one_stopped() {
    let workspace = workspace().await.ready_for_imports().await;
    let new = workspace.serve().await;
    new.stage(&staged_users(0..USERS / 2)).await;
    new.run_import().await;
    new.wait_for_state("done").await;
    stop(new).await;

    // What this release has finished is finished, and a new import is the old release's own.
    let old = serve_old(&workspace).await;
    assert_eq!(old.status().await.json()["state"], "done");
    old.stage(&staged_users(USERS / 2..USERS)).await;
    old.run_import().await;
    let done = old.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"]["completed"], json!(USERS / 2), "{done}");
    assert_eq!(workspace.count_imported().await, USERS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_this_release_staged_are_imported_by_the_old_one() {
    let workspace = workspace().await.ready_for_imports().await;
    let new = workspace.serve().await;
    new.stage(&staged_users(0..USERS)).await;
    stop(new).await;
    let old = serve_old(&workspace).await;
    old.run_import().await;
    assert_everybody_once(&workspace, &old).await;
}

/// Messages of the import of a file, and after how many of them it is certainly under way.
const FILE: SlackExport = SlackExport { rooms: 4, messages: 5000 };
const MESSAGES_UNDER_WAY: u64 = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_file_is_left_alone_by_an_old_instance_whatever_becomes_of_ours() {
    let workspace = workspace().await.ready_for_imports().await;
    let (old, new) = (serve_old(&workspace).await, workspace.serve().await);
    let body = json!({
        "binaryContent": BASE64_STANDARD.encode(FILE.zip()), "contentType": "application/zip",
        "fileName": "export.zip", "importerKey": "slack",
    });
    assert_eq!(new.post("/api/v1/uploadImportFile", &body).await.status, 200);
    new.wait_for_state("ready").await;
    let everything = json!({ "users": { "all": true }, "channels": { "all": true } });
    assert_eq!(new.post("/api/v1/startImport", &json!({ "input": everything })).await.status, 200);
    let messages = async || workspace.collection("rocketchat_message").count_documents(doc! {}).await.unwrap();
    eventually("messages arrive", TAKE_OVER_PATIENCE * 4, async || messages().await > MESSAGES_UNDER_WAY).await;
    new.kill();
    let stored = messages().await;
    assert!(stored < FILE.all(), "the import was over before the kill");
    sleep(TAKE_OVER_PATIENCE).await;
    assert!(!takes_over(&old), "{:?}", old.log_lines(""));
    assert_eq!((messages().await, old.status().await.status.as_u16()), (stored, 200));
    let successor = workspace.serve().await;
    successor.wait_for_state("done").await;
    FILE.assert_stored(&workspace, &successor).await;
    assert!(!takes_over(&old), "{:?}", old.log_lines(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_for_a_check_is_nothing_to_an_old_instance_that_sweeps_beside_this_one() {
    const FILE: &str = "username,emails,importIds\nann,ann@corp.example,1\n";
    let workspace = workspace().await.ready_for_imports().await;
    let (old, new) = (serve_old(&workspace).await, workspace.serve().await);
    new.ready().await;
    let request = |service: &Service, method, path: &str| {
        let request = service.request(method, path).header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
        request.header("Tus-Resumable", "1.0.0")
    };
    let made = request(&new, Method::POST, "/api/v1/import.upload?purpose=check").header("Upload-Length", FILE.len());
    let path = new.send(made).await.header("location").unwrap().to_owned();
    let piece = |service, offset: usize| {
        let request = request(service, Method::PATCH, &path).header("Upload-Offset", offset);
        request.header("Content-Type", "application/offset+octet-stream").body(&FILE[offset..])
    };
    assert_eq!(old.send(piece(&old, 0)).await.status, 404);
    assert_eq!(new.send(piece(&new, 0)).await.status, 204);
    assert_eq!(old.send(piece(&old, FILE.len())).await.status, 404, "it begins no import with it");
    sleep(TAKE_OVER_PATIENCE).await;
    let id = path.rsplit('/').next().unwrap();
    let checked = new.send(request(&new, Method::POST, &format!("/api/v1/import.check?upload={id}"))).await;
    assert_eq!((checked.status.as_u16(), &checked.json()["users"]), (200, &json!(1)), "{}", checked.body);
    assert!(workspace.operations().await.is_empty());
    assert_eq!(old.status().await.status, 200);
    assert_eq!(new.send(request(&new, Method::DELETE, &path)).await.status, 204);
}
