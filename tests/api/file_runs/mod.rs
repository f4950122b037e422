//! Runs over what files staged: rooms, subscriptions and messages.

mod again;
mod begun;
mod cases;
mod choosing;
mod kills;
mod noted;
mod odd_files;
mod people_again;
mod receipts;
mod rooms_again;
mod staged_nulls;

use std::{fs, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Bson, Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::harness::*;

const PATIENCE: Duration = Duration::from_secs(30);
const ROOT: &str = "65a000000000000000000001";

/// The documents of a file of the reference, in extended JSON.
fn documents(case: &str, file: &str) -> Vec<Document> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(case).join(file);
    let Ok(text) = fs::read_to_string(&path) else { return Vec::new() };
    let Value::Array(list) = serde_json::from_str(&text).unwrap() else { panic!("{} is no list", path.display()) };
    let document = |value: Value| match Bson::try_from(value).unwrap() {
        Bson::Document(document) => document,
        other => panic!("{other} is no document"),
    };
    list.into_iter().map(document).collect()
}

impl Workspace {
    /// The seed of a case, and its staged records, ready to be started.
    async fn prepared(case: &str, importer: &str) -> Self {
        let workspace = workspace().await.ready_for_imports().await;
        for collection in ["users", "rocketchat_room", "rocketchat_subscription", "rocketchat_message"] {
            workspace.fill(collection, documents(case, &format!("seed/{collection}.json"))).await;
        }
        workspace.fill("rocketchat_import_data", documents(case, "staged.json")).await;
        let operation = doc! {
            "_id": ROOT, "type": importer, "importerKey": importer, "ts": bson::DateTime::now(),
            "status": "importer_user_selection", "valid": true, "user": "adminIdOfTheSeed1",
            "_updatedAt": bson::DateTime::now(), "count": { "total": 99 },
        };
        workspace.collection("rocketchat_import").insert_one(operation).await.unwrap();
        workspace
    }

    async fn fill(&self, collection: &str, documents: Vec<Document>) {
        if !documents.is_empty() {
            self.collection(collection).insert_many(documents).await.unwrap();
        }
    }

    async fn found(&self, collection: &str, filter: Document) -> Vec<Document> {
        self.collection(collection).find(filter).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
    }
}

impl Service {
    /// Sends a file and waits until it is loaded.
    async fn load(&self, importer: &str, file: &[u8]) {
        let body = json!({
            "binaryContent": BASE64_STANDARD.encode(file), "contentType": "application/zip",
            "fileName": "export.zip", "importerKey": importer,
        });
        let answer = self.post("/api/v1/uploadImportFile", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.wait_for_state("ready").await;
    }

    /// Sends a file, chooses everything and waits until it is in; the operation.
    async fn import(&self, importer: &str, file: &[u8]) -> Value {
        self.load(importer, file).await;
        assert_eq!(self.start_import(everything()).await.status, 200);
        let operation = self.wait_for_state("done").await["operation"].clone();
        let count = &operation["count"];
        let number = |name: &str| count[name].as_u64().unwrap_or_default();
        assert_eq!(number("completed") + number("error"), number("total"), "{count}");
        operation
    }

    async fn start_import(&self, input: Value) -> Answer {
        self.post("/api/v1/startImport", &json!({ "input": input })).await
    }
}

fn everything() -> Value {
    json!({ "users": { "all": true }, "channels": { "all": true }, "contacts": { "all": true } })
}

/// A file of the importer `records` with one person, `u1`, one channel, `r1`, and these messages.
fn records_of_a_room(messages: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let person = json!({ "importIds": ["u1"], "username": "ann", "emails": ["ann@corp.example"], "name": "Ann" });
    let room = json!({ "importIds": ["r1"], "name": "dev", "t": "c", "u": { "_id": "u1" }, "users": ["u1"] });
    let messages = messages.into_iter().map(|message| ("message", message));
    let records = [("user", person), ("channel", room)].into_iter().chain(messages);
    let lines: Vec<String> =
        records.map(|(kind, data)| json!({ "dataType": kind, "data": data }).to_string()).collect();
    lines.join("\n").into_bytes()
}

/// Messages, rooms and subscriptions must agree with each other.
async fn check_rooms(workspace: &Workspace) {
    for room in workspace.found("rocketchat_room", doc! { "importIds": { "$exists": true } }).await {
        let id = room.get_str("_id").unwrap();
        let count = |collection: &'static str| async move {
            workspace.collection(collection).count_documents(doc! { "rid": id }).await.unwrap()
        };
        assert!(!room.contains_key("importsCounted"), "{room}");
        assert_eq!(u64::try_from(room.get_i32("msgs").unwrap()).unwrap(), count("rocketchat_message").await, "{room}");
        if id != "GENERAL" {
            let people = u64::try_from(room.get_i32("usersCount").unwrap()).unwrap();
            assert_eq!(people, count("rocketchat_subscription").await, "{room}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_export_that_rocket_chat_prepared_ends_with_its_rooms_subscriptions_and_messages() {
    let workspace = Workspace::prepared("slack-basic", "slack").await;
    let service = workspace.serve().await;
    let answer = service.start_import(everything()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, r#"{"success":true}"#));
    service.wait_for_state("done").await;
    let operation = workspace.operation_named(ROOT).await;
    let count = operation.get_document("count").unwrap();
    let number = |name: &str| count.get_i32(name).unwrap_or_default();
    let failed = workspace.found("rocketchat_import_data", doc! { "errors": { "$exists": true } }).await;
    assert_eq!(number("completed") + number("error"), number("total"), "{operation}");
    let theirs = documents("slack-basic", "final/rocketchat_message.json");
    let slack = |message: &&Document| message.get_str("_id").is_ok_and(|id| id.starts_with("slack-"));
    for message in theirs.iter().filter(slack) {
        let ours = workspace.found("rocketchat_message", doc! { "_id": message.get_str("_id").unwrap() }).await;
        assert_eq!(ours.len(), 1, "{message}\n{failed:?}");
        assert_eq!(ours[0].get("ts"), message.get("ts"));
    }
    assert_eq!(failed, Vec::<Document>::new());
    check_rooms(&workspace).await;
    workspace.left_staged(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_the_same_file_again_changes_nothing() {
    let workspace = Workspace::prepared("slack-threads", "slack").await;
    let service = workspace.serve().await;
    assert_eq!(service.start_import(everything()).await.status, 200);
    service.wait_for_state("done").await;
    workspace.left_staged(0).await;
    let snapshot = async || {
        let mut rooms = workspace.found("rocketchat_room", doc! {}).await;
        for room in &mut rooms {
            room.remove("_updatedAt");
        }
        (workspace.found("rocketchat_message", doc! {}).await, rooms)
    };
    let first = snapshot().await;
    check_rooms(&workspace).await;
    let mut staged = documents("slack-threads", "staged.json");
    for (number, record) in staged.iter_mut().enumerate() {
        record.insert("_id", format!("65b0{number:020x}"));
    }
    workspace.fill("rocketchat_import_data", staged).await;
    let again = doc! {
        "_id": "65a000000000000000000002", "type": "Slack", "importerKey": "slack", "ts": bson::DateTime::now(),
        "status": "importer_user_selection", "valid": true, "user": "adminIdOfTheSeed1",
        "_updatedAt": bson::DateTime::now(), "count": { "total": 99 },
    };
    workspace.collection("rocketchat_import").insert_one(again).await.unwrap();
    assert_eq!(service.start_import(everything()).await.status, 200);
    eventually("the second import is done", PATIENCE, async || {
        let operation = workspace.operation_named("65a000000000000000000002").await;
        operation.get_str("status").is_ok_and(|status| status == "importer_done")
    })
    .await;
    assert_eq!(snapshot().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_left_out_takes_its_messages_with_it() {
    let workspace = Workspace::prepared("slack-basic", "slack").await;
    let staged = workspace.found("rocketchat_import_data", doc! { "dataType": "channel" }).await;
    let import_id = |record: &Document| {
        let data = record.get_document("data").unwrap();
        data.get_array("importIds").unwrap()[0].as_str().unwrap().to_owned()
    };
    let left_out = staged
        .iter()
        .find(|record| record.get_document("data").unwrap().get_str("t").is_ok_and(|kind| kind == "p"))
        .unwrap();
    let left_out = import_id(left_out);
    let chosen: Vec<String> = staged.iter().map(import_id).filter(|id| *id != left_out).collect();
    let service = workspace.serve().await;
    let input = json!({ "users": { "all": true }, "channels": { "list": chosen } });
    assert_eq!(service.start_import(input).await.status, 200);
    service.wait_for_state("done").await;
    let operation = workspace.operation_named(ROOT).await;
    let count = operation.get_document("count").unwrap();
    let number = |name: &str| count.get_i32(name).unwrap_or_default();
    assert_eq!(number("completed") + number("error"), number("total"), "{operation}");
    assert!(workspace.found("rocketchat_room", doc! { "importIds": &left_out }).await.is_empty());
    assert!(
        workspace
            .found("rocketchat_message", doc! { "_id": { "$regex": format!("^slack-{left_out}-") } })
            .await
            .is_empty()
    );
    check_rooms(&workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_operation_that_is_ready_can_be_started() {
    let (workspace, service) = served().await;
    let answer = service.start_import(everything()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (400, Some("error-operation-not-found")));
    service.new_import().await;
    let answer = service.start_import(everything()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["error"].as_str()),
        (400, Some("error-invalid-operation-status"))
    );
    let answer = service.post("/api/v1/startImport", &json!({ "input": [] })).await;
    assert_eq!(answer.json()["errorType"], "invalid-params");
    drop(workspace);
}
