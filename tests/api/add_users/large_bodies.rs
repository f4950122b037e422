//! Bodies of a size that somebody has to say no to, or has to cope with.

use bson::doc;
use serde_json::json;

use super::ADD_USERS;
use crate::harness::{Framing, Mongo, Service, Workspace, served, staged_user, staged_users, user};

/// As much as Rocket.Chat takes.
const LIMIT_BYTES: usize = 50 * 1024 * 1024;
const ADMIN: (&str, &str) = ("admin", "admin-token");
const TOO_LARGE: &str = r#"{"success":false,"error":"The body is larger than 52428800 bytes"}"#;

async fn assert_answered(service: &Service, user: (&str, &str), framing: Framing, status: &str, body: &str) {
    let answer = service.post_of_length(user, ADD_USERS, LIMIT_BYTES + 1, framing).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{framing:?}: {answer:?}");
    assert!(answer.to_lowercase().contains("\r\ncontent-type: application/json\r\n"), "{framing:?}: {answer}");
    assert!(answer.ends_with(body), "{framing:?}: {answer:?}");
}

#[tokio::test]
async fn a_body_over_fifty_megabytes_is_too_large_however_it_is_sent() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let before = workspace.operations().await;
    for framing in [Framing::ContentLength, Framing::Chunked] {
        assert_answered(&service, ADMIN, framing, "413", TOO_LARGE).await;
    }
    assert_eq!(workspace.staged().await, []);
    assert_eq!(workspace.operations().await, before);
    service.add_users(&staged_users(0..1)).await;
}

#[tokio::test]
async fn a_common_client_that_sends_too_much_hears_so_too() {
    let (_workspace, service) = served().await;
    for _ in 0..3 {
        let answer = service.post_body(ADD_USERS, super::JSON, vec![b' '; LIMIT_BYTES + 1]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (413, TOO_LARGE));
    }
}

#[tokio::test]
async fn who_may_not_import_hears_that_before_the_size_of_the_body() {
    let (workspace, service) = served().await;
    workspace.add_user(user("guest").with_token("guest-token")).await;
    for framing in [Framing::ContentLength, Framing::Chunked] {
        assert_answered(&service, ("admin", "wrong"), framing, "401", r#""You must be logged in to do this."}"#).await;
        assert_answered(&service, ("guest", "guest-token"), framing, "403", r#"[error-unauthorized]"}"#).await;
    }
}

#[tokio::test]
async fn a_body_of_exactly_fifty_megabytes_is_read() {
    let (_workspace, service) = served().await;
    let answer = service.post_of_length(ADMIN, ADD_USERS, LIMIT_BYTES, Framing::Chunked).await;
    // It is white space.
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    assert!(answer.contains("the body is not valid JSON"), "{answer:?}");
}

#[tokio::test]
async fn a_user_too_large_to_be_stored_is_refused_and_nobody_of_the_call_is_stored() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let before = workspace.operations().await;
    let mut large = staged_user(1);
    large["bio"] = json!("x".repeat(17 * 1024 * 1024));
    let answer = service.try_add_users(&[staged_user(0), large, staged_user(2)]).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(answer.json()["success"], false);
    assert!(answer.body.len() < 500, "the answer does not repeat the user");
    assert_eq!(workspace.staged().await, []);
    assert_eq!(workspace.operations().await, before);
}

#[tokio::test]
async fn forty_megabytes_of_users_in_one_call_are_staged() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let bio = "x".repeat(10_000);
    let users: Vec<_> = staged_users(0..4000)
        .into_iter()
        .map(|mut user| {
            user["bio"] = json!(bio);
            user
        })
        .collect();
    service.add_users(&users).await;
    assert_eq!(workspace.collection("rocketchat_import_data").count_documents(bson::doc! {}).await.unwrap(), 4000);
    assert_eq!(service.status().await.json()["operation"]["count"], json!({ "total": 4000, "users": 4000 }));
}

#[tokio::test]
async fn more_than_the_database_stores_in_one_transaction_says_so_and_stages_nothing() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.new_import().await;
    let limit = doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": 1 };
    workspace.database.client().database("admin").run_command(limit).await.unwrap();
    // A debug build takes several seconds for them.
    let refused = service.try_add_users(&staged_users(0..150_000)).await;
    let reason = refused.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 400, "{reason}");
    assert!(reason.contains("cut the transaction short, and none is staged. Send fewer at once"), "{reason}");
    assert_eq!(workspace.count_staged().await, 0);
    service.add_users(&staged_users(0..100)).await;
    assert_eq!(workspace.count_staged().await, 100);
}
