//! What there is to choose from once a file is loaded.

use bson::doc;
use serde_json::{Value, json};

use super::{PATIENCE, csv_zip, loading};
use crate::harness::{eventually, operation, workspace};

#[tokio::test]
async fn get_import_file_data_waits_while_a_file_is_loaded_and_lists_it_then() {
    let file = csv_zip(2, 3000);
    let (_workspace, service) = loading("csv", &file).await;
    let mut last = Value::Null;
    eventually("the file is loaded", PATIENCE, async || {
        let answer = service.get_as_admin("/api/v1/getImportFileData").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        last = answer.json();
        assert!(last["waiting"] == true || last["users"].is_array(), "{last}");
        last["waiting"] != true
    })
    .await;
    let user = |number: usize| {
        json!({
            "user_id": format!("user{number}"), "username": format!("user{number}"),
            "email": format!("user{number}@example.com"),
            "is_deleted": false, "is_bot": false, "do_import": true, "is_email_taken": false,
        })
    };
    assert_eq!(last["users"], json!([user(0), user(1)]));
    let names: Vec<&str> = last.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["name", "users", "channels", "message_count", "contacts", "success"]);
    let channels: Vec<(&str, bool, bool)> = last["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|channel| {
            let is = |name: &str| channel[name].as_bool().unwrap();
            (channel["name"].as_str().unwrap(), is("is_private"), is("is_direct"))
        })
        .collect();
    assert_eq!(channels, [("general", false, false), ("secret", true, false), ("Direct messages", true, true)]);
    assert_eq!(last["channels"][2]["channel_id"], "__directMessages__");
    assert_eq!(last["message_count"], 6001);
    // Reading changes nothing.
    assert_eq!(service.status().await.json()["state"], "ready");
}

#[tokio::test]
async fn an_operation_that_rocket_chat_has_prepared_is_listed_as_it_staged_it() {
    let workspace = workspace().await.ready_for_imports().await;
    let prepared = operation("prepared").with("type", "CSV").with("importerKey", "csv");
    let count = doc! { "total": 9, "messages": 8 };
    workspace.add_operation(prepared.with("status", "importer_user_selection").with("count", count)).await;
    let channel = doc! { "importIds": ["C1"], "name": "dev", "users": [], "t": "p", "archived": true };
    for (id, data_type, data) in [("a", "channel", channel), ("b", "message", doc! { "rid": "C1", "msg": "hello" })] {
        let record = doc! { "_id": id, "data": data, "dataType": data_type, "options": {} };
        workspace.collection("rocketchat_import_data").insert_one(record).await.unwrap();
    }
    let service = workspace.serve().await;
    let listed = service.get_as_admin("/api/v1/getImportFileData").await.json();
    let channel = json!({
        "channel_id": "C1", "name": "dev", "is_archived": true, "do_import": true, "is_private": true, "is_direct": false,
    });
    assert_eq!((&listed["channels"], &listed["message_count"]), (&json!([channel]), &json!(1)));
}
