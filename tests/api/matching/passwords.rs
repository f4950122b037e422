//! Passwords of people who are there.

use std::time::{Duration, Instant};

use bson::doc;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{account, address, import, outcomes, receipt};
use crate::harness::{Held, Service, Workspace, eventually, served, staged_users, user};

const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuuSdFCKPzmWj0sGmxGq0gtOUzUuRO.vJC";

async fn hash_of(workspace: &Workspace, id: &str) -> String {
    let account = account(workspace, id).await;
    let password = account.get_document("services").unwrap().get_document("password").unwrap().clone();
    password.get_str("bcrypt").unwrap().to_owned()
}

async fn has_password(workspace: &Workspace, id: &str, password: &str) -> bool {
    bcrypt::verify(format!("{:x}", Sha256::digest(password)), &hash_of(workspace, id).await).unwrap()
}

fn ann(password: &str) -> Value {
    json!({ "importIds": ["1"], "emails": ["ann@corp.example"], "username": "ann", "password": password })
}

fn named() -> Value {
    json!({ "onExisting": "update", "alsoUpdate": ["password"] })
}

async fn served_for_passwords() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    workspace.grant("edit-other-user-password", &["admin"]).await;
    (workspace, service)
}

async fn add_ann(workspace: &Workspace) {
    let known = user("ann").with("emails", address("ann@corp.example", true)).with("importIds", vec!["1"]);
    let reset = doc! { "token": "of a mail", "reason": "reset" };
    let services = doc! { "password": { "bcrypt": BCRYPT, "reset": reset }, "resume": { "loginTokens": [] } };
    workspace.add_user(known).await;
    workspace.update("users", "ann", doc! { "$set": { "services": services } }).await;
}

#[tokio::test]
async fn passwords_of_people_who_are_there_are_not_hashed() {
    let (workspace, service) = served().await;
    let mut users = staged_users(0..120);
    for user in &mut users {
        user["password"] = "a long pass phrase".into();
    }
    let timed = async |users: &[Value], rules: Value| {
        let began = Instant::now();
        import(&service, users, &rules).await;
        began.elapsed()
    };
    let creating = timed(&users, json!({ "onExisting": "skip" })).await;
    assert_eq!(workspace.count_imported().await, 120);
    let before = account(&workspace, receipt(&service).await[0]["became"].as_str().unwrap()).await;
    for user in &mut users {
        user["bio"] = "changed".into();
    }
    let updating = timed(&users, json!({ "onExisting": "update" })).await;
    assert_eq!(outcomes(&service).await[..2], ["updated", "updated"]);
    assert!(updating * 2 < creating, "updated in {updating:?}, created in {creating:?}");
    let after = account(&workspace, before.get_str("_id").unwrap()).await;
    assert_eq!(after.get_document("services").unwrap(), before.get_document("services").unwrap());
}

#[tokio::test]
async fn a_password_is_replaced_where_it_is_named_and_the_same_file_then_changes_nothing() {
    let (workspace, service) = served_for_passwords().await;
    add_ann(&workspace).await;
    import(&service, &[ann("first")], &json!({ "onExisting": "update" })).await;
    assert_eq!((outcomes(&service).await, hash_of(&workspace, "ann").await), (vec!["same".into()], BCRYPT.into()));

    import(&service, &[ann("first")], &named()).await;
    assert!(has_password(&workspace, "ann", "first").await);
    let record = receipt(&service).await.remove(0);
    assert_eq!((&record["outcome"], &record["changed"]), (&json!("updated"), &json!({ "password": {} })));
    let account = account(&workspace, "ann").await;
    let services = account.get_document("services").unwrap();
    assert!(!services.get_document("password").unwrap().contains_key("reset"), "a mailed link is for the one before");
    assert!(services.contains_key("resume") && !account.contains_key("requirePasswordChange"));

    let before = hash_of(&workspace, "ann").await;
    import(&service, &[ann("first")], &named()).await;
    assert_eq!(outcomes(&service).await, ["same"]);
    assert_eq!(hash_of(&workspace, "ann").await, before);
    // Without a password in the file there is none to take.
    let without = json!({ "importIds": ["1"], "emails": ["ann@corp.example"], "username": "ann" });
    import(&service, &[without], &named()).await;
    assert_eq!((outcomes(&service).await, hash_of(&workspace, "ann").await), (vec!["same".into()], before));
}

#[tokio::test]
async fn a_hash_of_the_file_is_stored_as_it_is_and_nobody_finds_one_in_what_is_kept() {
    let (workspace, service) = served_for_passwords().await;
    workspace.add_user(user("ann").with("importIds", vec!["1"])).await;
    let mut hashed = ann("");
    hashed["services"] = json!({ "password": { "bcrypt": BCRYPT } });
    hashed["requirePasswordChange"] = true.into();
    import(&service, &[hashed.clone()], &named()).await;
    assert_eq!(hash_of(&workspace, "ann").await, BCRYPT);
    let changed = receipt(&service).await[0]["changed"].clone();
    assert_eq!((&changed["password"], &changed["requirePasswordChange"]["after"]), (&json!({}), &json!(true)));

    // Asked to choose another one, and has done so.
    let own = doc! { "$set": { "services.password.bcrypt": BCRYPT.replace("vJC", "vJD") }, "$unset": { "requirePasswordChange": 1 } };
    workspace.update("users", "ann", own).await;
    import(&service, &[hashed.clone()], &named()).await;
    assert_eq!((outcomes(&service).await, hash_of(&workspace, "ann").await), (vec!["updated".into()], BCRYPT.into()));
    workspace.update("users", "ann", doc! { "$unset": { "requirePasswordChange": 1 } }).await;
    import(&service, &[hashed], &named()).await;
    assert_eq!(outcomes(&service).await, ["same"], "nobody is asked again for the same password");

    for collection in workspace.database.list_collection_names().await.unwrap() {
        if !collection.starts_with("rocketchat_import_service") {
            continue;
        }
        let mut documents = workspace.collection(&collection).find(doc! {}).await.unwrap();
        while documents.advance().await.unwrap() {
            let text = format!("{:?}", documents.deserialize_current().unwrap());
            assert!(!text.contains("$2b$10$"), "{collection}: {text}");
        }
    }
}

#[tokio::test]
async fn passwords_are_changed_and_compared_for_people_alone_who_may_change_those_of_others() {
    let (workspace, service) = served_for_passwords().await;
    add_ann(&workspace).await;
    workspace.grant("edit-other-user-password", &["boss"]).await;
    service.stage(&[ann("a guess")]).await;
    let refused = service.post("/api/v1/import.run", &named()).await;
    assert_eq!((refused.status.as_u16(), hash_of(&workspace, "ann").await), (403, BCRYPT.to_owned()), "{refused:?}");
    let query = "workspace=true&format=jsonl&from=own&onExisting=update&alsoUpdate=password";
    let line = ann("a guess").to_string();
    let refused = service.post_body(&format!("/api/v1/import.check?{query}"), None, line.clone()).await;
    assert_eq!(refused.status.as_u16(), 403, "{refused:?}");
    workspace.grant("edit-other-user-password", &["admin"]).await;
    let checked = service.post_body(&format!("/api/v1/import.check?{query}"), None, line).await;
    assert!(checked.body.contains(r#""changed":["password"]"#), "{checked:?}");
    assert!(!checked.body.contains("a guess") && !checked.body.contains("$2b$"), "{checked:?}");
}

#[tokio::test]
async fn a_hash_goes_before_a_password_and_a_hash_that_is_none_is_replaced() {
    let (workspace, service) = served_for_passwords().await;
    add_ann(&workspace).await;
    workspace.update("users", "ann", doc! { "$set": { "services.password.bcrypt": "" } }).await;
    import(&service, &[ann("first")], &named()).await;
    assert_eq!(outcomes(&service).await, ["updated"]);
    assert!(has_password(&workspace, "ann", "first").await);
    let mut both = ann("first");
    both["services"] = json!({ "password": { "bcrypt": BCRYPT } });
    import(&service, &[ann("second"), both], &named()).await;
    assert_eq!(outcomes(&service).await, ["updated", "updated"]);
    assert_eq!(hash_of(&workspace, "ann").await, BCRYPT);
}

#[tokio::test]
async fn of_two_records_of_an_account_the_later_password_stays() {
    let (workspace, service) = served_for_passwords().await;
    add_ann(&workspace).await;
    import(&service, &[ann("first"), ann("second"), ann("second")], &named()).await;
    assert_eq!(outcomes(&service).await, ["updated", "updated", "same"]);
    assert!(has_password(&workspace, "ann", "second").await);

    // The same for an account that is made for the first of them.
    let bob = |password: &str| json!({ "importIds": ["2"], "emails": ["b@corp.example"], "username": "bob", "password": password });
    import(&service, &[bob("first"), bob("first"), bob("second")], &named()).await;
    assert_eq!(outcomes(&service).await, ["created", "same", "updated"]);
    let bob = receipt(&service).await[0]["became"].as_str().unwrap().to_owned();
    assert!(has_password(&workspace, &bob, "second").await);
}

#[tokio::test]
async fn passwords_of_a_killed_run_are_updated_in_its_receipt() {
    let (workspace, service) = served_for_passwords().await;
    let mut users = staged_users(0..150);
    import(&service, &users, &json!({ "onExisting": "skip" })).await;
    for user in &mut users {
        user["password"] = "a long pass phrase".into();
    }
    service.stage(&users).await;
    let before = workspace.collection("users").find_one(doc! { "username": "user0" }).await.unwrap().unwrap();
    let id = before.get_str("_id").unwrap().to_owned();
    let unusable = hash_of(&workspace, &id).await;
    assert_eq!(service.post("/api/v1/import.run", &named()).await.status, 200);
    eventually("the first has the password", Duration::from_secs(60), async || {
        hash_of(&workspace, &id).await != unusable
    })
    .await;
    service.kill();
    let service = workspace.serve().await;
    service.wait_for_state("done").await;
    let receipt = service.get_as_admin("/api/v1/import.receipt?format=jsonl").await.body;
    assert_eq!(receipt.matches(r#""outcome":"updated""#).count(), 150, "and none is the same");
    assert_eq!(receipt.matches(r#""password":{}"#).count(), 150);
    for place in [0, 149] {
        let wanted = doc! { "username": format!("user{place}") };
        let found = workspace.collection("users").find_one(wanted).await.unwrap().unwrap();
        assert!(has_password(&workspace, found.get_str("_id").unwrap(), "a long pass phrase").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_that_a_killed_batch_has_filled_is_updated_in_the_receipt_under_fail_too() {
    let (workspace, service) = served_for_passwords().await;
    let stand_in = user("ann").with("importIds", vec!["1"]).with("active", false).with("importPlaceholder", true);
    workspace.add_user(stand_in).await;
    service.stage(&[ann("first")]).await;
    let operation = service.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned();
    let held = Held::receipt(&workspace, &operation, 0).await;
    let rules = json!({ "onExisting": "fail", "onUsernameTaken": "suffix" });
    assert_eq!(service.post("/api/v1/import.run", &rules).await.status, 200);
    eventually("the placeholder is filled", Duration::from_secs(60), async || {
        account(&workspace, "ann").await.get_bool("active").unwrap()
    })
    .await;
    service.kill();
    held.give_up(&workspace).await;
    let service = workspace.serve().await;
    service.wait_for_state("done").await;
    let record = receipt(&service).await.remove(0);
    assert_eq!((&record["outcome"], &record["changed"]["password"]), (&json!("updated"), &json!({})), "{record}");
    assert!(has_password(&workspace, "ann", "first").await);
}
