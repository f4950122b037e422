//! Records that cannot be stored.

use serde_json::{Value, json};

use super::assert_exact;
use crate::harness::{served, staged_user, staged_users, user};

/// So many addresses that the account, in which each takes 45 bytes, is larger than a document may be.
fn giant() -> Value {
    let emails: Vec<String> = (0..420_000).map(|number| format!("a{number}@b.c")).collect();
    json!({ "username": "giant", "importIds": ["giant"], "emails": emails })
}

#[tokio::test]
async fn an_account_that_is_too_large_fails_with_a_reason_and_the_others_are_imported() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..700)).await;
    service.add_users(&[giant()]).await;
    service.add_users(&staged_users(700..1000)).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    let count = json!({ "total": 1001, "users": 1001, "completed": 1000, "error": 1 });
    assert_eq!(done["operation"]["count"], count);
    assert_exact(&workspace, &service, &done, 0).await;
    let errors = service.get_as_admin("/api/v1/import.errors").await.json();
    assert_eq!(errors["errors"][0]["importIds"], json!(["giant"]));
    let reason = errors["errors"][0]["errors"][0].as_str().unwrap();
    assert!(reason.contains("too large (420000 e-mail addresses)"), "{reason}");
}

#[tokio::test]
async fn a_failed_record_without_room_for_its_reason_has_it_in_the_receipt() {
    let (workspace, service) = served().await;
    workspace.add_user(user("existing")).await;
    let mut large = staged_user(0);
    large["username"] = json!("existing");
    // The record stays just below 16 MiB, and a reason does not fit any more.
    large["unknown"] = json!("x".repeat(16 * 1024 * 1024 - 350));
    service.stage(&[large]).await;
    service.add_users(&staged_users(1..20)).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(
        (&done["operation"]["count"]["completed"], &done["operation"]["count"]["error"]),
        (&json!(19), &json!(1))
    );
    assert_exact(&workspace, &service, &done, 1).await;
    let errors = service.get_as_admin("/api/v1/import.errors").await.json();
    let reason = "The username existing is taken by the user existing (existing).";
    assert_eq!(errors["errors"][0]["errors"], json!([reason]));
}
