//! Who is let in, and what the others are told.

use bson::doc;
use reqwest::Method;

use crate::harness::{Service, hashed, user, workspace};

const STATUS: &str = "/api/v1/import.status";
const NOT_LOGGED_IN: &str = r#"{"success":false,"error":"You must be logged in to do this.","status":"error","message":"You must be logged in to do this."}"#;

async fn assert_not_logged_in(service: &Service, user_id: &str, token: &str) {
    let answer = service.status_as(user_id, token).await;
    assert_eq!(answer.told(), (401, NOT_LOGGED_IN), "{user_id:?} {token:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_login_token_and_a_personal_access_token_both_let_in() {
    let workspace = workspace().await;
    workspace.add_user(user("second").admin().with_token("login").with_personal_access_token("personal")).await;
    let service = workspace.serve().await;
    for token in ["login", "personal"] {
        assert_eq!(service.status_as("second", token).await.status, 200, "{token}");
    }
}

#[tokio::test]
async fn wrong_missing_or_empty_credentials_are_told_to_log_in() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (user_id, token) in [
        ("admin", "wrong"),
        ("nobody", "admin-token"),
        ("", "admin-token"),
        ("admin", ""),
        ("", ""),
        // The stored hash is not the token.
        ("admin", &hashed("admin-token")),
        // Text stays text: nothing here is taken for a query.
        (r#"{"$ne":null}"#, "admin-token"),
    ] {
        assert_not_logged_in(&service, user_id, token).await;
    }
    let bare = service.get(STATUS).await;
    assert_eq!(bare.told(), (401, NOT_LOGGED_IN));
    assert_eq!(bare.header("www-authenticate"), None);
}

#[tokio::test]
async fn repeated_and_binary_headers_are_told_to_log_in() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let twice = service
        .request(Method::GET, STATUS)
        .header("X-User-Id", "admin")
        .header("X-Auth-Token", "admin-token")
        .header("X-Auth-Token", "admin-token");
    assert_eq!(service.send(twice).await.status, 401);
    let binary = service
        .request(Method::GET, STATUS)
        .header("X-User-Id", b"\xff\xfe\x80".as_slice())
        .header("X-Auth-Token", b"\xc3\x28".as_slice());
    assert_eq!(service.send(binary).await.body, NOT_LOGGED_IN);
}

#[tokio::test]
async fn a_revoked_token_is_refused_from_the_next_request_on() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    assert_eq!(service.status().await.status, 200);
    workspace.update("users", "admin", doc! { "$set": { "services.resume.loginTokens": [] } }).await;
    assert_not_logged_in(&service, "admin", "admin-token").await;
}
