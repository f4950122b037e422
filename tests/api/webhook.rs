//! The report that an import is over, by a webhook.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use bson::{DateTime, RawDocumentBuf, doc};
use hmac::{Hmac, Mac as _};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpSocket, time::timeout};

use crate::harness::{
    Received, Receiver, Reply, Service, Workspace, eventually, operation, run, staged_users, with_element, workspace,
};

const SECRET: &str = "s3cret-of-the-hook";
const RECORDS: &str = "rocketchat_import_service_webhooks";
const ACCEPTED: Reply = Reply::Status("204 No Content");
const PATIENCE: Duration = Duration::from_secs(60);

/// The service over this workspace, which tells this hook, and has found out what was over before.
async fn telling(workspace: &Workspace, url: &str) -> Service {
    let settings = [
        ("MONGO_URL", workspace.url.as_str()),
        ("IMPORT_WEBHOOK_URL", url),
        ("IMPORT_WEBHOOK_SECRET", SECRET),
        ("RUST_LOG", "debug"),
    ];
    let service = Service::start(&settings).await;
    let baseline = doc! { "_id": "baseline" };
    eventually("it knows what was over before", PATIENCE, async || {
        workspace.collection(RECORDS).find_one(baseline.clone()).await.unwrap().is_some()
    })
    .await;
    service
}

/// Waits until nothing is left to be reported of this many ends.
async fn all_delivered(workspace: &Workspace, count: u64) {
    let delivered = doc! { "state": "delivered" };
    eventually("everything was delivered", PATIENCE, async || {
        workspace.collection(RECORDS).count_documents(delivered.clone()).await.unwrap() == count
    })
    .await;
}

fn events(received: &[Received]) -> Vec<(&str, &str)> {
    let event = |received| Received::header(received, "x-rocketchat-import-event");
    let delivery = |received| Received::header(received, "x-rocketchat-import-delivery");
    received.iter().map(|received| (event(received), delivery(received))).collect()
}

fn assert_signed(received: &Received) {
    let timestamp = received.header("x-rocketchat-import-timestamp");
    let age = chrono_now() - timestamp.parse::<i64>().unwrap();
    assert!((-2..120).contains(&age), "{age}");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.{}", received.body).as_bytes());
    let mut expected = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(expected, "{byte:02x}").unwrap();
    }
    assert_eq!(received.header("x-rocketchat-import-signature"), expected);
}

/// Seconds since 1970.
fn chrono_now() -> i64 {
    DateTime::now().timestamp_millis() / 1000
}

/// An operation that is over, put there by somebody else.
async fn add_done(workspace: &Workspace, id: &str) {
    workspace.add_operation(operation(id).with("status", "importer_done")).await;
}

#[tokio::test]
async fn the_end_of_an_import_is_told_signed_with_the_body_of_import_status() {
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await.ready_for_imports().await;
    let service = telling(&workspace, &hook.url).await;
    let id = service.stage(&staged_users(0..300)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let received = hook.wait_for(1).await.remove(0);
    assert_eq!(received.line, "POST /hook HTTP/1.1");
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(events(std::slice::from_ref(&received)), [("done", format!("{id}:done").as_str())]);
    assert_eq!(received.body, service.status().await.body);
    assert_signed(&received);
    all_delivered(&workspace, 1).await;
}

#[tokio::test]
async fn every_way_an_import_ends_is_told_once_and_nothing_else_is() {
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await.ready_for_imports().await;
    let service = telling(&workspace, &hook.url).await;
    let stopped = service.stage(&staged_users(0..8000)).await;
    service.run_import().await;
    eventually("users arrive", PATIENCE, async || workspace.count_imported().await > 500).await;
    service.post("/api/v1/import.clear", &json!({})).await;
    let received = hook.wait_for(1).await;
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(body["state"], "error");
    assert_eq!(body["operation"]["count"]["completed"], workspace.count_imported().await, "the last counts are told");
    assert_eq!(received[0].body, service.status().await.body);

    let cancelled = service.stage(&staged_users(8000..8001)).await;
    workspace.update("rocketchat_import", &cancelled, doc! { "$set": { "status": "importer_import_cancelled" } }).await;
    hook.wait_for(2).await;
    let replaced = service.new_import().await;
    let done = service.stage(&staged_users(8001..8002)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    hook.wait_for(4).await;
    // Makes the ones before invalid, which is no news of one that was over.
    let last = service.new_import().await;
    service.post("/api/v1/import.clear", &json!({})).await;
    let received = hook.wait_for(5).await;
    all_delivered(&workspace, 5).await;
    let expected: Vec<String> = [
        format!("{stopped}:error"),
        format!("{cancelled}:canceled"),
        format!("{replaced}:error"),
        format!("{done}:done"),
        format!("{last}:error"),
    ]
    .into();
    let told: BTreeSet<&str> = events(&received).into_iter().map(|(_, delivery)| delivery).collect();
    assert_eq!(told, expected.iter().map(String::as_str).collect());
    assert_eq!(hook.received().len(), expected.len());
}

#[tokio::test]
async fn what_was_over_before_the_first_start_is_not_told_and_what_ends_while_nobody_runs_is() {
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await;
    add_done(&workspace, "before").await;
    let mut service = telling(&workspace, &hook.url).await;
    add_done(&workspace, "first").await;
    hook.wait_for(1).await;
    all_delivered(&workspace, 1).await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended().await.code(), Some(0));
    add_done(&workspace, "meanwhile").await;
    let _service = telling(&workspace, &hook.url).await;
    let received = hook.wait_for(2).await;
    all_delivered(&workspace, 2).await;
    assert_eq!(events(&received), [("done", "first:done"), ("done", "meanwhile:done")]);
}

#[tokio::test]
async fn a_receiver_that_is_away_or_refuses_is_called_again_with_the_same_id() {
    // Bound but not listening: connections are refused, and nobody else can take the port meanwhile.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let workspace = workspace().await;
    let service = telling(&workspace, &format!("http://user:hidden@{address}/hook?key=hidden")).await;
    add_done(&workspace, "one").await;
    service.logged("one:done was not delivered, attempt 1").await;
    let replies = [Reply::Status("500 Internal Server Error"), Reply::Redirect, ACCEPTED];
    let hook = Receiver::on(socket.listen(64).unwrap(), address, &replies);
    let received = hook.wait_for(3).await;
    all_delivered(&workspace, 1).await;
    assert_eq!(hook.received().len(), 3, "a redirect is not followed");
    assert_eq!(events(&received), [("done", "one:done"); 3]);
    for received in &received {
        assert_eq!(received.line, "POST /hook?key=hidden HTTP/1.1");
        assert_signed(received);
    }
    assert!(received[0].body == received[1].body && received[1].body == received[2].body);
    for secret in [SECRET, "hidden"] {
        assert_eq!(service.log_lines(secret), [""; 0]);
    }
}

#[tokio::test]
async fn an_instance_that_dies_while_it_tells_leaves_the_telling_to_the_next() {
    let hook = Receiver::start(&[Reply::Silence, ACCEPTED]);
    let workspace = workspace().await;
    let service = telling(&workspace, &hook.url).await;
    add_done(&workspace, "one").await;
    hook.wait_for(1).await;
    service.kill();
    let service = telling(&workspace, &hook.url).await;
    let received = hook.wait_for(2).await;
    all_delivered(&workspace, 1).await;
    assert_eq!(events(&received), [("done", "one:done"); 2]);
    assert_eq!(received[0].body, received[1].body);
    drop(service);
}

#[tokio::test]
async fn an_operation_that_cannot_be_read_is_logged_once_and_the_ends_of_others_are_told() {
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await;
    let service = telling(&workspace, &hook.url).await;
    let over = |id: &str| operation(id).with("status", "importer_done").document();
    // A name that is not UTF-8: once deep inside, where only the whole operation shows it, once in what every look reads.
    let operations = workspace.database.collection::<RawDocumentBuf>("rocketchat_import");
    operations.insert_one(with_element(&over("torn"), b"\x10\xff\xfe\0\x01\0\0\0")).await.unwrap();
    let mut torn = over("torn-status");
    torn.remove("status");
    operations.insert_one(with_element(&torn, b"\x03status\0\x0c\0\0\0\x10\xff\0\x01\0\0\0\0")).await.unwrap();
    add_done(&workspace, "whole").await;
    all_delivered(&workspace, 1).await;
    assert_eq!(events(&hook.received()), [("done", "whole:done")]);
    add_done(&workspace, "later").await;
    hook.wait_for(2).await;
    for operation in [r#"\"torn\""#, r#"\"torn-status\""#] {
        assert_eq!(service.log_lines(operation).len(), 1, "{:?}", service.log_lines("torn"));
    }
}

#[tokio::test]
async fn two_instances_tell_everything_once() {
    const OPERATIONS: usize = 40;
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await;
    let _services = [telling(&workspace, &hook.url).await, telling(&workspace, &hook.url).await];
    for number in 0..OPERATIONS {
        add_done(&workspace, &format!("number-{number}")).await;
    }
    hook.wait_for(OPERATIONS).await;
    all_delivered(&workspace, OPERATIONS as u64).await;
    let received = hook.received();
    let different: BTreeSet<_> = events(&received).into_iter().map(|(_, delivery)| delivery.to_owned()).collect();
    assert_eq!((received.len(), different.len()), (OPERATIONS, OPERATIONS));
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed_and_without_a_url_nothing_is_told() {
    let hook = Receiver::start(&[ACCEPTED]);
    let unsigned = workspace().await;
    let empty = [("IMPORT_WEBHOOK_URL", ""), ("IMPORT_WEBHOOK_SECRET", "")];
    let service = Service::start(&[("MONGO_URL", unsigned.url.as_str()), empty[0], empty[1]]).await;
    service.ready().await;
    drop(service);
    assert_eq!(unsigned.collection(RECORDS).count_documents(doc! {}).await.unwrap(), 0);
    let settings = [("MONGO_URL", unsigned.url.as_str()), ("IMPORT_WEBHOOK_URL", hook.url.as_str()), empty[1]];
    let _service = Service::start(&settings).await;
    eventually("it knows what was over before", PATIENCE, async || {
        unsigned.collection(RECORDS).count_documents(doc! {}).await.unwrap() == 1
    })
    .await;
    add_done(&unsigned, "one").await;
    let received = hook.wait_for(1).await;
    assert_eq!(received[0].header("x-rocketchat-import-signature"), "");
}

#[tokio::test]
async fn a_url_that_cannot_be_called_stops_the_start_without_being_shown() {
    for url in ["ftp://user:hidden@a.b", "hidden", "http://", "http://user:hidden@a:b"] {
        let settings = [("MONGO_URL", "mongodb://127.0.0.1:1/rocketchat"), ("IMPORT_WEBHOOK_URL", url)];
        let ended = timeout(PATIENCE, run(&["serve"], &settings)).await.unwrap();
        assert_eq!((ended.code, ended.errors.lines().count()), (Some(2), 1), "{ended:?}");
        assert!(ended.errors.contains("IMPORT_WEBHOOK_URL"), "{ended:?}");
        assert!(!ended.errors.contains("hidden"), "{ended:?}");
    }
}

#[tokio::test]
async fn the_search_for_deliveries_that_are_due_reads_no_record_of_one_that_was_made() {
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await;
    let service = telling(&workspace, &hook.url).await;
    service.ready().await;
    workspace.record_commands().await;
    for number in 0..20 {
        add_done(&workspace, &format!("number-{number}")).await;
    }
    all_delivered(&workspace, 20).await;
    workspace.assert_indexed(&["webhooks"]).await;
    let due = doc! { "state": "pending", "$expr": { "$lte": ["$dueAt", "$$NOW"] } };
    let search = doc! { "find": RECORDS, "filter": due, "sort": { "recordedAt": 1 } };
    let explained = doc! { "explain": search, "verbosity": "executionStats" };
    let explained = workspace.database.run_command(explained).await.unwrap();
    let statistics = explained.get_document("executionStats").unwrap();
    assert_eq!(statistics.get_i32("totalDocsExamined").unwrap(), 0, "{explained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_loading_is_told_for_files() {
    let hook = Receiver::start(&[ACCEPTED]);
    let workspace = workspace().await.ready_for_imports().await;
    let service = telling(&workspace, &hook.url).await;
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference");
    let upload = async |case: &str| {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let content = std::fs::read(fixtures.join(case).join("input.zip")).unwrap();
        let body = json!({
            "binaryContent": BASE64_STANDARD.encode(content),
            "contentType": "application/zip",
            "fileName": "export.zip",
            "importerKey": "csv",
        });
        let answer = service.post("/api/v1/uploadImportFile", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    upload("broken-not-a-zip").await;
    let failed = hook.wait_for(1).await.remove(0);
    assert_eq!(failed.header("x-rocketchat-import-event"), "failed-to-load");
    let body: Value = serde_json::from_str(&failed.body).unwrap();
    assert_eq!(body["state"], "error");
    assert!(body["operation"]["import"]["problem"].as_str().is_some_and(|problem| !problem.is_empty()), "{body}");

    upload("csv-basic").await;
    let ready = hook.wait_for(2).await.remove(1);
    assert_eq!(ready.header("x-rocketchat-import-event"), "ready");
    let body: Value = serde_json::from_str(&ready.body).unwrap();
    let id = body["operation"]["_id"].as_str().unwrap().to_owned();
    assert_eq!(ready.header("x-rocketchat-import-delivery"), format!("{id}:ready"));
    service.run_import().await;
    let done = hook.wait_for(3).await.remove(2);
    assert_eq!(done.header("x-rocketchat-import-delivery"), format!("{id}:done"));
    assert_signed(&done);
    all_delivered(&workspace, 3).await;
    assert_eq!(hook.received().len(), 3);
}
