//! Following an import by server-sent events.

use std::time::{Duration, Instant};

use bson::{DateTime, doc};
use futures::future::join_all;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::harness::{Event, Mongo, Workspace, operation, run, served, staged_users, states, user, workspace};

const STREAM: &str = "/api/v1/import.status.stream";
const OPERATIONS: &str = "rocketchat_import";
/// In which a token or permission that was taken away has to end a stream.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);
/// Far below what requests in flight are given.
const STOPPED_WITHIN: Duration = Duration::from_secs(4);
const USERS: u64 = 20_000;

/// That nothing in `events` ever goes back, and that no two after each other are the same.
fn assert_forwards(events: &[Event]) {
    for (before, after) in events.iter().zip(&events[1..]) {
        assert_ne!(before.text, after.text);
        let operation = |event: &Event| event.data["operation"].clone();
        let [before, after] = [operation(before), operation(after)];
        if before["_id"] == after["_id"] {
            assert!(before["_updatedAt"].as_str() <= after["_updatedAt"].as_str(), "{before} {after}");
            for count in ["completed", "error"] {
                let [before, after] = [&before, &after].map(|of| of["count"][count].as_u64().unwrap_or_default());
                assert!(before <= after, "{count}: {before} {after}");
            }
        }
    }
}

#[tokio::test]
async fn the_first_event_is_the_body_of_import_status_with_progress() {
    let (workspace, service) = served().await;
    let mut events = service.events().await;
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.header("cache-control"), Some("no-cache"));
    assert_eq!(events.header("x-accel-buffering"), Some("no"));
    assert_eq!(events.header("access-control-allow-origin"), Some("*"));
    let none = events.next().await;
    assert_eq!((none.name.as_str(), none.id.as_deref()), ("status", Some(":0:none")));
    assert_eq!(none.status_body(), r#"{"state":"none","success":true}"#);
    let nothing = json!({ "percent": 0, "usersPerSecond": 0.0, "estimatedEnd": null, "elapsedSeconds": 0.0 });
    assert_eq!(none.data["progress"], nothing);
    // As any release of Rocket.Chat may have left it.
    for stored in [
        operation("plain").document(),
        operation("odd")
            .with("ts", 5)
            .with("status", "never heard of it")
            .with("more", doc! { "a.b": [1.5] })
            .document(),
        operation("old").without("_updatedAt").with("valid", false).document(),
        operation("done")
            .with("status", "importer_done")
            .with("count", doc! { "total": 3.0, "completed": 3 })
            .document(),
    ] {
        workspace.only_operation(stored).await;
        let first = service.events().await.next().await;
        assert_eq!(first.status_body(), service.status().await.body);
        let percent = if first.state() == "done" { 100 } else { 0 };
        assert_eq!(first.data["progress"]["percent"], percent);
    }
}

#[tokio::test]
async fn what_was_written_before_a_stream_is_opened_is_in_its_first_event() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("one")).await;
    let _other = service.events().await;
    for round in 1..=100 {
        workspace.change_operation("one", doc! { "count.completed": round }).await;
        let first = service.events().await.next().await;
        assert_eq!(first.data["operation"]["count"]["completed"], round);
    }
}

#[tokio::test]
async fn every_change_is_one_event() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("one").with("count", doc! { "total": 1000, "completed": 0 })).await;
    let mut followers = [service.events().await, service.events().await];
    for followed in &mut followers {
        assert_eq!(followed.next().await.count("completed"), 0);
    }
    for completed in 1..=50 {
        workspace.change_operation("one", doc! { "count.completed": completed }).await;
        // What changes nothing is no change.
        workspace.change_operation("one", doc! { "count.completed": completed }).await;
    }
    let unset = doc! { "$unset": { "count.total": 1 }, "$push": { "list": { "$each": [1, { "a": 2 }] } } };
    workspace.update(OPERATIONS, "one", unset).await;
    workspace.update(OPERATIONS, "one", doc! { "$set": { "list.1.a": 3 } }).await;
    workspace.update(OPERATIONS, "one", doc! { "$pop": { "list": 1 } }).await;
    workspace.update(OPERATIONS, "one", doc! { "$set": { "status": "importer_done" } }).await;
    for followed in &mut followers {
        let seen = followed.until(|event| event.state() == "done").await;
        let completed: Vec<u64> = seen[..50].iter().map(|event| event.count("completed")).collect();
        assert_eq!(completed, (1..=50).collect::<Vec<_>>());
        assert_eq!(seen.len(), 54, "{seen:?}");
        assert_eq!(seen[50].data["operation"]["list"], json!([1, { "a": 2 }]));
        assert_eq!(seen[51].data["operation"]["list"], json!([1, { "a": 3 }]));
        assert_eq!(seen[52].data["operation"]["list"], json!([1]));
        assert_eq!(seen[53].status_body(), service.status().await.body);
    }
}

#[tokio::test]
async fn an_import_is_followed_from_its_making_to_its_end_and_so_is_the_next() {
    let (_workspace, service) = served().await;
    let mut events = service.events().await;
    service.stage(&staged_users(0..3000)).await;
    service.run_import().await;
    let seen = events.until(|event| event.state() == "done").await;
    assert_forwards(&seen);
    assert_eq!(states(&seen), ["none", "new", "ready", "importing", "done"]);
    let last = seen.last().unwrap();
    assert_eq!(last.status_body(), service.status().await.body);
    assert_eq!(last.count("completed"), 3000);
    let progress = &last.data["progress"];
    assert_eq!((&progress["percent"], &progress["estimatedEnd"]), (&json!(100), &Value::Null));
    assert!(progress["usersPerSecond"].as_f64().unwrap() > 0.0, "{progress}");
    let running: Vec<&Event> = seen.iter().filter(|event| event.state() == "importing").collect();
    assert!(running.len() > 5, "{}", running.len());
    let told = |event: &&&Event| event.data["progress"]["estimatedEnd"].is_string();
    assert!(running.iter().filter(told).count() > 0, "{running:?}");
    let percents: Vec<u64> = running.iter().map(|event| event.data["progress"]["percent"].as_u64().unwrap()).collect();
    assert!(percents.is_sorted() && percents.iter().any(|percent| (1..100).contains(percent)), "{percents:?}");

    let next = service.new_import().await;
    // The one before is changed as well: it is no longer valid.
    let seen = events.until(|event| event.data["operation"]["_id"] == next.as_str()).await;
    assert_eq!(states(&seen), ["done", "new"]);
    assert_eq!(seen.last().unwrap().data["progress"]["percent"], 0);
}

#[tokio::test]
async fn whoever_comes_back_is_told_every_change_of_state_since() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("one")).await;
    let mut events = service.events().await;
    let new = events.next().await;
    drop(events);
    for (status, completed) in [("importer_user_selection", 0), ("importer_importing_users", 5), ("importer_done", 9)] {
        for completed in completed..completed + 3 {
            let now = DateTime::now();
            workspace
                .change_operation("one", doc! { "status": status, "count.completed": completed, "_updatedAt": now })
                .await;
        }
    }
    let mut back = service.events_after(new.id.as_deref().unwrap()).await;
    let seen = back.until(|event| event.count("completed") == 11).await;
    assert_forwards(&seen);
    assert_eq!(states(&seen), ["ready", "importing", "done"]);

    // From the middle of it.
    let importing = seen.iter().find(|event| event.state() == "importing").unwrap();
    let mut back = service.events_after(importing.id.as_deref().unwrap()).await;
    let since = back.until(|event| event.count("completed") == 11).await;
    assert_eq!(states(&since).last(), Some(&"done"));
    assert!(!states(&since).contains(&"ready"), "{since:?}");

    // Whoever missed nothing, or saw something that nobody knows here, is told how it is.
    let newest = seen.last().unwrap();
    for id in [newest.id.as_deref().unwrap(), "another:5:ready", "what is this?", "\u{e9}"] {
        assert_eq!(service.events_after(id).await.next().await, *newest, "{id}");
    }
}

#[tokio::test]
async fn an_id_means_the_same_to_another_instance() {
    let workspace = workspace().await;
    workspace.add_operation(operation("one")).await;
    let (here, there) = (workspace.serve().await, workspace.serve().await);
    let mut others = there.events().await;
    assert_eq!(others.next().await.state(), "new");
    let seen = here.events().await.next().await;
    drop(here);
    for status in ["importer_user_selection", "importer_importing_users"] {
        workspace.change_operation("one", doc! { "status": status, "_updatedAt": DateTime::now() }).await;
        others.next().await;
    }
    let mut back = there.events_after(seen.id.as_deref().unwrap()).await;
    assert_eq!([back.next().await.state(), back.next().await.state()], ["ready", "importing"]);
}

#[tokio::test]
async fn without_login_or_permission_there_is_no_stream() {
    let (workspace, service) = served().await;
    workspace.add_user(user("guest").with_roles(&["user"]).with_token("guest-token")).await;
    for (user, token) in [("guest", "guest-token"), ("admin", "wrong"), ("nobody", "admin-token")] {
        let streamed = service.get_as(user, token, STREAM).await;
        let plain = service.status_as(user, token).await;
        assert_eq!(streamed.told(), plain.told());
        assert_eq!(streamed.header("content-type"), Some("application/json"));
    }
    let anonymous = service.get(STREAM).await;
    assert_eq!(anonymous.told(), service.get("/api/v1/import.status").await.told());
}

#[tokio::test]
async fn head_tells_what_there_is_and_ends() {
    let (_workspace, service) = served().await;
    let head = service.request(Method::HEAD, STREAM);
    let answer = service.send(head.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token")).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(service.get(STREAM).await.status, 401);
}

#[tokio::test]
async fn a_token_or_permission_that_is_taken_away_ends_the_stream() {
    let (workspace, service) = served().await;
    workspace.add_user(user("follower").with_roles(&["importer"]).with_token("follower-token")).await;
    workspace.grant("run-import", &["admin", "importer"]).await;
    let taken = [
        ("rocketchat_permissions", "run-import", doc! { "$pull": { "roles": "importer" } }, 403),
        ("users", "follower", doc! { "$set": { "roles": [] } }, 403),
        ("users", "follower", doc! { "$set": { "services.resume.loginTokens": [] } }, 401),
    ];
    for (collection, id, change, expected) in taken {
        let mut events = service.follow("follower", "follower-token", None).await;
        assert_eq!(events.next().await.name, "status");
        workspace.update(collection, id, change).await;
        let end = timeout(REVOKED_WITHIN, events.next()).await.expect("it ends in time");
        assert_eq!((end.name.as_str(), &end.id), ("end", &None));
        let refused = service.status_as("follower", "follower-token").await;
        assert_eq!((refused.status.as_u16(), &refused.body), (expected, &end.text));
        assert_eq!(events.next_or_end().await, None);
        workspace.grant("run-import", &["admin", "importer"]).await;
        workspace.update("users", "follower", doc! { "$set": { "roles": ["importer"] } }).await;
    }
    let mut other = service.events().await;
    assert_eq!(other.next().await.name, "status", "others follow on");
}

#[tokio::test]
async fn a_service_that_is_stopped_ends_its_streams_at_once() {
    let (_workspace, mut service) = served().await;
    let mut followers = join_all((0..20).map(|_| service.events())).await;
    for followed in &mut followers {
        followed.next().await;
    }
    let stopped = Instant::now();
    service.signal(Signal::SIGTERM);
    for followed in &mut followers {
        assert_eq!(followed.next_or_end().await, None);
    }
    assert_eq!(service.ended().await.code(), Some(0));
    assert!(stopped.elapsed() < STOPPED_WITHIN, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_database_that_crashes_or_freezes_is_outlived_without_missing_a_state() {
    let mongo = Mongo::own();
    let workspace = Workspace::on(&mongo).await.ready_for_imports().await;
    let service = workspace.serve().await;
    let mut events = service.events().await;
    service.stage(&staged_users(0..6000)).await;
    service.run_import().await;
    let mut seen = events.until(|event| event.count("completed") > 500).await;
    mongo.crash();
    seen.extend(events.until(|event| event.count("completed") > 2500).await);
    mongo.freeze();
    sleep(Duration::from_secs(7)).await;
    mongo.thaw();
    seen.extend(events.until(|event| event.state() != "importing").await);
    assert_forwards(&seen);
    assert_eq!(states(&seen), ["none", "new", "ready", "importing", "done"]);
    assert_eq!(seen.last().unwrap().status_body(), service.status().await.body);
    assert_eq!(service.events().await.next().await, *seen.last().unwrap());
}

#[tokio::test]
async fn operations_that_are_removed_are_told_and_following_goes_on() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("one").with("ts", DateTime::from_millis(1))).await;
    workspace.add_operation(operation("two").with("ts", DateTime::from_millis(2))).await;
    let mut events = service.events().await;
    let id = |event: &Event| event.data["operation"]["_id"].as_str().map(str::to_owned);
    assert_eq!(id(&events.next().await).as_deref(), Some("two"));
    workspace.collection(OPERATIONS).delete_one(doc! { "_id": "two" }).await.unwrap();
    assert_eq!(id(&events.next().await).as_deref(), Some("one"));
    workspace.collection(OPERATIONS).drop().await.unwrap();
    assert_eq!(events.next().await.state(), "none");
    workspace.add_operation(operation("three")).await;
    assert_eq!(id(&events.next().await).as_deref(), Some("three"));
    workspace.change_operation("three", doc! { "status": "importer_done" }).await;
    assert_eq!(events.next().await.state(), "done");
    workspace.collection(OPERATIONS).replace_one(doc! { "_id": "three" }, operation("three").document()).await.unwrap();
    assert_eq!(events.next().await.state(), "new");
}

#[tokio::test]
async fn a_server_without_change_streams_is_asked_every_second_and_that_is_said_once() {
    let mongo = Mongo::standalone();
    let workspace = Workspace::on(&mongo).await;
    let service = workspace.serve().await;
    workspace.add_operation(operation("one")).await;
    for status in ["importer_user_selection", "importer_importing_users", "importer_done"] {
        let mut events = service.events().await;
        events.next().await;
        workspace.change_operation("one", doc! { "status": status }).await;
        assert_eq!(events.next().await.status_body(), service.status().await.body);
        assert_eq!(service.events().await.next().await.status_body(), service.status().await.body);
    }
    assert_eq!(service.log_lines("no change stream").len(), 1, "{:?}", service.log_lines(""));
}

#[tokio::test]
async fn the_log_tells_when_a_stream_begins_and_when_it_ends() {
    let (_workspace, service) = served().await;
    let mut events = service.events().await;
    events.next().await;
    let begun = service.logged(&format!("path={STREAM} status=200")).await;
    drop(events);
    service.new_import().await;
    let ended = service.logged("stream=ended").await;
    let request = |line: &str| line.split_whitespace().find(|word| word.starts_with("request=")).map(str::to_owned);
    assert!(request(&begun).is_some());
    assert_eq!(request(&begun), request(&ended), "{begun} {ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_a_large_import_in_whatever_way_ends_on_the_same_numbers() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..usize::try_from(USERS).unwrap())).await;
    let mut steady = service.events().await;
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let (steady, restless, watched, ()) = tokio::join!(
        steady.until(|event| event.state() == "done"),
        service.events_in_pieces(4),
        run(&["status", "--watch", "--json"], &settings),
        service.run_import(),
    );
    let body = service.status().await.body;
    assert_forwards(&steady);
    assert_forwards(&restless);
    for seen in [&steady, &restless] {
        assert_eq!(states(seen), ["ready", "importing", "done"]);
        assert_eq!(seen.last().unwrap().status_body(), body);
        assert_eq!(seen.last().unwrap().count("completed"), USERS);
    }
    assert_eq!((watched.code, watched.output.lines().last()), (Some(0), Some(body.as_str())), "{watched:?}");
    assert_eq!(workspace.count_imported().await, USERS);
}
