//! Files that are fit to be sent.

use bson::doc;
use serde_json::json;

use super::{File, call, csv_of, operation_count, proxy::Proxy, summary};
use crate::harness::{served, staged_users, user};

#[tokio::test]
async fn a_csv_of_three_thousand_users_is_imported_and_ends_with_0() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..3000));
    let finished = call(&service.address, &["users", file.path(), "--run", "--json"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary = summary(&finished);
    assert_eq!((&summary["users"], &summary["staged"]), (&json!(3000), &json!(3000)));
    assert_eq!(summary["run"]["status"]["state"], "done");
    assert_eq!((&summary["run"]["created"], &summary["run"]["failed"]), (&json!(3000), &json!(0)));
    assert!(finished.errors.contains("3000 created, 0 failed of 3000"), "{finished:?}");
    assert_eq!(workspace.count_imported().await, 3000);
    workspace.left_staged(0).await;
}

#[tokio::test]
async fn users_that_exist_end_the_import_with_1_and_are_listed_with_the_reason() {
    let (workspace, service) = served().await;
    for number in 0..150 {
        let address = json!([{ "address": format!("user{number}@example.com"), "verified": true }]);
        let emails = bson::serialize_to_bson(&address).unwrap();
        workspace.add_user(user(&format!("known{number}")).with("emails", emails)).await;
    }
    let file = File::new("users.csv", csv_of(0..400));
    let arguments = ["users", file.path(), "--run", "--json", "--on-existing", "fail"];
    let finished = call(&service.address, &arguments).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let failed = summary(&finished)["failed"].as_array().unwrap().clone();
    assert_eq!(failed.len(), 150);
    for (number, user) in failed.iter().enumerate() {
        assert!(!user["errors"][0].as_str().unwrap().is_empty(), "{user}");
        let (name, email) = (user["username"].as_str().unwrap(), user["emails"][0].as_str().unwrap());
        let line = format!("failed: line {}: {name}, {email}", user["line"]);
        assert_eq!(finished.errors.contains(&line), number < 20, "{line}");
    }
    assert!(finished.errors.contains("failed: 150 users: The e-mail address … is taken"), "{finished:?}");
    assert_eq!(operation_count(&service, "completed").await, 250);
    let watched = call(&service.address, &["status", "--watch"]).await;
    assert_eq!(watched.code, Some(1), "a finished import with failed users: {watched:?}");
}

#[tokio::test]
async fn where_calls_are_limited_the_import_takes_its_time_and_ends_with_0() {
    let (workspace, service) = served().await;
    workspace.grant("api-bypass-rate-limit", &[]).await;
    workspace.limit_calls(3, 1500).await;
    let file = File::new("users.csv", csv_of(0..40));
    let finished = call(&service.address, &["users", file.path(), "--run", "--batch", "5"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("the server asks to wait for"), "{finished:?}");
    assert!(service.log_lines(" status=429 ").len() >= 2, "{finished:?}");
    assert_eq!(workspace.count_imported().await, 40);
    workspace.left_staged(0).await;
}

#[tokio::test]
async fn every_format_stages_the_same_users_and_runs_nothing_by_itself() {
    let (workspace, service) = served().await;
    let users = staged_users(0..20);
    let lines = users.iter().map(serde_json::Value::to_string).collect::<Vec<_>>().join("\n");
    let rows = (0..20).map(|n| format!("user{n};user{n}@example.com;id{n};User {n}")).collect::<Vec<_>>().join("\r\n");
    let files = [
        File::new("users.json", serde_json::to_vec_pretty(&users).unwrap()),
        File::new("wrapped.JSON", json!({ "users": users }).to_string()),
        File::new("users.jsonl", &lines),
        File::new("users.ndjson", &lines),
        File::new("users.csv", format!("\u{feff}username;email;importId;name\r\n{rows}")),
    ];
    for file in files {
        let finished = call(&service.address, &["users", file.path(), "--batch", "7", "--replace=staged"]).await;
        assert_eq!((finished.code, finished.output.as_str()), (Some(0), ""), "{finished:?}");
        let staged = workspace.staged_data().await;
        assert_eq!(staged.len(), 20, "{}", file.path());
        for (number, user) in staged.iter().enumerate() {
            assert_eq!(user.get_str("username").unwrap(), format!("user{number}"));
            assert_eq!(user.get_array("emails").unwrap()[0].as_str().unwrap(), format!("user{number}@example.com"));
            assert_eq!(user.get_array("importIds").unwrap()[0].as_str().unwrap(), format!("id{number}"));
            assert_eq!(user.get_str("name").unwrap(), format!("User {number}"));
        }
        assert_eq!(service.status().await.json()["state"], "ready");
    }
}

#[tokio::test]
async fn an_import_id_is_made_of_the_username_or_the_address_when_that_is_asked_for() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", "username,email\nann,a@b.c\n");
    for (from, expected) in [("username", "ann"), ("email", "a@b.c")] {
        let finished =
            call(&service.address, &["users", file.path(), "--import-id-from", from, "--replace=staged"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let staged = workspace.staged_data().await;
        assert_eq!(staged[0].get_array("importIds").unwrap()[0].as_str(), Some(expected));
    }
}

#[tokio::test]
async fn a_dry_run_needs_no_server_and_sends_nothing() {
    let (workspace, service) = served().await;
    let file = File::new("users.csv", csv_of(0..10));
    let finished = call(&service.address, &["users", file.path(), "--dry-run", "--json"]).await;
    assert_eq!((finished.code, &summary(&finished)["users"]), (Some(0), &json!(10)), "{finished:?}");
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
    let alone = crate::harness::run(&["users", file.path(), "--dry-run"], &[]).await;
    assert_eq!(alone.code, Some(0), "{alone:?}");
}

#[tokio::test]
async fn people_who_are_there_are_no_error_and_are_counted_apart() {
    let (workspace, service) = served().await;
    let address = |address: &str, verified: bool| bson::bson!([{ "address": address, "verified": verified }]);
    workspace.add_user(user("known1").with("emails", address("USER1@example.com", true))).await;
    workspace.add_user(user("known2").with("emails", address("user2@example.com", false))).await;
    let file = File::new("users.csv", csv_of(0..10));
    let finished = call(&service.address, &["users", file.path(), "--run", "--json"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let run = &summary(&finished)["run"];
    assert_eq!((&run["created"], &run["same"], &run["failed"]), (&json!(8), &json!(2), &json!(0)), "{run}");
    assert_eq!(run["unsure"], json!([{ "importIds": ["id2"], "account": "known2", "foundBy": "unverifiedEmail" }]));
    assert!(finished.errors.contains("8 created, 2 already there, 0 failed of 10"), "{finished:?}");

    let linked = call(&service.address, &["users", file.path(), "--run", "--json", "--on-existing", "link"]).await;
    assert_eq!(linked.code, Some(0), "{linked:?}");
    let run = &summary(&linked)["run"];
    assert_eq!((&run["created"], &run["linked"], &run["same"]), (&json!(0), &json!(2), &json!(8)), "{run}");
}

#[tokio::test]
async fn users_with_pictures_within_their_addresses_go_through_a_proxy_with_the_default_limit_of_nginx() {
    let (workspace, service) = served().await;
    let picture = format!("data:image/png;base64,{}", "A".repeat(20_000));
    let row = |number: usize| format!("user{number},user{number}@x.io,{number},\"{picture}\"\n");
    let rows: Vec<String> = (0..200).map(row).collect();
    let file = File::new("users.csv", format!("username,emails,importIds,avatarUrl\n{}", rows.concat()));
    let proxy = Proxy::narrow(&service.address, 1024 * 1024).await;
    let finished = call(&proxy.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("client_max_body_size"), "{finished:?}");
    let with_picture = workspace.collection("users").count_documents(doc! { "_pendingAvatarUrl": picture }).await;
    assert_eq!(with_picture.unwrap(), 200);
}
