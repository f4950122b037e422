//! `import.errors`: the failed users, a page at a time; and trying them again.

use serde_json::{Value, json};

use crate::harness::{Service, Workspace, served, staged_users, user};

const ERRORS: &str = "/api/v1/import.errors";

/// An import of 130 users of whom all but ten are in the way of an existing one.
async fn import_with_failures() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..130);
    for user in users.iter_mut().skip(10) {
        user["username"] = json!("existing");
        user["password"] = json!("clear-text-secret");
    }
    service.stage(&users).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    (workspace, service)
}

async fn page(service: &Service, query: &str) -> Value {
    let answer = service.get_as_admin(&format!("{ERRORS}{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    assert!(!answer.body.contains("secret"), "a password must never be shown");
    answer.json()
}

fn import_ids(page: &Value) -> Vec<&str> {
    page["errors"].as_array().unwrap().iter().map(|failed| failed["importIds"][0].as_str().unwrap()).collect()
}

#[tokio::test]
async fn failed_users_come_in_pages_in_the_order_they_were_staged() {
    let (workspace, service) = import_with_failures().await;
    for (query, count, offset, first) in [
        ("", 50, 0, "id10"),
        ("?count=3", 3, 0, "id10"),
        ("?count=3&offset=2", 3, 2, "id12"),
        ("?count=1000", 100, 0, "id10"),
        ("?count=0", 120, 0, "id10"),
        ("?offset=115", 5, 115, "id125"),
    ] {
        let page = page(&service, query).await;
        let told = (page["count"].as_u64(), page["offset"].as_u64(), page["total"].as_u64());
        assert_eq!(told, (Some(count), Some(offset), Some(120)), "{query}");
        assert_eq!(import_ids(&page).len() as u64, count, "{query}");
        assert_eq!(import_ids(&page)[0], first, "{query}");
    }
    assert_eq!(page(&service, "?offset=500").await["errors"], json!([]));

    workspace.set("API_Upper_Count_Limit", 7).await;
    workspace.set("API_Default_Count", 4).await;
    workspace.set("API_Allow_Infinite_Count", false).await;
    for (query, count) in [("", 4), ("?count=100", 7), ("?count=0", 4)] {
        assert_eq!(page(&service, query).await["count"], count, "{query}");
    }
}

#[tokio::test]
async fn a_failed_user_is_told_with_what_identifies_it_and_the_reason() {
    let (_workspace, service) = import_with_failures().await;
    let page = page(&service, "?count=1").await;
    let mut failed = page["errors"][0].clone();
    assert_eq!(failed["_id"].as_str().unwrap().len(), 24);
    failed.as_object_mut().unwrap().remove("_id");
    let expected = json!({
        "importIds": ["id10"],
        "emails": ["user10@example.com"],
        "username": "existing",
        "name": "User 10",
        "roles": ["user"],
        "errors": ["The username existing is taken by the user existing (existing)."],
        "type": "user",
        "user": {
            "username": "existing",
            "emails": ["user10@example.com"],
            "importIds": ["id10"],
            "name": "User 10",
            "roles": ["user"],
        },
    });
    assert_eq!(failed, expected);
}

#[tokio::test]
async fn a_failed_user_is_told_with_the_line_he_was_staged_with_as_long_as_he_is_staged() {
    let (workspace, service) = served().await;
    workspace.add_user(user("existing")).await;
    let mut users = staged_users(0..3);
    for (user, line) in users.iter_mut().zip([json!(7), json!("8"), json!(-9)]) {
        user["username"] = json!("existing");
        user["line"] = line;
    }
    service.stage(&users).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let told = |page: &Value| -> Vec<Value> {
        let failed = page["errors"].as_array().unwrap().iter();
        failed.map(|failed| json!([failed["line"], failed["place"], failed["name"], failed["roles"]])).collect()
    };
    let unplaced = |name: &str| json!([null, null, name, ["user"]]);
    let expected = [json!([7, "line 7", "User 0", ["user"]]), unplaced("User 1"), unplaced("User 2")];
    assert_eq!(told(&page(&service, "").await), expected);
    let report = service.get_as_admin("/api/v1/import.report").await.json();
    assert_eq!((&report["lines"][0]["place"], &report["lines"][1]["place"]), (&json!("line 7"), &Value::Null));

    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    workspace.left_staged(0).await;
    assert_eq!(
        told(&page(&service, "").await),
        vec![json!([null, null, null, null]); 3],
        "the receipt knows none of it"
    );
}

#[tokio::test]
async fn a_failed_user_is_told_with_all_he_can_be_sent_again_with_and_a_value_that_is_too_large_is_named() {
    let (workspace, service) = served().await;
    workspace.add_user(user("existing")).await;
    let ids: Vec<String> = (0..30).map(|number| format!("id{number}")).collect();
    let mut left = json!({
        "importIds": ids, "emails": ["old@example.com"], "username": "existing", "name": "n".repeat(5000),
        "deleted": true, "type": "bot", "bio": "b".repeat(30_000), "statusText": "gone", "utcOffset": 5.5,
        "channels": ["news"], "avatarUrl": "https://pictures.example/1.png", "requirePasswordChange": true,
        "roles": ["user"], "customFields": { "team": { "name": "x", "size": 3 }, "a.b": [null, true] },
    });
    let secrets = json!({ "password": "secret", "services": { "password": { "bcrypt": "secret" } } });
    let mut sent = left.clone();
    sent.as_object_mut().unwrap().extend(secrets.as_object().unwrap().clone());
    let large = json!({
        "importIds": ["2"], "emails": ["b@example.com"], "username": "existing", "bio": "b".repeat(40_000),
        "customFields": { "text": "é".repeat(20_000) },
    });
    service.stage(&[sent, large]).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let told = page(&service, "").await;
    let failed = &told["errors"];
    assert_eq!(failed[0]["user"], left);
    assert_eq!(failed[0]["leftOut"], Value::Null);
    left = json!({ "importIds": ["2"], "emails": ["b@example.com"], "username": "existing", "roles": ["user"] });
    assert_eq!((&failed[1]["user"], &failed[1]["leftOut"]), (&left, &json!(["bio", "customFields"])));

    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    workspace.left_staged(0).await;
    let told = page(&service, "").await;
    assert_eq!((&told["errors"][0]["user"], &told["errors"][0]["leftOut"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn numbers_that_are_none_are_refused() {
    let (_workspace, service) = served().await;
    for query in [
        "?count=many",
        "?offset=-1",
        "?count=1.5",
        "?count=1&count=2",
        "?count=9223372036854775808",
        "?offset=9223372036854775808",
    ] {
        let answer = service.get_as_admin(&format!("{ERRORS}{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errorType"]), (400, &json!("error-invalid-params")));
    }
}

#[tokio::test]
async fn a_workspace_without_failures_has_an_empty_page() {
    let (_workspace, service) = served().await;
    let empty = json!({ "errors": [], "count": 0, "offset": 0, "total": 0, "success": true });
    assert_eq!(page(&service, "").await, empty);
}

#[tokio::test]
async fn failed_users_can_be_tried_again_once_the_reason_is_mended() {
    let (workspace, service) = import_with_failures().await;
    workspace.collection("users").delete_one(bson::doc! { "_id": "existing" }).await.unwrap();
    let resumed = service.post("/api/v1/import.resume", &json!({})).await.json();
    assert_eq!(resumed["operation"]["count"], json!({ "total": 120, "users": 120 }));
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    let count = json!({ "total": 120, "users": 120, "completed": 1, "error": 119 });
    assert_eq!(done["operation"]["count"], count, "one of them gets the name now");
    assert_eq!(page(&service, "").await["total"], 119);
}
