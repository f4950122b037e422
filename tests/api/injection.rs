//! Texts that would mean something to the database, if anything took them for more than text.

use std::collections::BTreeSet;

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::harness::{staged_user, workspace};

const TEXTS: [&str; 9] = [
    r#"{"$ne":null}"#,
    r#"{"$gt":""}"#,
    r#"{"$regex":".*"}"#,
    "[$ne]",
    "$where",
    "$$NOW",
    ".*",
    "/^a/",
    "'; return true; //",
];

#[tokio::test]
async fn in_a_header_they_are_an_unknown_user_or_a_wrong_token() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for text in TEXTS {
        for (user_id, token) in [(text, "admin-token"), ("admin", text), (text, text)] {
            assert_eq!(service.status_as(user_id, token).await.status, 401, "{user_id} {token}");
        }
    }
}

#[tokio::test]
async fn in_a_query_they_are_no_number() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for text in TEXTS {
        let text = text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        for parameter in ["count", "offset"] {
            let answer = service.get_as_admin(&format!("/api/v1/import.errors?{parameter}={text}")).await;
            assert_eq!(answer.status, 400, "{parameter}={text}");
        }
    }
    // Rocket.Chat's own lists take these two; nothing here does.
    for parameter in ["query=%7B%22%24where%22%3A%221%22%7D", "fields=%7B%22data%22%3A1%7D", "count[$gt]=1"] {
        let answer = service.get_as_admin(&format!("/api/v1/import.errors?{parameter}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["total"]), (200, &json!(0)), "{parameter}");
    }
}

#[tokio::test]
async fn in_a_user_they_are_the_users_and_nobody_elses() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let administrator = workspace.collection("users").find_one(doc! { "_id": "admin" }).await.unwrap();
    let users: Vec<Value> = TEXTS
        .iter()
        .map(|text| {
            json!({
                "username": text, "emails": [text], "importIds": [text], "name": text,
                "customFields": { "$where": text, "a.b": { "$set": text } },
                "$set": { "roles": ["admin"] }, "_id": "admin", "$unset": text,
            })
        })
        .collect();
    service.stage(&users).await;
    service.run_import().await;
    let status = service.wait_for_state("done").await;
    assert_eq!(status["operation"]["count"]["completed"], TEXTS.len(), "{status}");

    let accounts = workspace.imported().await;
    let usernames: BTreeSet<&str> = accounts.iter().map(|account| account.get_str("username").unwrap()).collect();
    assert_eq!(usernames, BTreeSet::from(TEXTS));
    for account in &accounts {
        let text = account.get_str("username").unwrap();
        assert_eq!(account.get_array("roles").unwrap(), &[bson::Bson::from("user")]);
        let custom: &Document = account.get_document("customFields").unwrap();
        assert_eq!(custom, &doc! { "$where": text, "a.b": { "$set": text } });
        assert!(!account.contains_key("$set") && !account.contains_key("$unset"), "{account}");
    }
    let still = workspace.collection("users").find_one(doc! { "_id": "admin" }).await.unwrap();
    assert_eq!(still, administrator);
}

#[tokio::test]
async fn as_a_role_they_are_one_that_does_not_exist() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.new_import().await;
    for text in TEXTS {
        let mut user = staged_user(1);
        user["roles"] = json!([text]);
        let answer = service.try_add_users(&[user]).await;
        assert!(answer.status == 400 && answer.body.contains("invalid roles"), "{text}: {}", answer.body);
    }
    assert_eq!(workspace.count_staged().await, 0);
}
