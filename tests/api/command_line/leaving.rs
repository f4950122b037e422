//! People who leave: `--source` and `--deactivate-missing`.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use futures::TryStreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{File, call, csv_of, summary};
use crate::harness::{Answer, Finished, Service, Workspace, eventually, hashed, served, user};

const SOURCES: &str = "rocketchat_import_service_sources";
const MISSING: &str = "/api/v1/import.deactivateMissing";
const PATIENCE: Duration = Duration::from_secs(60);

async fn served_for_leavers() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    workspace.grant("edit-other-user-active-status", &["admin"]).await;
    (workspace, service)
}

async fn nightly(service: &Service, numbers: impl IntoIterator<Item = usize>, more: &[&str]) -> Finished {
    let file = File::new("people.csv", csv_of(numbers));
    let mut arguments = vec!["users", file.path(), "--json", "--source", "hr"];
    arguments.extend(more);
    call(&service.address, &arguments).await
}

async fn documents(workspace: &Workspace, collection: &str) -> Vec<Document> {
    workspace.collection(collection).find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
}

async fn find(workspace: &Workspace, collection: &str, wanted: Document) -> Document {
    workspace.collection(collection).find_one(wanted).await.unwrap().unwrap()
}

/// Everything that a run of a file may write.
async fn everything(workspace: &Workspace) -> Vec<Vec<Document>> {
    let mut all = Vec::new();
    for collection in [SOURCES, "users", "rocketchat_subscription", "rocketchat_room", "rocketchat_import"] {
        all.push(documents(workspace, collection).await);
    }
    all
}

/// The `_id` of the account of a user of the file.
async fn account(workspace: &Workspace, number: usize) -> String {
    let found = find(workspace, "users", doc! { "importIds": format!("id{number}") }).await;
    found.get_str("_id").unwrap().to_owned()
}

/// Lets user 0 sign in and call the import API, gives him a direct message, a room with others and one of his own.
async fn settle(workspace: &Workspace) -> String {
    workspace.grant("run-import", &["admin", "importer"]).await;
    let (leaver, first, second) =
        (account(workspace, 0).await, account(workspace, 1).await, account(workspace, 2).await);
    let tokens = vec![doc! { "when": DateTime::now(), "hashedToken": hashed("leaver-token") }];
    let change = doc! { "$set": { "roles": ["user", "importer"], "services.resume.loginTokens": tokens } };
    workspace.update("users", &leaver, change).await;
    workspace.update("users", &first, doc! { "$set": { "active": false } }).await;
    let rooms = vec![
        doc! { "_id": "direct", "t": "d", "uids": [&leaver, &second], "usernames": ["user0", "user2"] },
        doc! { "_id": "shared", "t": "c", "name": "shared" },
        doc! { "_id": "alone", "t": "p", "name": "alone" },
    ];
    workspace.collection("rocketchat_room").insert_many(rooms).await.unwrap();
    let member = |id: &str, room: &str, kind: &str, name: &str, person: &str, minute: i64, roles: &[&str]| {
        let ts = DateTime::from_millis(minute * 60_000);
        doc! { "_id": id, "rid": room, "t": kind, "name": name, "u": { "_id": person }, "ts": ts, "roles": roles }
    };
    let subscriptions = vec![
        member("d0", "direct", "d", "user2", &leaver, 1, &[]),
        member("d2", "direct", "d", "user0", &second, 1, &[]),
        member("s0", "shared", "c", "shared", &leaver, 1, &["owner"]),
        member("s1", "shared", "c", "shared", &first, 2, &[]),
        member("s2", "shared", "c", "shared", &second, 3, &[]),
        member("a0", "alone", "p", "alone", &leaver, 1, &["owner"]),
    ];
    workspace.collection("rocketchat_subscription").insert_many(subscriptions).await.unwrap();
    leaver
}

#[tokio::test]
async fn who_is_missing_is_signed_out_and_deactivated_as_rocket_chat_does_it() {
    let (workspace, service) = served_for_leavers().await;
    let first = nightly(&service, 0..30, &["--run", "--deactivate-missing"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let source = &summary(&first)["source"];
    assert_eq!((&source["added"], &source["people"], &source["left"]), (&json!(30), &json!(30), &json!([])));
    let leaver = settle(&workspace).await;
    assert_eq!(service.status_as(&leaver, "leaver-token").await.status, StatusCode::OK);

    let before = everything(&workspace).await;
    let checked = nightly(&service, 1..30, &["--check", "--deactivate-missing"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let foreseen = summary(&checked)["source"]["left"].clone();
    assert!(checked.errors.contains("left: user0 (import id id0): would be deactivated"), "{checked:?}");
    assert_eq!(everything(&workspace).await, before);
    assert_eq!(service.status_as(&leaver, "leaver-token").await.status, StatusCode::OK);

    let ran = nightly(&service, 1..30, &["--run", "--deactivate-missing"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.errors.contains("hr: 1 account deactivated"), "{ran:?}");
    let without_receipt =
        "hr: nobody was to be imported, so no receipt says who was deactivated: import.leavers?source=hr does";
    assert!(ran.errors.contains(without_receipt), "{ran:?}");
    assert_eq!(summary(&ran)["source"]["receipt"], Value::Null);
    assert!(ran.errors.contains("1 room with a new owner; nobody else is active in the rooms alone"), "{ran:?}");
    let second = account(&workspace, 2).await;
    let expected = json!([{
        "importIds": ["id0"], "account": leaver, "username": "user0", "outcome": "deactivated",
        "newOwners": [{ "room": "shared", "account": second }], "leftRooms": ["alone"],
    }]);
    assert_eq!((&summary(&ran)["source"]["left"], &foreseen), (&expected, &expected));
    assert_eq!(service.status_as(&leaver, "leaver-token").await.status, StatusCode::UNAUTHORIZED);

    let stored = find(&workspace, "users", doc! { "_id": &leaver }).await;
    assert!(!stored.get_bool("active").unwrap());
    let resume = stored.get_document("services").unwrap().get_document("resume").unwrap();
    assert!(resume.get_array("loginTokens").unwrap().is_empty());
    let direct = find(&workspace, "rocketchat_room", doc! { "_id": "direct" }).await;
    assert!(direct.get_bool("ro").unwrap() && !direct.get_bool("reactWhenReadOnly").unwrap());
    let subscription = async |id: &str| find(&workspace, "rocketchat_subscription", doc! { "_id": id }).await;
    assert!(subscription("d2").await.get_bool("archived").unwrap());
    assert!(!subscription("d0").await.contains_key("archived"));
    let roles = async |id: &str| subscription(id).await.get_array("roles").unwrap().len();
    assert_eq!((roles("s0").await, roles("s1").await, roles("s2").await, roles("a0").await), (1, 0, 1, 1));
    let entry = find(&workspace, SOURCES, doc! { "_id": { "source": "hr", "importId": "id0" } }).await;
    let left = entry.get_document("left").unwrap();
    assert_eq!((left.get_str("outcome").unwrap(), left.get_str("account").unwrap()), ("deactivated", leaver.as_str()));

    let list = service.get_as_admin("/api/v1/import.leavers?source=hr").await.json();
    assert_eq!((&list["total"], &list["leavers"][0]["importId"]), (&json!(1), &json!("id0")), "{list}");
    assert_eq!(
        (&list["leavers"][0]["outcome"], &list["leavers"][0]["account"]),
        (&json!("deactivated"), &json!(leaver))
    );

    let before = everything(&workspace).await;
    let again = nightly(&service, 1..30, &["--run", "--deactivate-missing"]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(everything(&workspace).await, before, "a night without news writes nothing");

    let back = nightly(&service, 0..30, &["--run", "--deactivate-missing"]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    assert!(back.errors.contains("back: user0 (import id id0) had left the source hr"), "{back:?}");
    assert_eq!(summary(&back)["source"]["returned"][0]["account"], json!(leaver));
    workspace.update("users", &leaver, doc! { "$set": { "active": true } }).await;
    let active = nightly(&service, 0..30, &["--run", "--deactivate-missing"]).await;
    assert_eq!(summary(&active)["source"]["returned"], json!([]), "{active:?}");
    let leaves_again = nightly(&service, 1..30, &["--run", "--deactivate-missing"]).await;
    assert_eq!(summary(&leaves_again)["source"]["left"][0]["outcome"], "deactivated", "{leaves_again:?}");
}

#[tokio::test]
async fn more_than_the_limit_no_source_and_a_bad_file_deactivate_nobody_and_send_nothing() {
    let (workspace, service) = served_for_leavers().await;
    let first = nightly(&service, 0..40, &["--run"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let before = everything(&workspace).await;
    for limit in [None, Some("27%"), Some("10")] {
        let mut flags = vec!["--run", "--deactivate-missing"];
        flags.extend(limit.iter().flat_map(|limit| ["--deactivate-limit", limit]));
        let refused = nightly(&service, (11..40).chain([50]), &flags).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.errors.contains("11 accounts would be deactivated of the 40 import ids"), "{refused:?}");
        assert_eq!(everything(&workspace).await, before, "{limit:?}");
    }
    let file = File::new("people.csv", csv_of(1..40));
    let nameless = call(&service.address, &["users", file.path(), "--run", "--deactivate-missing"]).await;
    assert_eq!(nameless.code, Some(2), "{nameless:?}");
    assert!(nameless.errors.contains("--source"), "{nameless:?}");
    let bad = File::new("people.csv", csv_of(1..40) + "broken,,id99\n");
    for more in [&["--run"][..], &["--run", "--skip-bad"], &["--check", "--skip-bad"]] {
        let mut arguments = vec!["users", bad.path(), "--source", "hr", "--deactivate-missing"];
        arguments.extend(more);
        let refused = call(&service.address, &arguments).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.errors.contains("people on bad lines would count as missing"), "{refused:?}");
    }
    assert_eq!(everything(&workspace).await, before);
    let let_through = nightly(&service, 11..40, &["--run", "--deactivate-missing", "--deactivate-limit", "28%"]).await;
    assert_eq!(let_through.code, Some(0), "{let_through:?}");
    assert!(let_through.errors.contains("hr: 11 accounts deactivated"), "{let_through:?}");
}

async fn missing(service: &Service, body: Value) -> Answer {
    service.post(MISSING, &body).await
}

#[tokio::test]
async fn the_receipt_of_the_run_says_who_was_deactivated_and_verify_looks_for_them() {
    let (workspace, service) = served_for_leavers().await;
    nightly(&service, 0..30, &["--run", "--deactivate-missing"]).await;
    let leaver = account(&workspace, 0).await;
    let ran = nightly(&service, 1..31, &["--run", "--deactivate-missing"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.errors.contains("no receipt says"), "{ran:?}");
    let told = summary(&ran);
    assert_eq!(told["source"]["receipt"], told["operation"], "{told}");
    assert!(told["operation"].is_string(), "{told}");
    let count = service.status().await.json()["operation"]["count"].clone();
    assert_eq!(count, json!({ "total": 1, "users": 1, "completed": 1, "error": 0 }), "he was not staged");

    let receipt = service.get_as_admin("/api/v1/import.receipt").await.json();
    assert_eq!((&receipt["deactivated"], &receipt["total"], &receipt["count"]), (&json!(1), &json!(2), &json!(2)));
    let expected = json!({
        "_id": leaver, "dataType": "user", "outcome": "deactivated", "became": leaver, "importIds": ["id0"],
        "username": "user0", "reason": "The source hr no longer holds this person.",
    });
    assert_eq!((&receipt["records"][0]["outcome"], &receipt["records"][1]), (&json!("created"), &expected));
    let page = service.get_as_admin("/api/v1/import.receipt?offset=1&count=1").await.json();
    assert_eq!((&page["records"], &page["total"]), (&json!([expected]), &json!(2)));
    let lines = call(&service.address, &["receipt", "--format", "jsonl"]).await;
    assert_eq!(lines.output.lines().filter(|line| line.contains(r#""outcome":"deactivated""#)).count(), 1, "{lines:?}");
    let table = call(&service.address, &["receipt"]).await;
    assert!(
        table.output.lines().last().unwrap().contains(&format!(r#""user","deactivated","{leaver}","id0","user0""#)),
        "{table:?}"
    );

    let verified = call(&service.address, &["verify", "--json"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.output.contains(r#""deactivated":1,"differences":0"#), "{verified:?}");
    workspace.update("users", &leaver, doc! { "$set": { "active": true } }).await;
    let verified = call(&service.address, &["verify"]).await;
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.output.contains(&format!("deactivated: account {leaver} of id0 is active again")), "{verified:?}");

    let unknown = missing(&service, json!({ "source": "hr", "importIds": ["id1"], "operationId": "none" })).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{unknown:?}");
    let errors = service.get_as_admin("/api/v1/import.errors").await.json();
    assert_eq!(errors["total"], 0, "nobody failed");
}

/// The same by somebody who is no administrator.
async fn missing_as_importer(service: &Service, body: Value) -> Answer {
    let request = service.request(Method::POST, MISSING).json(&body);
    service.send(request.header("X-User-Id", "importer").header("X-Auth-Token", "importer-token")).await
}

#[tokio::test]
async fn of_the_administrators_one_stays_active_even_if_all_have_left() {
    let (workspace, service) = served_for_leavers().await;
    workspace.update("users", "admin", doc! { "$set": { "importIds": ["boss"] } }).await;
    for permission in ["run-import", "edit-other-user-active-status"] {
        workspace.grant(permission, &["admin", "importer"]).await;
    }
    workspace.add_user(user("importer").with_roles(&["importer"]).with_token("importer-token")).await;
    for number in 0..6 {
        let id = format!("chief{number}");
        workspace.add_user(user(&id).admin().with("importIds", vec![id.clone()])).await;
    }
    let ids: Vec<String> = (0..6).map(|number| format!("chief{number}")).chain(["boss".to_owned()]).collect();
    let everybody: Vec<&str> = ids.iter().map(String::as_str).chain(["other"]).collect();
    let kept = service.post("/api/v1/import.source", &json!({ "source": "hr", "importIds": everybody })).await;
    assert_eq!(kept.status, StatusCode::OK, "{kept:?}");
    let check = json!({ "source": "hr", "importIds": ["other"], "limit": "100%", "check": true });
    let foreseen = missing(&service, check).await.json();
    let outcomes = |answer: &Value| -> Vec<String> {
        let left = answer["left"].as_array().unwrap().iter();
        left.map(|person| person["outcome"].as_str().unwrap().to_owned()).collect()
    };
    let refused = |outcomes: &[String]| outcomes.iter().filter(|outcome| *outcome == "refused").count();
    assert_eq!((outcomes(&foreseen).len(), refused(&outcomes(&foreseen))), (7, 1), "{foreseen}");

    // Each by a call of its own, all at once.
    let calls = ids.iter().map(|id| {
        let others: Vec<&&str> = everybody.iter().filter(|other| *other != id).collect();
        let body = json!({ "source": "hr", "importIds": others, "limit": "100%" });
        missing_as_importer(&service, body)
    });
    let answers = futures::future::join_all(calls).await;
    let refused: Vec<Value> =
        answers.iter().map(Answer::json).filter(|answer| refused(&outcomes(answer)) == 1).collect();
    assert_eq!(refused.len(), 1, "{answers:?}");
    assert_eq!(refused[0]["left"][0]["reason"], "The last active administrator is not deactivated.");
    let active =
        workspace.collection("users").count_documents(doc! { "roles": "admin", "active": true }).await.unwrap();
    assert_eq!(active, 1);
    let again = missing_as_importer(&service, json!({ "source": "hr", "importIds": ["other"], "limit": "100%" })).await;
    assert_eq!(outcomes(&again.json()), ["refused"], "{again:?}");
}

#[tokio::test]
async fn deactivation_takes_the_permission_to_deactivate_and_a_sound_body() {
    let (workspace, service) = served().await;
    workspace.grant("edit-other-user-active-status", &[]).await;
    let sound = json!({ "source": "hr", "importIds": ["1"] });
    assert_eq!(missing(&service, sound.clone()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(service.post("/api/v1/import.source", &sound).await.status, StatusCode::OK);
    workspace.grant("edit-other-user-active-status", &["admin"]).await;
    assert_eq!(missing(&service, sound).await.status, StatusCode::OK);
    for wrong in [
        json!({}),
        json!([]),
        json!({ "source": "hr" }),
        json!({ "source": " ", "importIds": ["1"] }),
        json!({ "source": "hr", "importIds": [] }),
        json!({ "source": "hr", "importIds": [{ "$ne": 1 }] }),
        json!({ "source": "hr", "importIds": ["1"], "limit": "lots" }),
        json!({ "source": "hr", "importIds": ["1"], "force": true }),
    ] {
        let refused = missing(&service, wrong.clone()).await;
        assert_eq!(
            (refused.status, &refused.json()["errorType"]),
            (StatusCode::BAD_REQUEST, &json!("invalid-params")),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn killed_in_the_middle_the_same_command_goes_on_and_nobody_is_half_deactivated() {
    const PEOPLE: usize = 120;
    let (workspace, service) = served_for_leavers().await;
    let first = nightly(&service, 0..=PEOPLE, &["--run"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let mut rooms = Vec::new();
    for number in 0..PEOPLE {
        let ids = vec![account(&workspace, number).await, "admin".to_owned()];
        rooms.push(doc! { "_id": format!("direct{number}"), "t": "d", "uids": ids });
    }
    workspace.collection("rocketchat_room").insert_many(rooms).await.unwrap();
    let body = json!({ "source": "hr", "importIds": [format!("id{PEOPLE}")], "limit": "100%" });
    let request = service.request(Method::POST, MISSING).json(&body);
    let request = request.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
    let call = tokio::spawn(request.send());
    let left =
        async || workspace.collection(SOURCES).count_documents(doc! { "left": { "$exists": true } }).await.unwrap();
    eventually("somebody is deactivated", PATIENCE, async || left().await >= 5).await;
    service.kill();
    call.await.unwrap().unwrap_err();
    let done = left().await;
    assert!((5..PEOPLE as u64).contains(&done), "{done} of {PEOPLE} were deactivated before the kill");
    assert_whole(&workspace, done).await;

    let service = workspace.serve().await;
    let flags = ["--run", "--deactivate-missing", "--deactivate-limit", "100%"];
    let again = nightly(&service, [PEOPLE], &flags).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    let rest = summary(&again)["source"]["left"].as_array().unwrap().len() as u64;
    assert!(rest <= PEOPLE as u64 - done, "{rest} after {done}");
    assert_whole(&workspace, PEOPLE as u64).await;
    let list = service.get_as_admin("/api/v1/import.leavers?source=hr&count=1").await.json();
    assert_eq!(list["total"], json!(PEOPLE));
}

/// Asserts that at least so many accounts are deactivated, each with its direct message and its entry.
async fn assert_whole(workspace: &Workspace, at_least: u64) {
    let accounts: Vec<Document> = documents(workspace, "users").await;
    let mut inactive = 0;
    for account in accounts.iter().filter(|account| account.contains_key("importIds")) {
        let is_inactive = !account.get_bool("active").unwrap();
        inactive += u64::from(is_inactive);
        let id = account.get_str("_id").unwrap();
        let room = workspace.collection("rocketchat_room").find_one(doc! { "uids": id }).await.unwrap();
        let is_read_only = room.is_some_and(|room| room.get_bool("ro").unwrap_or(false));
        let entries = workspace.collection(SOURCES);
        let is_marked = entries.count_documents(doc! { "left.account": id }).await.unwrap() == 1;
        assert_eq!((is_inactive, is_inactive), (is_read_only, is_marked), "{account}");
    }
    assert!(inactive >= at_least, "{inactive} of {at_least}");
}

#[tokio::test]
async fn somebody_whom_another_source_still_holds_stays_until_the_last_one_loses_him() {
    let (workspace, service) = served_for_leavers().await;
    let of = async |source: &str, numbers: std::ops::Range<usize>| {
        let file = File::new("people.csv", csv_of(numbers));
        let arguments = ["users", file.path(), "--json", "--run", "--source", source, "--deactivate-missing"];
        let finished = call(&service.address, &arguments).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        summary(&finished)["source"]["left"].as_array().unwrap().len()
    };
    of("hr", 0..3).await;
    of("payroll", 0..3).await;
    let first = account(&workspace, 0).await;
    let is_active = async || find(&workspace, "users", doc! { "_id": &first }).await.get_bool("active").unwrap();
    assert_eq!(of("hr", 1..3).await, 0, "payroll holds him");
    assert!(is_active().await);
    let before = everything(&workspace).await;
    assert_eq!(of("hr", 1..3).await, 0);
    assert_eq!(everything(&workspace).await, before, "a quiet night");
    assert_eq!(of("payroll", 1..3).await, 1, "nobody else holds him");
    assert!(!is_active().await);
}

#[tokio::test]
async fn a_nightly_import_reads_by_an_index() {
    let (workspace, service) = served_for_leavers().await;
    workspace.record_commands().await;
    for (numbers, code) in [(0..30, 0), (1..30, 0), (0..31, 0)] {
        let night = nightly(&service, numbers, &["--run", "--deactivate-missing"]).await;
        assert_eq!(night.code, Some(code), "{night:?}");
    }
    for path in
        ["import.receipt", "import.receipt?format=csv", "import.errors", "import.verify", "import.leavers?source=hr"]
    {
        let answer = service.get_as_admin(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    }
    workspace.left_staged(0).await;
    workspace.assert_indexed(&["keys", "receipts", "run_leases", "sources"]).await;
}

#[tokio::test]
async fn a_page_of_a_longer_list_deactivates_nobody_and_all_its_pages_together_are_a_whole_list() {
    let (workspace, service) = served_for_leavers().await;
    let first = nightly(&service, 0..55, &["--run", "--deactivate-missing"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let page = |numbers: std::ops::Range<usize>| {
        let users: Vec<Value> = numbers
            .map(|number| {
                let emails = [format!("user{number}@example.com")];
                json!({ "username": format!("user{number}"), "emails": emails, "importIds": [format!("id{number}")] })
            })
            .collect();
        json!({ "users": users, "count": users.len(), "offset": 0, "total": 55, "success": true }).to_string()
    };
    let before = everything(&workspace).await;
    let file = File::new("people.json", page(0..50));
    let arguments = ["users", file.path(), "--json", "--source", "hr", "--deactivate-missing"];
    for way in ["--run", "--check", "--dry-run"] {
        let refused = call(&service.address, &[&arguments[..], &[way]].concat()).await;
        assert_eq!(refused.code, Some(2), "{way}: {refused:?}");
        let sentence = "the list is not whole, and nothing was sent; people whom it lacks would count as missing: fetch all \
                        of them, with the parameter count=0 or page by page, or leave --deactivate-missing out";
        assert!(refused.errors.contains(sentence), "{way}: {refused:?}");
        assert_eq!(everything(&workspace).await, before, "{way}");
    }
    let whole = File::new("people.json", page(0..50) + "\n" + &page(50..55));
    let ran =
        call(&service.address, &["users", whole.path(), "--json", "--source", "hr", "--deactivate-missing", "--run"])
            .await;
    assert_eq!((ran.code, &summary(&ran)["warningCount"]), (Some(0), &json!(0)), "{ran:?}");
    assert_eq!(summary(&ran)["source"]["left"], json!([]), "{ran:?}");
}
