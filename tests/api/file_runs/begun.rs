//! Batches of rooms and messages whose instance dies between its changes and the receipt.

use super::{
    again::{Export, first_messages, said},
    *,
};

impl Service {
    /// How many messages the last import created, updated and left the same.
    pub(super) async fn message_outcomes(&self) -> (u64, u64, u64) {
        let receipt = self.get_as_admin("/api/v1/import.receipt?of=messages").await.json();
        let places = receipt["places"].as_array().unwrap();
        let sum = |name: &str| places.iter().filter_map(|place| place[name].as_u64()).sum();
        (sum("created"), sum("updated"), sum("same"))
    }
}

/// Starts the import of the file and kills the instance once the change is there that the batch makes; the next instance.
pub(super) async fn killed_before_the_receipt(
    workspace: &Workspace,
    service: Service,
    batch: u32,
    is_changed: impl AsyncFn() -> bool,
) -> Service {
    let held = Held::receipt(workspace, &service.operation_id().await, batch).await;
    assert_eq!(service.start_import(everything()).await.status, 200);
    eventually("the change is there", PATIENCE, is_changed).await;
    service.kill();
    held.give_up(workspace).await;
    let service = workspace.serve().await;
    service.wait_for_state("done").await;
    service
}

/// Imports an export, and then the same with an edited message, whose batch is killed after the change; the export and the
/// next instance.
async fn edited_by_a_killed_batch(workspace: &Workspace, service: Service) -> (Export, Service) {
    let mut export = Export { bea: "bea", dev: first_messages(), ops: None };
    service.import("slack", &export.zip()).await;
    export.dev[2]["text"] = json!("better");
    export.dev[2]["edited"] = json!({ "user": "U02", "ts": "1600000099.000000" });
    service.load("slack", &export.zip()).await;
    let is_updated = async || !workspace.found("rocketchat_message", doc! { "msg": "better" }).await.is_empty();
    // Before it are one of people and one of rooms.
    let service = killed_before_the_receipt(workspace, service, 2, is_updated).await;
    (export, service)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_linked_by_a_killed_batch_is_linked_in_the_receipt_and_keeps_its_topic() {
    let (workspace, service) = served().await;
    let dev =
        doc! { "_id": "dev", "t": "c", "name": "dev", "msgs": 0, "usersCount": 0, "topic": "as people here want it" };
    workspace.fill("rocketchat_room", vec![dev]).await;
    let channel = json!({
        "id": "C01", "name": "dev", "created": 1_500_000_000, "creator": "U01", "members": ["U01"], "is_archived": false,
        "topic": { "value": "of the source" },
    });
    let user = json!({ "id": "U01", "name": "ann", "real_name": "Ann", "profile": { "email": "U01@corp.example" } });
    let hello = json!([said("U01", "1600000001.000100", "hello")]).to_string();
    let (users, channels) = (json!([user]).to_string(), json!([channel]).to_string());
    let export = zip(&[("users.json", users), ("channels.json", channels), ("dev/2020-09-13.json", hello)]);
    service.load("slack", &export).await;
    let is_linked = async || !workspace.found("rocketchat_room", doc! { "importIds": "C01" }).await.is_empty();
    let service = killed_before_the_receipt(&workspace, service, 1, is_linked).await;
    let records = service.get_as_admin("/api/v1/import.receipt").await.json()["records"].as_array().unwrap().clone();
    let room = records.iter().find(|record| record["dataType"] == "channel").unwrap();
    assert_eq!((&room["outcome"], &room["became"]), (&json!("linked"), &json!("dev")), "{records:?}");
    let topic = async || {
        let dev = workspace.found("rocketchat_room", doc! { "_id": "dev" }).await.remove(0);
        dev.get_str("topic").unwrap().to_owned()
    };
    assert_eq!(topic().await, "as people here want it");
    service.import("slack", &export).await;
    assert_eq!(topic().await, "as people here want it", "the room stays theirs in a second import");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_updated_by_a_killed_batch_are_updated_in_the_receipt() {
    let (workspace, service) = served().await;
    let (_, service) = edited_by_a_killed_batch(&workspace, service).await;
    assert_eq!(service.message_outcomes().await, (0, 1, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_stands_twice_in_a_killed_batch_is_created_once_and_same_once() {
    let (workspace, service) = served().await;
    let message = json!({
        "_id": "m1", "rid": "r1", "u": { "_id": "u1" }, "ts": { "$date": "2020-09-13T12:00:00Z" }, "msg": "hello",
    });
    service.load("records", &records_of_a_room([message.clone(), message])).await;
    let hello = doc! { "msg": "hello" };
    let is_made = async || !workspace.found("rocketchat_message", hello.clone()).await.is_empty();
    // Before it are one of people and one of rooms.
    let service = killed_before_the_receipt(&workspace, service, 2, is_made).await;
    assert_eq!(workspace.found("rocketchat_message", hello.clone()).await.len(), 1);
    assert_eq!(service.message_outcomes().await, (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_file_that_comes_again_and_is_taken_over_reads_by_an_index() {
    let (workspace, service) = served().await;
    workspace.record_commands().await;
    let (export, service) = edited_by_a_killed_batch(&workspace, service).await;
    let reports = ["import.receipt", "import.receipt?of=messages", "import.errors", "import.report", "import.verify"];
    for path in ["getImportFileData", "getImportProgress"].iter().chain(&reports) {
        let answer = service.get_as_admin(&format!("/api/v1/{path}")).await;
        assert!(answer.status == 200 || path.starts_with("get"), "{path}: {}", answer.body);
    }
    service.load("slack", &export.zip()).await;
    assert_eq!(service.start_import(json!({ "users": { "list": ["U01"] } })).await.status, 200);
    service.wait_for_state("done").await;
    workspace.left_staged(0).await;
    let read = [
        "files.chunks",
        "files.files",
        "messages",
        "receipts",
        "reports",
        "rooms",
        "run_leases",
        "selections",
        "uploads",
    ];
    workspace.assert_indexed(&read).await;
}
