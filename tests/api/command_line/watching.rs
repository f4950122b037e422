//! `status`, once and until the end.

use std::time::Duration;

use bson::doc;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    call,
    proxy::{Fate, Proxy},
};
use crate::harness::{Service, eventually, operation, program, served, staged_users, workspace};

const STATUS: &str = "/api/v1/import.status";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn status_in_json_is_the_body_of_the_endpoint() {
    let (_workspace, service) = served().await;
    let none = call(&service.address, &["status", "--json"]).await;
    assert_eq!((none.code, none.output.trim_end()), (Some(0), service.status().await.body.as_str()));
    service.stage(&staged_users(0..5)).await;
    let ready = call(&service.address, &["status", "--json"]).await;
    assert_eq!((ready.code, ready.output.trim_end()), (Some(0), service.status().await.body.as_str()));
}

#[tokio::test]
async fn status_tells_a_person_in_plain_words() {
    let (_workspace, service) = served().await;
    service.stage(&staged_users(0..5)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let told = call(&service.address, &["status"]).await;
    assert_eq!(told.code, Some(0));
    for words in ["state      done", "5 of 5 processed (100 %)", "created    5", "failed     0", "importer   api"] {
        assert!(told.output.contains(words), "{words} is not in {}", told.output);
    }
}

#[tokio::test]
async fn status_calls_the_records_of_every_operation_by_their_name() {
    let (workspace, service) = served().await;
    for (importer, state, records, completed) in [
        ("api", "users are being created", "users", "created"),
        ("slack", "records are being imported", "records", "created"),
        ("pending-files", "files are being fetched", "files", "fetched"),
        ("pending-avatars", "pictures are being fetched", "pictures", "fetched"),
    ] {
        let count = doc! { "total": 7, "completed": 3, "error": 4 };
        let with = |status: &str| {
            operation(importer).with("importerKey", importer).with("status", status).with("count", count.clone())
        };
        workspace.only_operation(with("importer_importing_files").document()).await;
        let going_on = call(&service.address, &["status"]).await;
        assert!(going_on.output.starts_with(&format!("state      {state}\n")), "{importer}: {}", going_on.output);
        workspace.only_operation(with("importer_done").document()).await;
        let done = call(&service.address, &["status"]).await.output;
        for line in [format!("{records:<10} 7 of 7 processed (100 %)"), format!("{completed:<10} 3")] {
            assert!(done.lines().any(|told| told == line), "{importer}: {line} is not in {done}");
        }
        let watched = call(&service.address, &["status", "--watch"]).await;
        let line = format!("done: 3 {completed}, 4 failed of 7 (100 %)");
        assert_eq!(watched.output.lines().next(), Some(line.as_str()), "{watched:?}");
        assert!(watched.errors.contains(&format!("4 of 7 {records} failed")), "{watched:?}");
        assert_eq!(watched.code, Some(1));
    }
}

#[tokio::test]
async fn watching_ends_with_the_final_numbers_and_never_goes_backwards() {
    let (_workspace, service) = served().await;
    service.stage(&staged_users(0..8000)).await;
    let address = service.address.clone();
    let watching = tokio::spawn(async move { call(&address, &["status", "--watch", "--json"]).await });
    service.run_import().await;
    let watched = watching.await.unwrap();
    assert_eq!(watched.code, Some(0), "{watched:?}");
    let bodies: Vec<Value> = watched.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let completed: Vec<u64> =
        bodies.iter().map(|body| body["operation"]["count"]["completed"].as_u64().unwrap_or_default()).collect();
    assert!(completed.is_sorted(), "{completed:?}");
    assert_eq!(completed.last(), Some(&8000));
    assert_eq!(watched.output.lines().last(), Some(service.status().await.body.as_str()));
    let again = call(&service.address, &["status", "--watch"]).await;
    assert_eq!(again.code, Some(0));
    assert!(again.output.starts_with("done: 8000 created, 0 failed of 8000 (100 %)"), "{again:?}");
}

#[tokio::test]
async fn watching_goes_on_over_an_outage_and_says_so() {
    let (_workspace, service) = served().await;
    service.stage(&staged_users(0..5)).await;
    let fate = |n| if (1..4).contains(&n) { Fate::Answered(UNAVAILABLE) } else { Fate::Passed };
    let proxy = Proxy::before(&service.address, STATUS, fate).await;
    let address = proxy.address.clone();
    // No patience but for what watching itself has.
    let watching = tokio::spawn(async move { call(&address, &["status", "--watch", "--retry-for", "0"]).await });
    eventually("the outage", Duration::from_secs(30), async || proxy.troubled() == 3).await;
    service.run_import().await;
    let watched = watching.await.unwrap();
    assert_eq!(watched.code, Some(0), "{watched:?}");
    assert_eq!(watched.errors.matches("trying again").count(), 3, "{watched:?}");
    assert!(watched.output.contains("5 of 5 processed"), "{watched:?}");
}

#[tokio::test]
async fn a_service_that_restarts_in_the_middle_of_an_import_does_not_end_the_command() {
    let workspace = workspace().await.ready_for_imports().await;
    let mut service = workspace.serve().await;
    let port = service.address.rsplit_once(':').unwrap().1.to_owned();
    let file = super::File::new("users.csv", super::csv_of(0..6000));
    let (address, path) = (service.address.clone(), file.path().to_owned());
    let command = tokio::spawn(async move { call(&address, &["users", &path, "--run", "--batch", "200"]).await });
    eventually("some users are staged", Duration::from_secs(30), async || workspace.count_staged().await >= 1000).await;
    service.signal(Signal::SIGKILL);
    service.ended().await;
    let mut restarted = program(&["serve"], &[("MONGO_URL", &workspace.url), ("PORT", &port), ("RUST_LOG", "info")]);
    restarted.stdin(std::process::Stdio::null());
    let _restarted = Service::launch(restarted).await;
    let finished = command.await.unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("trying again"), "{finished:?}");
    assert_eq!(workspace.count_imported().await, 6000);
    workspace.left_staged(0).await;
}

#[tokio::test]
async fn staging_and_running_show_the_pace_and_the_time_left() {
    let (_workspace, service) = served().await;
    let rows: String = (0..400).flat_map(|n| [format!("user{n},user{n}@example.com,id{n},a pass phrase\n")]).collect();
    let file = super::File::new("users.csv", format!("username,emails,importIds,password\n{rows}"));
    let finished =
        call(&service.address, &["users", file.path(), "--run", "--on-existing", "fail", "--batch", "1"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for step in ["staged ", "imported "] {
        let has_pace = |line: &str| {
            line.starts_with(step) && line.contains(" of 400 ") && line.contains("/s, ") && line.ends_with(" left")
        };
        assert!(finished.errors.lines().any(has_pace), "{step}: {finished:?}");
    }
}
