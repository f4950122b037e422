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
