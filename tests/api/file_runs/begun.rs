//! Batches of rooms and messages whose instance dies between its changes and the receipt.

use super::{
    again::{Export, first_messages, said},
    *,
};

/// Starts the import of the file and kills the instance once the change is there that the batch makes; the next instance.
async fn killed_before_the_receipt(
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
    let dev = workspace.found("rocketchat_room", doc! { "_id": "dev" }).await.remove(0);
    assert_eq!(dev.get_str("topic").unwrap(), "as people here want it");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_updated_by_a_killed_batch_are_updated_in_the_receipt() {
    let (workspace, service) = served().await;
    let mut export = Export { bea: "bea", dev: first_messages(), ops: None };
    service.import("slack", &export.zip()).await;
    export.dev[2]["text"] = json!("better");
    export.dev[2]["edited"] = json!({ "user": "U02", "ts": "1600000099.000000" });
    service.load("slack", &export.zip()).await;
    let is_updated = async || !workspace.found("rocketchat_message", doc! { "msg": "better" }).await.is_empty();
    // Before it are one of people and one of rooms.
    let service = killed_before_the_receipt(&workspace, service, 2, is_updated).await;
    let receipt = service.get_as_admin("/api/v1/import.receipt?of=messages").await.json();
    let places = receipt["places"].as_array().unwrap();
    let sum = |name: &str| places.iter().filter_map(|place| place[name].as_u64()).sum::<u64>();
    assert_eq!((sum("created"), sum("updated"), sum("same")), (0, 1, 8), "{receipt}");
}
