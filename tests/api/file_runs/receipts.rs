//! What receipts and `import.verify` say of rooms and messages.

use super::{
    again::{Export, first_messages, said},
    *,
};

async fn verified(service: &Service) -> Vec<Value> {
    let answer = service.get_as_admin("/api/v1/import.verify").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn imported() -> (Workspace, Service, String) {
    let (workspace, service) = served().await;
    let ops = vec![said("U01", "1600086400.000100", "one"), said("U01", "1600172800.000100", "two")];
    service.import("slack", &Export { bea: "bea", dev: first_messages(), ops: Some(ops) }.zip()).await;
    let dev = workspace.found("rocketchat_room", doc! { "importIds": "C01" }).await.remove(0);
    let dev = dev.get_str("_id").unwrap().to_owned();
    (workspace, service, dev)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_how_many_messages_are_in_which_room_on_which_day() {
    let (_workspace, service, dev) = imported().await;
    let path = "/api/v1/import.receipt?of=messages";
    let receipt = service.get_as_admin(path).await.json();
    let places = receipt["places"].as_array().unwrap();
    assert_eq!((receipt["total"].as_u64(), receipt["count"].as_u64(), places.len()), (Some(4), Some(4), 4));
    let of_dev = places.iter().find(|place| place["room"] == dev.as_str()).unwrap();
    // The answer shows in its thread only.
    let expected = json!({ "room": dev, "day": "2020-09-13", "created": 8, "updated": 0, "same": 0, "inHistory": 7 });
    assert_eq!(of_dev, &expected);
    let days = |day: &str| places.iter().filter(|place| place["day"] == day).count();
    assert_eq!((days("2020-09-13"), days("2020-09-14"), days("2020-09-15")), (2, 1, 1));
    let part = service.get_as_admin(&format!("{path}&offset=1&count=2")).await.json();
    assert_eq!(part["places"].as_array().unwrap(), &places[1..3]);
    let lines = service.get_as_admin(&format!("{path}&format=jsonl")).await;
    assert_eq!(lines.body.lines().count(), 4);
    let rows = service.get_as_admin(&format!("{path}&format=csv")).await;
    assert_eq!(rows.body.lines().count(), 5);
    assert!(rows.body.contains(&format!(r#""{dev}","2020-09-13","8","0","0","7""#)), "{}", rows.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_messages_that_are_gone_or_hidden_are_differences() {
    let (workspace, service, dev) = imported().await;
    assert_eq!(service.logged("messages looked for in the history of").await.matches("0 days lack some").count(), 1);
    let lines = verified(&service).await;
    let summary = &lines.last().unwrap()["summary"];
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((lines.len(), number("differences"), number("rooms"), number("messages")), (1, 0, 3, 10));
    // A type that clients hide is no loss; a message that is hidden is.
    workspace
        .collection("rocketchat_message")
        .update_one(doc! { "_id": "slack-C01-1600000001-000100" }, doc! { "$set": { "_hidden": true } })
        .await
        .unwrap();
    workspace.collection("rocketchat_message").delete_one(doc! { "_id": "slack-C02-1600172800-000100" }).await.unwrap();
    workspace.collection("rocketchat_room").delete_one(doc! { "importIds": "D01" }).await.unwrap();
    let lines = verified(&service).await;
    assert_eq!(lines.last().unwrap()["summary"]["differences"], 3, "{lines:?}");
    let of_dev = json!({ "difference": "messages", "room": dev, "day": "2020-09-13", "imported": 7, "inHistory": 6 });
    assert!(lines.contains(&of_dev), "{lines:?}");
    assert!(lines.iter().any(|line| line["difference"] == "messages" && line["day"] == "2020-09-15"), "{lines:?}");
    let room = lines.iter().find(|line| line["difference"] == "missingRoom").unwrap();
    assert_eq!(room["importIds"], json!(["D01"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_says_which_messages_clients_do_not_find_at_the_end_of_a_run() {
    let (_workspace, service, _dev) = imported().await;
    let report = async |service: &Service| service.get_as_admin("/api/v1/import.report").await.json();
    let found = report(&service).await["history"].clone();
    assert_eq!(found, json!({ "rooms": 3, "messages": 10, "days": 0, "missing": [] }));

    let (workspace, service) = served().await;
    service.load("slack", &Export { bea: "bea", dev: first_messages(), ops: None }.zip()).await;
    assert_eq!(report(&service).await["history"], Value::Null, "nothing has run");
    let slowly = json!({ "input": everything(), "pace": 3 });
    assert_eq!(service.post("/api/v1/startImport", &slowly).await.status, 200);
    let messages = workspace.collection("rocketchat_message");
    let first = doc! { "_id": "slack-C01-1600000001-000100" };
    eventually("the first messages are there", PATIENCE, async || {
        messages.find_one(first.clone()).await.unwrap().is_some()
    })
    .await;
    // As a retention policy or an administrator removes it before the run has ended.
    assert_eq!(messages.delete_one(first).await.unwrap().deleted_count, 1);
    service.wait_for_state("done").await;
    let history = report(&service).await["history"].clone();
    assert_eq!(history["days"], 1, "{history}");
    let missing = &history["missing"][0];
    assert_eq!((&missing["day"], missing["imported"].as_u64()), (&json!("2020-09-13"), Some(7)), "{history}");
    assert_eq!(missing["inHistory"], 6, "{history}");
}
