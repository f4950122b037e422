//! Channels that new accounts join: the default ones, and those that records name.

use std::time::Duration;

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::{
    command_line::call,
    harness::{Service, Workspace, eventually, served, staged_users},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A workspace with two default channels, a plain one, a private one and the main channel of a team.
async fn with_rooms() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    let room =
        |id: &str, kind: &str| doc! { "_id": id, "t": kind, "name": id, "fname": id, "msgs": 0, "usersCount": 3 };
    let mut rooms = vec![room("GENERAL", "c"), room("news", "c"), room("sales", "c"), room("board", "p")];
    rooms[0].insert("default", true);
    rooms[1].insert("default", true);
    rooms[1].insert("favorite", true);
    let mut team = room("team", "c");
    team.extend(doc! { "teamMain": true, "teamId": "T" });
    rooms.push(team);
    workspace.collection("rocketchat_room").insert_many(rooms).await.unwrap();
    let unique = mongodb::options::IndexOptions::builder().unique(true).build();
    let index = mongodb::IndexModel::builder().keys(doc! { "rid": 1, "u._id": 1 }).options(unique).build();
    workspace.collection("rocketchat_subscription").create_index(index).await.unwrap();
    (workspace, service)
}

async fn people_of(workspace: &Workspace, room: &str) -> (u64, i64) {
    let members = workspace.collection("rocketchat_subscription").count_documents(doc! { "rid": room }).await.unwrap();
    let room = workspace.collection("rocketchat_room").find_one(doc! { "_id": room }).await.unwrap().unwrap();
    assert!(!room.contains_key("importsCounted"), "{room}");
    (members, room.get("usersCount").and_then(|count| count.as_i64().or(count.as_i32().map(i64::from))).unwrap())
}

async fn subscription(workspace: &Workspace, room: &str, username: &str) -> Option<Document> {
    let wanted = doc! { "rid": room, "u.username": username };
    workspace.collection("rocketchat_subscription").find_one(wanted).await.unwrap()
}

async fn run(service: &Service, body: Value) -> Value {
    let answer = service.post("/api/v1/import.run", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    service.wait_for_state("done").await
}

async fn records(service: &Service) -> Vec<Value> {
    service.get_as_admin("/api/v1/import.receipt").await.json()["records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn new_accounts_join_the_default_channels_where_that_is_wanted_and_nobody_else_does() {
    let (workspace, service) = with_rooms().await;
    let mut users = staged_users(0..2);
    users.push(json!({ "importIds": ["x"], "emails": ["x@corp.example"] }));
    service.stage(&users).await;
    run(&service, json!({})).await;
    assert_eq!(people_of(&workspace, "GENERAL").await, (0, 3), "as in Rocket.Chat's API");

    service.stage(&[users, staged_users(2..5)].concat()).await;
    run(&service, json!({ "joinDefaultChannels": true, "onExisting": "skip" })).await;
    assert_eq!(people_of(&workspace, "GENERAL").await, (3, 6), "people who were there join nothing");
    assert_eq!(people_of(&workspace, "news").await, (3, 6));
    assert_eq!(people_of(&workspace, "sales").await, (0, 3));
    let membership = subscription(&workspace, "news", "user2").await.unwrap();
    assert!(membership.get_bool("open").unwrap() && membership.get_bool("alert").unwrap());
    assert!(membership.get_bool("f").unwrap(), "a favourite of everybody: {membership}");
    assert!(subscription(&workspace, "GENERAL", "user2").await.unwrap().get("f").is_none());
    let account = workspace.collection("users").find_one(doc! { "username": "user2" }).await.unwrap().unwrap();
    assert_eq!(account.get_array("__rooms").unwrap().len(), 2, "{account}");

    let records = records(&service).await;
    let memberships: u64 = records.iter().filter_map(|record| record["memberships"].as_u64()).sum();
    assert_eq!(memberships, 6, "{records:?}");
    let head = service.get_as_admin("/api/v1/import.receipt?count=1").await.json();
    assert_eq!((&head["memberships"], &head["withoutPassword"]), (&json!(6), &json!(3)), "of all, not of the page");
    let report = service.get_as_admin("/api/v1/import.report").await.json();
    let notes = report["notes"].as_array().unwrap();
    assert!(
        notes.contains(&json!({ "note": "memberships of channels made for new accounts", "count": 6 })),
        "{report}"
    );
    assert!(notes.contains(&json!({ "note": "new accounts without a password", "count": 3 })), "{report}");
}

#[tokio::test]
async fn a_record_names_the_channels_of_its_new_account_and_one_that_is_not_there_keeps_nobody_out() {
    let (workspace, service) = with_rooms().await;
    let user = |id: &str, channels: Value| {
        json!({ "importIds": [id], "emails": [format!("{id}@corp.example")], "username": id, "password": "s3cret",
                "channels": channels })
    };
    service.stage(&[user("ann", json!(["#sales", "board", "sales"])), user("bob", json!(["nowhere", "team"]))]).await;
    run(&service, json!({})).await;
    assert_eq!(people_of(&workspace, "sales").await, (1, 4), "once, although it is named twice");
    assert_eq!(people_of(&workspace, "board").await, (1, 4), "private groups, too");
    assert_eq!(people_of(&workspace, "team").await, (0, 3));
    let records = records(&service).await;
    assert_eq!(records[0]["memberships"], 2, "{records:?}");
    assert_eq!(records[1]["outcome"], "created");
    let reason = records[1]["reason"].as_str().unwrap();
    assert!(reason.contains("There is no channel nowhere.") && reason.contains("main channel of a team"), "{reason}");
    assert!(records.iter().all(|record| record["withoutPassword"].is_null()), "{records:?}");

    // Who has left stays away, also when the same file comes again.
    workspace.collection("rocketchat_subscription").delete_many(doc! { "u.username": "ann" }).await.unwrap();
    for rule in ["skip", "link", "update"] {
        service.stage(&[user("ann", json!(["sales"]))]).await;
        run(&service, json!({ "onExisting": rule, "joinDefaultChannels": true })).await;
        assert!(subscription(&workspace, "sales", "ann").await.is_none(), "{rule}");
    }
}

#[tokio::test]
async fn channels_that_are_no_list_of_names_are_passed_over_as_in_rocket_chat_and_the_receipt_says_so() {
    let (workspace, service) = with_rooms().await;
    let values = [json!("sales"), json!({ "a": 1 }), json!(7), json!(["sales", { "b": 2 }]), json!(""), json!(null)];
    let mut users = staged_users(0..values.len());
    for (user, channels) in users.iter_mut().zip(values) {
        user["channels"] = channels;
    }
    let lines = users.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    service.stage(&users).await;
    run(&service, json!({})).await;
    assert_eq!(people_of(&workspace, "sales").await, (1, 4), "the name in a list counts");
    let told =
        |reason: &Value| reason.as_str().is_some_and(|reason| reason.contains("channels must be a list of names"));
    let records = records(&service).await;
    assert!(records.iter().all(|record| record["outcome"] == "created"), "{records:?}");
    let reasons: Vec<bool> = records.iter().map(|record| told(&record["reason"])).collect();
    assert_eq!(reasons, [true, true, true, true, false, false], "{records:?}");
    // A file is read with more patience, and says what cannot be read.
    let check =
        service.post_body("/api/v1/import.check?workspace=true&onExisting=skip", None, lines.into_bytes()).await;
    assert_eq!(check.status, 200, "{}", check.body);
}

#[tokio::test]
async fn memberships_are_made_and_counted_once_also_when_the_instance_is_killed() {
    let (workspace, service) = with_rooms().await;
    service.stage(&staged_users(0..3000)).await;
    let answer = service.post("/api/v1/import.run", &json!({ "joinDefaultChannels": true })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    eventually("some are there", PATIENCE, async || workspace.count_imported().await > 600).await;
    service.kill();
    let service = workspace.serve().await;
    service.wait_for_state("done").await;
    for room in ["GENERAL", "news"] {
        assert_eq!(people_of(&workspace, room).await, (3000, 3003), "{room}");
    }
    let receipt = service.get_as_admin("/api/v1/import.receipt?format=jsonl").await.body;
    assert_eq!(receipt.matches(r#""memberships":2"#).count(), 3000);
    assert_eq!(receipt.matches(r#""withoutPassword":true"#).count(), 3000);
}

#[tokio::test]
async fn the_command_says_how_many_memberships_it_made_and_who_has_no_password() {
    let (workspace, service) = with_rooms().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    let people = "username,emails,importIds,password,Channels\n\
                  ann,ann@corp.example,1,,\"sales, board\"\nbob,bob@corp.example,2,s3cret,\n\
                  cid,cid@corp.example,3,,nowhere\n";
    std::fs::write(&path, people).unwrap();
    let arguments = ["users", path.to_str().unwrap(), "--run", "--json", "--join-default-channels"];
    let checked = call(&service.address, &["users", path.to_str().unwrap(), "--check"]).await;
    assert_eq!(checked.code, Some(0), "a warning alone: {checked:?}");
    assert!(checked.errors.contains("line 4: There is no channel nowhere."), "{checked:?}");
    let finished = call(&service.address, &arguments).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary: Value = serde_json::from_str(&finished.output).unwrap();
    assert_eq!(
        (&summary["run"]["memberships"], &summary["run"]["withoutPassword"]),
        (&json!(8), &json!(2)),
        "{summary}"
    );
    assert!(finished.errors.contains("8 memberships of channels made"), "{finished:?}");
    assert!(finished.errors.contains("2 new accounts without a password"), "{finished:?}");
    assert_eq!(summary["run"]["passwordless"], json!(["1", "3"]), "{summary}");
    assert!(finished.errors.lines().any(|line| line == "import ids without a password: 1, 3"), "{finished:?}");
    assert_eq!(people_of(&workspace, "sales").await, (1, 4));
    // The same file again stages nothing.
    let before = people_of(&workspace, "GENERAL").await;
    let again = call(&service.address, &arguments).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(serde_json::from_str::<Value>(&again.output).unwrap()["staged"], 0, "{again:?}");
    assert_eq!(people_of(&workspace, "GENERAL").await, before);
}

#[tokio::test]
async fn the_command_says_that_new_accounts_are_in_no_channel_where_they_joined_none() {
    let (_workspace, service) = with_rooms().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    let sentence = "2 new accounts are in no channel: with --join-default-channels, accounts join the default channels when \
                    they are made";
    let flag = &["--join-default-channels"][..];
    for (what, people, flags, is_said) in [
        ("without the flag", "ann,ann@corp.example,1,\nbob,bob@corp.example,2,\n", &[][..], true),
        ("where nobody is new", "ann,ann@corp.example,1,\nbob,bob@corp.example,2,\n", &[], false),
        ("with the flag", "cid,cid@corp.example,3,\ndee,dee@corp.example,4,\n", flag, false),
        ("with a channel of the file", "eve,eve@corp.example,5,sales\nfay,fay@corp.example,6,\n", &[], false),
        ("with a channel that is not there", "gil,gil@corp.example,7,nowhere\nhal,hal@corp.example,8,\n", &[], true),
    ] {
        std::fs::write(&path, format!("username,emails,importIds,channels\n{people}")).unwrap();
        let arguments = [&["users", path.to_str().unwrap(), "--run"][..], flags].concat();
        let finished = call(&service.address, &arguments).await;
        assert_eq!(finished.code, Some(0), "{what}: {finished:?}");
        let said = finished.errors.lines().filter(|line| line.contains("in no channel")).collect::<Vec<_>>();
        assert_eq!(said, if is_said { vec![sentence] } else { vec![] }, "{what}: {finished:?}");
    }
}

#[tokio::test]
async fn of_three_new_people_the_one_without_a_user_name_joins_nothing_until_he_chooses_one() {
    let (workspace, service) = with_rooms().await;
    let text = "username,emails,importIds\nann,ann@corp.example,1\n,nameless@corp.example,2\ncid,cid@corp.example,3\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, text).unwrap();
    let arguments = ["users", file.to_str().unwrap(), "--run", "--join-default-channels"];
    let finished = call(&service.address, &arguments).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.errors.contains("done: 3 created, 0 failed of 3"), "{finished:?}");
    assert!(finished.errors.contains("4 memberships of channels made"), "{finished:?}");
    for room in ["GENERAL", "news"] {
        assert_eq!(people_of(&workspace, room).await, (2, 5), "{room}");
    }
    let nameless = doc! { "emails.address": "nameless@corp.example" };
    let nameless = workspace.collection("users").find_one(nameless).await.unwrap().unwrap();
    assert!(nameless.get("username").is_none() && nameless.get("__rooms").is_none(), "{nameless}");
    let own = doc! { "u._id": nameless.get_str("_id").unwrap() };
    let subscriptions = workspace.collection("rocketchat_subscription");
    assert_eq!(subscriptions.count_documents(own).await.unwrap(), 0);
}

#[tokio::test]
async fn the_first_twenty_without_a_password_are_listed_by_import_id_and_the_others_counted() {
    let (_workspace, service) = with_rooms().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    let rows = (0..25).map(|number| format!("user{number},user{number}@corp.example,id{number}\n"));
    std::fs::write(&path, "username,emails,importIds\n".to_owned() + &rows.collect::<String>()).unwrap();
    let finished = call(&service.address, &["users", path.to_str().unwrap(), "--run", "--json"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary: Value = serde_json::from_str(&finished.output).unwrap();
    let listed = summary["run"]["passwordless"].as_array().unwrap();
    assert_eq!((&summary["run"]["withoutPassword"], listed.len()), (&json!(25), 20), "{summary}");
    let line = finished.errors.lines().find(|line| line.starts_with("import ids without a password: ")).unwrap();
    assert!(line.starts_with("import ids without a password: id0, id1, id2, "), "{line}");
    assert!(line.ends_with("id19 and 5 more: rocketchat-import receipt names them"), "{line}");
}
