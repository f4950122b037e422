//! Calls that are sent several times and done once: `Idempotency-Key` on `import.addUsers`.

use std::time::Duration;

use bson::{Document, doc};
use futures::future::join_all;
use nix::sys::signal::Signal;
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};

use crate::harness::{Answer, Service, eventually, served, staged_users};

const ADD_USERS: &str = "/api/v1/import.addUsers";
const KEYS: &str = "rocketchat_import_service_keys";

impl Service {
    /// `import.addUsers` with this key.
    async fn add_with_key(&self, key: &str, users: &[Value]) -> Answer {
        self.add_body_with_key(HeaderValue::from_str(key).unwrap(), json!({ "users": users }).to_string()).await
    }

    async fn add_body_with_key(&self, key: HeaderValue, body: String) -> Answer {
        let request = self.request(Method::POST, ADD_USERS);
        let request = request.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
        let request = request.header("Content-Type", "application/json").header("Idempotency-Key", key);
        self.send(request.body(body)).await
    }
}

#[tokio::test]
async fn a_call_sent_again_with_its_key_is_answered_with_success_and_stages_nobody_twice() {
    let (workspace, service) = served().await;
    let operation = service.new_import().await;
    for _ in 0..3 {
        let answer = service.add_with_key("first", &staged_users(0..10)).await;
        assert_eq!(answer.told(), (200, r#"{"success":true}"#));
    }
    assert_eq!(service.add_with_key("second", &staged_users(10..15)).await.status, 200);
    assert_eq!(workspace.count_staged().await, 15);
    assert_eq!(service.status().await.json()["operation"]["count"], json!({ "total": 15, "users": 15 }));

    let keys = workspace.collection(KEYS);
    let stored: Document = keys.find_one(doc! { "_id": format!("{operation}:first") }).await.unwrap().unwrap();
    assert!(!stored.to_string().contains("user1"), "a hash is kept, and nothing of the body: {stored}");

    // Without a key each call is one of its own, as in Rocket.Chat.
    service.add_users(&staged_users(20..21)).await;
    service.add_users(&staged_users(20..21)).await;
    assert_eq!(workspace.count_staged().await, 17);
}

#[tokio::test]
async fn a_call_is_answered_with_success_again_also_once_its_users_are_imported() {
    let (workspace, service) = served().await;
    service.new_import().await;
    assert_eq!(service.add_with_key("once", &staged_users(0..3)).await.status, 200);
    service.run_import().await;
    service.wait_for_state("done").await;
    let again = service.add_with_key("once", &staged_users(0..3)).await;
    assert_eq!(again.told(), (200, r#"{"success":true}"#));
    assert_eq!(workspace.count_imported().await, 3);
    assert_eq!(service.add_with_key("new", &staged_users(3..4)).await.status, 400, "it takes no more users");
}

#[tokio::test]
async fn a_key_belongs_to_one_body_and_to_one_operation() {
    let (workspace, service) = served().await;
    service.new_import().await;
    assert_eq!(service.add_with_key("key", &staged_users(0..2)).await.status, 200);
    let other = service.add_with_key("key", &staged_users(0..3)).await;
    assert_eq!(
        (other.status.as_u16(), other.json()["errorType"].as_str()),
        (422, Some("error-idempotency-key-reused"))
    );
    assert_eq!(workspace.count_staged().await, 2);

    service.new_import().await;
    assert_eq!(service.add_with_key("key", &staged_users(0..3)).await.status, 200, "a new import knows no key");
    assert_eq!(workspace.count_staged().await, 3);
}

#[tokio::test]
async fn a_call_that_was_refused_leaves_its_key_free() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let mut users = staged_users(0..2);
    users[1]["roles"] = json!(["unheard-of"]);
    assert_eq!(service.add_with_key("key", &users).await.status, 400);
    assert_eq!(service.add_with_key("key", &staged_users(0..2)).await.status, 200);
    assert_eq!(workspace.count_staged().await, 2);
}

#[tokio::test]
async fn of_many_calls_with_one_key_at_once_one_stages_and_the_others_succeed_or_are_in_work() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let users = staged_users(0..2000);
    let calls = (0..12).map(|_| service.add_with_key("same", &users));
    let answers = join_all(calls).await;
    for answer in &answers {
        match answer.status.as_u16() {
            200 => {}
            409 => assert_eq!(answer.json()["errorType"], "error-idempotency-key-in-work"),
            _ => panic!("{answer:?}"),
        }
    }
    assert!(answers.iter().any(|answer| answer.status == 200), "{answers:?}");
    let settled = service.add_with_key("same", &users).await;
    assert_eq!(settled.told(), (200, r#"{"success":true}"#));
    assert_eq!(workspace.count_staged().await, 2000);
    assert_eq!(service.status().await.json()["operation"]["count"]["users"], 2000);
}

#[tokio::test]
async fn calls_with_different_keys_are_all_staged_also_the_first_ones_of_a_workspace() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let calls = (0..6).map(async |call| {
        let users = staged_users(call * 10..call * 10 + 10);
        let mut answer = service.add_with_key(&format!("key-{call}"), &users).await;
        while answer.status == 409 {
            answer = service.add_with_key(&format!("key-{call}"), &users).await;
        }
        answer
    });
    for answer in join_all(calls).await {
        assert_eq!(answer.told(), (200, r#"{"success":true}"#));
    }
    assert_eq!(workspace.count_staged().await, 60);
}

#[tokio::test]
async fn a_call_whose_client_goes_away_is_staged_or_not_but_never_twice() {
    let (workspace, mut service) = served().await;
    service.new_import().await;
    let users = staged_users(0..5000);
    for wait in [5, 20, 60, 150, 400] {
        let call = service.add_with_key("gone", &users);
        tokio::time::timeout(Duration::from_millis(wait), call).await.ok();
    }
    eventually("the call succeeds", Duration::from_secs(90), async || {
        service.add_with_key("gone", &users).await.status == 200
    })
    .await;
    assert_eq!(workspace.count_staged().await, 5000);
    // In its own time: a database with a transaction that was broken off is not dropped for a minute.
    service.signal(Signal::SIGTERM);
    service.ended().await;
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_refused_before_anything_is_staged() {
    let (workspace, service) = served().await;
    service.new_import().await;
    let body = || json!({ "users": staged_users(0..1) }).to_string();
    for key in ["", "two words", &"k".repeat(256), "caf\u{e9}"] {
        let answer = service.add_body_with_key(HeaderValue::from_bytes(key.as_bytes()).unwrap(), body()).await;
        assert_eq!((answer.status.as_u16(), answer.json()["errorType"].as_str()), (400, Some("error-invalid-params")));
        assert!(answer.body.contains("Idempotency-Key"), "{}", answer.body);
    }
    assert_eq!(workspace.count_staged().await, 0);
    assert_eq!(service.add_body_with_key(HeaderValue::from_str(&"k".repeat(255)).unwrap(), body()).await.status, 200);
}
