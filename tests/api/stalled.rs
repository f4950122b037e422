//! Imports in which nothing moves.

use std::time::Duration;

use bson::{DateTime, doc};
use serde_json::{Value, json};

use crate::{
    command_line::call,
    harness::{OperationBuilder, eventually, operation, served},
};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// An import is called stalled after so long.
const STALLED_AFTER_MILLIS: i64 = 5 * 60 * 1000;
const WORDS: &str = "Nothing has moved for 3 days";
const OWNER: &str = "Rocket.Chat's own process runs this import; it does not go on after a restart";
const STEPS: [(&str, &str); 2] =
    [("importer_importing_messages", "importing"), ("importer_preparing_started", "loading")];

/// An operation that last changed so long ago, without numbers.
fn unchanged_for(millis: i64, step: &str) -> OperationBuilder {
    let changed = DateTime::from_millis(DateTime::now().timestamp_millis() - millis);
    operation("old").with("ts", changed).with("status", step).with("_updatedAt", changed)
}

fn iso(moment: DateTime) -> String {
    chrono::DateTime::from_timestamp_millis(moment.timestamp_millis())
        .unwrap()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[tokio::test]
async fn an_import_that_rocketchat_left_behind_is_told_as_that_and_can_be_cleared() {
    for (step, state) in STEPS {
        let (workspace, service) = served().await;
        workspace.add_operation(unchanged_for(3 * DAY_MILLIS, step)).await;
        let stored = workspace.operation_named("old").await;
        let since = iso(*stored.get_datetime("_updatedAt").unwrap());

        let answer = service.status().await;
        let body = answer.json();
        let stalled = &body["operation"]["import"]["stalled"];
        assert_eq!((&stalled["since"], &stalled["runBy"]), (&json!(since), &json!("rocketchat")), "{body}");
        let words = stalled["words"].as_str().unwrap();
        assert!(words.starts_with(WORDS) && words.contains(OWNER) && words.contains("clear the import"), "{words}");
        let rest = format!(
            r#"{{"state":"{state}","operation":{{"_id":"old","type":"api","importerKey":"api","ts":"{since}","status":"{step}","valid":true,"user":"admin","_updatedAt":"{since}","import":{{"stalled":{stalled}}}}},"success":true}}"#
        );
        // The rest is as Rocket.Chat answers it, byte for byte.
        assert_eq!(answer.body.len(), rest.len(), "{}", answer.body);
        assert_eq!(answer.body.split(r#","import""#).next(), rest.split(r#","import""#).next());

        let first = service.events().await.next().await;
        assert_eq!(first.data["operation"], body["operation"], "{first:?}");
        let progress = &first.data["progress"];
        assert_eq!(
            (&progress["percent"], &progress["usersPerSecond"], &progress["estimatedEnd"]),
            (&json!(0), &json!(0.0), &Value::Null),
            "{first:?}"
        );

        let told = call(&service.address, &["status"]).await;
        assert!(told.code == Some(0) && told.output.contains(&format!("stalled    {WORDS}")), "{told:?}");
        assert!(told.output.contains(OWNER) && !told.output.contains('%'), "{told:?}");

        let address = service.address.clone();
        let watching = tokio::spawn(async move { call(&address, &["status", "--watch"]).await });
        let asked = service.log_lines("path=/api/v1/import.status ").len();
        eventually("the command looks again", Duration::from_secs(30), async || {
            service.log_lines("path=/api/v1/import.status ").len() >= asked + 3
        })
        .await;
        let cleared = service.post("/api/v1/import.clear", &json!({})).await;
        assert_eq!(cleared.told(), (200, r#"{"success":true}"#));
        let watched = watching.await.unwrap();
        assert_eq!((watched.code, watched.errors.matches(WORDS).count()), (Some(1), 1), "{watched:?}");
        for number in ["NaN", "inf/s", "%", "left"] {
            assert!(!watched.output.contains(number) && !watched.errors.contains(number), "{watched:?}");
        }

        let ended = service.status().await.json();
        assert_eq!((&ended["state"], &ended["operation"]["import"]), (&json!("error"), &Value::Null), "{ended}");
        service.new_import().await;
        let again = service.post("/api/v1/import.clear", &json!({})).await;
        assert_eq!(again.status, 200, "{again:?}");
    }
}

#[tokio::test]
async fn an_import_that_stops_moving_is_told_to_those_who_follow_it_and_so_is_its_next_move() {
    let (workspace, service) = served().await;
    let count = doc! { "total": 100, "users": 100, "completed": 50 };
    let soon = unchanged_for(STALLED_AFTER_MILLIS - 4000, "importer_importing_users").with("count", count);
    workspace.add_operation(soon).await;
    let mut events = service.events().await;
    let first = events.next().await;
    assert_eq!(first.data["operation"]["import"], Value::Null, "{first:?}");
    let second = events.next().await;
    let words = second.data["operation"]["import"]["stalled"]["words"].as_str().unwrap();
    assert!(words.starts_with("Nothing has moved for 5 minutes (since "), "{words}");
    assert_eq!((second.state(), second.count("completed")), ("importing", 50), "the import is the same");
    let change = doc! { "count.completed": 100, "_updatedAt": DateTime::now() };
    workspace.change_operation("old", change).await;
    let third = events.next().await;
    assert_eq!((third.count("completed"), &third.data["operation"]["import"]), (100, &Value::Null), "{third:?}");
}

#[tokio::test]
async fn an_import_with_a_lease_is_this_services_and_one_that_waits_for_somebody_does_not_stall() {
    let (workspace, service) = served().await;
    workspace
        .add_operation(unchanged_for(DAY_MILLIS, "importer_importing_users").with("import", doc! { "a": 1 }))
        .await;
    let until = DateTime::from_millis(DateTime::now().timestamp_millis() + DAY_MILLIS);
    let lease = doc! { "_id": "old", "root": "old", "holder": "another", "until": until, "epoch": 1_i64 };
    workspace.collection("rocketchat_import_service_run_leases").insert_one(lease).await.unwrap();
    let own = &service.status().await.json()["operation"]["import"];
    assert_eq!((&own["a"], &own["stalled"]["runBy"]), (&json!(1), &json!("service")), "{own}");
    let words = own["stalled"]["words"].as_str().unwrap();
    assert!(words.contains("for 1 day (") && words.contains("goes on after a restart"), "{words}");

    for step in ["importer_new", "importer_user_selection", "importer_done"] {
        workspace.only_operation(unchanged_for(3 * DAY_MILLIS, step).document()).await;
        let waits = service.status().await;
        assert!(!waits.body.contains("stalled"), "{}", waits.body);
    }
}
