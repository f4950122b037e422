//! An import from `import.new` to `done`, as a script drives it.

use bson::{Bson, Document, doc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Service, eventually, operation, staged_user, staged_users, user, workspace};

const ROCKET_CHAT_IDS: &str = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";

#[tokio::test]
async fn three_thousand_users_in_three_calls_are_all_there_when_the_import_is_done() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let operation = service.new_import().await;
    assert_eq!(service.status().await.json()["state"], "new");
    for call in 0..3 {
        service.add_users(&staged_users(call * 1000..(call + 1) * 1000)).await;
    }
    let ready = service.status().await.json();
    assert_eq!(ready["state"], "ready");
    assert_eq!(ready["operation"]["count"], json!({"total": 3000, "users": 3000}));
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["_id"], operation.as_str());
    assert_eq!(done["operation"]["valid"], true);
    assert_eq!(done["operation"]["count"], json!({"total": 3000, "users": 3000, "completed": 3000, "error": 0}));
    workspace.left_staged(0).await;

    let mut users = workspace.imported().await;
    users.sort_by_key(number_of);
    assert_eq!(users.len(), 3000);
    for (number, user) in users.iter().enumerate() {
        assert_account(user, &expected_account(number));
    }
}

/// The number in a user name made by [`staged_user`].
fn number_of(user: &Document) -> usize {
    user.get_str("username").unwrap().trim_start_matches("user").parse().unwrap()
}

/// What Rocket.Chat makes of [`staged_user`]; `null` stands for what differs each time.
fn expected_account(number: usize) -> Document {
    doc! {
        "_id": null,
        "createdAt": null,
        "status": "offline",
        "type": "user",
        "username": format!("user{number}"),
        "emails": [{ "address": format!("user{number}@example.com"), "verified": false }],
        "name": format!("User {number}"),
        "services": {
            "password": { "bcrypt": null },
            "email2fa": { "enabled": true, "changedAt": null },
        },
        "importIds": [format!("id{number}")],
        "roles": ["user"],
        "active": true,
        "_updatedAt": null,
    }
}

/// Compares field by field and in order, but for the values that differ each time, which must be of the right kind.
fn assert_account(account: &Document, expected: &Document) {
    assert_eq!(account.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{account}");
    for (name, value) in account {
        match (&expected[name], value) {
            (Bson::Null, Bson::String(id)) if name == "_id" => {
                assert!(id.len() == 17 && id.chars().all(|c| ROCKET_CHAT_IDS.contains(c)), "{id}");
            }
            (Bson::Null, Bson::String(hash)) if name == "bcrypt" => {
                assert!(hash.starts_with("$2b$10$") && hash.len() == 60, "{hash}");
            }
            (Bson::Null, Bson::DateTime(_)) => {}
            (Bson::Document(expected), Bson::Document(value)) => assert_account(value, expected),
            (expected, value) => assert_eq!(value, expected, "{name} of {account}"),
        }
    }
}

#[tokio::test]
async fn a_new_import_keeps_what_list_it_is_for_and_takes_any_other_query_as_rocket_chat_does() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let begin = async |query: &str| service.post(&format!("/api/v1/import.new{query}"), &json!({})).await;
    let listed = begin("?list=ab12&listFile=cd34&listUsers=1000").await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let list = json!({ "list": { "fingerprint": "ab12", "users": 1000, "file": "cd34" } });
    assert_eq!(listed.json()["operation"]["import"], list);
    service.add_users(&staged_users(0..3)).await;
    assert_eq!(service.status().await.json()["operation"]["import"], list);
    for query in ["", "?a=b&a=c&%ff", "?listUsers=3"] {
        let plain = begin(query).await;
        assert_eq!((plain.status.as_u16(), &plain.json()["operation"]["import"]), (200, &Value::Null), "{query}");
    }
    let before = workspace.operations().await;
    for (query, parameter) in [
        ("?list=", "list"),
        ("?list=a%20b", "list"),
        ("?list=a&listFile=%2F", "listFile"),
        ("?list=a&listUsers=-1", "listUsers"),
    ] {
        let refused = begin(query).await;
        assert_eq!(refused.status, 400, "{query}: {}", refused.body);
        assert!(refused.json()["error"].as_str().unwrap().contains(parameter), "{query}: {}", refused.body);
    }
    assert_eq!(workspace.operations().await, before);
}

#[tokio::test]
async fn every_field_that_can_be_staged_ends_up_where_rocket_chat_puts_it() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let full = json!({
        "password": "s3cret",
        "deleted": true,
        "roles": ["bot"],
        "type": "bot",
        "bio": "about",
        "statusText": "busy",
        "utcOffset": -3.5,
        "avatarUrl": "https://example.com/a.png",
        "name": "Ada",
        "importIds": ["one", "", "two"],
        "emails": ["ada@example.com", "ada@example.org"],
        "username": "ada",
        "customFields": { "team": "blue", "size": 5 },
        "services": { "ldap": { "id": "x", "idAttribute": "uid" } },
        "federated": false,
        "unknown": "stays in the staging area",
    });
    service.stage(&[full]).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let account = workspace.imported().await.remove(0);
    let expected = doc! {
        "_id": null,
        "createdAt": null,
        "status": "offline",
        "type": "bot",
        "username": "ada",
        "emails": [
            { "address": "ada@example.com", "verified": false },
            { "address": "ada@example.org", "verified": false },
        ],
        "statusText": "busy",
        "name": "Ada",
        "bio": "about",
        "_pendingAvatarUrl": "https://example.com/a.png",
        "utcOffset": -3.5,
        "services": {
            "password": { "bcrypt": null },
            "ldap": { "id": "x", "idAttribute": "uid" },
            "email2fa": { "enabled": true, "changedAt": null },
        },
        "ldap": true,
        "importIds": ["one", "two"],
        "customFields": { "team": "blue", "size": 5 },
        "active": false,
        "federated": false,
        "roles": ["bot", "user"],
        "_updatedAt": null,
    };
    assert_account(&account, &expected);
    assert!(verifies(&account, "s3cret"));
    assert!(!verifies(&account, "s3cre"));
}

fn verifies(account: &Document, password: &str) -> bool {
    let services = account.get_document("services").unwrap();
    let hash = services.get_document("password").unwrap().get_str("bcrypt").unwrap();
    bcrypt::verify(format!("{:x}", Sha256::digest(password)), hash).unwrap()
}

#[tokio::test]
async fn without_the_opt_in_setting_nobody_gets_two_factor_by_email() {
    let workspace = workspace().await.ready_for_imports().await;
    let setting = doc! { "_id": "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", "value": false };
    workspace.collection("rocketchat_settings").insert_one(setting).await.unwrap();
    let service = workspace.serve().await;
    service.stage(&staged_users(0..1)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let account = workspace.imported().await.remove(0);
    assert_eq!(account.get_document("services").unwrap().keys().collect::<Vec<_>>(), ["password"]);
}

#[tokio::test]
async fn an_import_of_users_leaves_the_settings_of_the_workspace_alone() {
    let workspace = workspace().await.ready_for_imports().await;
    let setting = doc! { "_id": "FileUpload_MaxFileSize", "value": 104_857_600 };
    workspace.collection("rocketchat_settings").insert_one(setting.clone()).await.unwrap();
    let service = workspace.serve().await;
    service.stage(&staged_users(0..10)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let settings = workspace.collection("rocketchat_settings");
    assert_eq!(settings.find_one(doc! {}).await.unwrap(), Some(setting));
    assert_eq!(settings.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn while_it_runs_the_counts_move_in_steps_of_fifty_and_never_back() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.stage(&staged_users(0..5025)).await;
    service.run_import().await;
    let (mut last, mut seen) = (0, Vec::new());
    eventually("the import is done", std::time::Duration::from_secs(60), async || {
        let status = service.status().await.json();
        let count = &status["operation"]["count"];
        let processed = count["completed"].as_u64().unwrap_or(0) + count["error"].as_u64().unwrap_or(0);
        assert!(processed >= last, "{processed} after {last}");
        assert!(processed % 50 == 0 || processed == 5025, "{processed}");
        if processed != last {
            seen.push(processed);
        }
        last = processed;
        status["state"] == "done"
    })
    .await;
    assert_eq!(last, 5025);
    assert!(seen.len() > 1, "the counts moved only once: {seen:?}");
}

#[tokio::test]
async fn an_operation_that_is_not_ours_is_never_touched() {
    let workspace = workspace().await.ready_for_imports().await;
    let theirs = operation("theirs").with("status", "importer_importing_users").document();
    workspace.only_operation(theirs.clone()).await;
    let staged = doc! { "_id": "row", "data": { "emails": ["a@b.c"], "importIds": ["1"] }, "dataType": "user" };
    workspace.collection("rocketchat_import_data").insert_one(staged).await.unwrap();
    let service = workspace.serve().await;
    let refused = service.try_run().await;
    assert_eq!(
        (refused.status.as_u16(), refused.body.as_str()),
        (400, r#"{"success":false,"error":"error-invalid-operation-status"}"#)
    );
    // Another import of ours, in another workspace, shows that the engine had time to look around.
    import_elsewhere().await;
    assert_eq!(workspace.collection("rocketchat_import").find_one(doc! {}).await.unwrap(), Some(theirs));
    assert_eq!((workspace.count_imported().await, workspace.count_staged().await), (0, 1));
}

#[tokio::test]
async fn a_lease_left_by_a_claim_that_never_took_effect_does_not_make_an_operation_ours() {
    let workspace = workspace().await.ready_for_imports().await;
    let theirs = operation("theirs").with("status", "importer_importing_users").document();
    workspace.only_operation(theirs.clone()).await;
    let long_ago = bson::DateTime::from_millis(0);
    let leases = workspace.collection("rocketchat_import_service_leases");
    let left = doc! { "_id": "theirs", "holder": "dead", "until": long_ago, "claimedAt": long_ago };
    leases.insert_one(left).await.unwrap();
    let _service = workspace.serve().await;
    eventually("the lease is given up", std::time::Duration::from_secs(10), async || {
        leases.count_documents(doc! {}).await.unwrap() == 0
    })
    .await;
    assert_eq!(workspace.collection("rocketchat_import").find_one(doc! {}).await.unwrap(), Some(theirs));
}

async fn import_elsewhere() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.stage(&staged_users(0..3000)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
}

#[tokio::test]
async fn a_second_run_of_the_same_operation_is_refused_however_many_ask_at_once() {
    let workspace = workspace().await.ready_for_imports().await;
    let (one, two) = (workspace.serve().await, workspace.serve().await);
    one.stage(&staged_users(0..200)).await;
    let asked = futures::future::join_all((0..20).map(|n| if n % 2 == 0 { one.try_run() } else { two.try_run() }));
    let answers: Vec<u16> = asked.await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 400).count(), 19, "{answers:?}");
    one.wait_for_state("done").await;
    assert_eq!(workspace.count_imported().await, 200);
}

#[tokio::test]
async fn users_with_passwords_are_imported_with_them() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let with_password = |number: usize| {
        let mut user = staged_user(number);
        user["password"] = Value::from(format!("password{number}"));
        user
    };
    service.stage(&(0..8).map(with_password).collect::<Vec<_>>()).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let accounts = workspace.imported().await;
    assert_eq!(accounts.len(), 8);
    assert!(accounts.iter().all(|account| verifies(account, &format!("password{}", number_of(account)))));
}

#[tokio::test]
async fn somebody_without_a_password_can_have_it_reset_and_no_guess_lets_anybody_in() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.stage(&staged_users(0..2)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    for account in workspace.imported().await {
        // Rocket.Chat's "Forgot your password" wants the field.
        let services = account.get_document("services").unwrap();
        let bcrypt = services.get_document("password").unwrap().get_str("bcrypt").unwrap();
        let id = account.get_array("importIds").unwrap()[0].as_str().unwrap();
        for guess in ["", " ", "undefined", "null", id, account.get_str("username").unwrap()] {
            let sent = format!("{:x}", Sha256::digest(guess));
            for guess in [guess, &sent] {
                assert!(!bcrypt::verify(guess, bcrypt).unwrap(), "{guess:?} lets somebody in");
            }
        }
    }
}

#[tokio::test]
async fn users_of_calls_are_members_of_no_room_as_in_rocket_chat() {
    let workspace = workspace().await.ready_for_imports().await;
    let general = doc! { "_id": "GENERAL", "t": "c", "name": "general", "default": true, "usersCount": 0 };
    workspace.collection("rocketchat_room").insert_one(general.clone()).await.unwrap();
    let service = workspace.serve().await;
    let mut users = staged_users(0..3);
    users[2].as_object_mut().unwrap().remove("username");
    service.stage(&users).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"]["completed"], 3, "{done}");
    assert_eq!(workspace.collection("rocketchat_subscription").count_documents(doc! {}).await.unwrap(), 0);
    let stored = workspace.collection("rocketchat_room").find_one(doc! {}).await.unwrap();
    assert_eq!(stored, Some(general));
}

/// Polls both endpoints until an import of `total` is over, and asserts that they agree and never count more than there are.
async fn follow(service: &Service, total: u64) -> (u64, u64) {
    let mut last = (0, 0);
    eventually("the import is done", std::time::Duration::from_secs(60), async || {
        let before = service.status().await.json();
        let progress = service.get_as_admin("/api/v1/getImportProgress").await.json();
        let after = service.status().await.json();
        let of = |count: &Value, name: &str| count[name].as_u64().unwrap_or_default();
        let processed = |status: &Value| {
            let count = &status["operation"]["count"];
            assert_eq!(of(count, "total"), total, "{status}");
            (of(count, "completed"), of(count, "error"))
        };
        let (earlier, later) = (processed(&before), processed(&after));
        assert_eq!(of(&progress["count"], "total"), total, "{progress}");
        let (completed, failed) = (of(&progress["count"], "completed"), of(&progress["count"], "error"));
        assert!(completed + failed <= total && later.0 + later.1 <= total, "{progress} {after}");
        // The one says something between two answers of the other.
        assert!((earlier.0..=later.0).contains(&completed), "{before} {progress} {after}");
        assert!((earlier.1..=later.1).contains(&failed), "{before} {progress} {after}");
        last = later;
        after["state"] == "done"
    })
    .await;
    last
}

#[tokio::test]
async fn both_endpoints_count_to_the_total_and_never_above_also_in_an_import_that_is_resumed() {
    let workspace = workspace().await.ready_for_imports().await;
    for number in [3, 20, 40, 70, 119] {
        let taken = format!("user{number}@example.com");
        let emails = vec![bson::Bson::from(doc! { "address": taken, "verified": true })];
        workspace.add_user(user(&format!("taken{number}")).with("emails", emails)).await;
    }
    let service = workspace.serve().await;
    service.new_import().await;
    for numbers in [0..7, 7..57, 57..120] {
        service.add_users(&staged_users(numbers)).await;
    }
    let ready = service.get_as_admin("/api/v1/getImportProgress").await.json();
    assert_eq!(ready["count"]["total"], 120, "{ready}");
    service.run_import().await;
    assert_eq!(follow(&service, 120).await, (115, 5));
    workspace.left_staged(5).await;

    // The five that are left, once nobody is in their way.
    workspace.collection("users").delete_many(doc! { "_id": { "$regex": "^taken" } }).await.unwrap();
    let resumed = service.post("/api/v1/import.resume", &json!({})).await.json();
    assert_eq!(resumed["operation"]["count"], json!({ "total": 5, "users": 5 }));
    let ready = service.get_as_admin("/api/v1/getImportProgress").await.json();
    assert_eq!((&ready["count"]["total"], &ready["count"]["completed"]), (&json!(5), &json!(0)), "{ready}");
    service.run_import().await;
    assert_eq!(follow(&service, 5).await, (5, 0));
    assert_eq!(workspace.count_imported().await, 120);
}

#[tokio::test]
async fn resume_is_refused_while_a_run_goes_on_and_the_run_comes_to_its_end() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let operation = service.stage(&staged_users(0..4000)).await;
    service.run_import().await;
    let mut refused = 0;
    loop {
        let resumed = service.post("/api/v1/import.resume", &json!({})).await;
        assert_eq!(resumed.status, 400, "{}", resumed.body);
        let reason = resumed.json()["error"].as_str().unwrap().to_owned();
        if !reason.contains("it is running. Follow it with import.status, or clear it.") {
            break;
        }
        refused += 1;
    }
    assert!(refused > 0, "the run was not caught going on");
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["_id"], operation.as_str());
    assert_eq!(done["operation"]["count"], json!({"total": 4000, "users": 4000, "completed": 4000, "error": 0}));
    assert_eq!((workspace.count_imported().await, workspace.operations().await.len()), (4000, 1));
}
