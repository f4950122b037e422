//! People who are there: what a run does with them under each rule.

mod activity;
mod passwords;

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use crate::harness::{Service, Workspace, served, staged_users, user};

/// Stages the users and runs them under these rules, to the end.
async fn import(service: &Service, users: &[Value], rules: &Value) -> Value {
    service.stage(users).await;
    let answer = service.post("/api/v1/import.run", rules).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    service.wait_for_state("done").await
}

async fn receipt(service: &Service) -> Vec<Value> {
    service.get_as_admin("/api/v1/import.receipt").await.json()["records"].as_array().unwrap().clone()
}

async fn outcomes(service: &Service) -> Vec<String> {
    let records = receipt(service).await;
    records.iter().map(|record| record["outcome"].as_str().unwrap().to_owned()).collect()
}

async fn account(workspace: &Workspace, id: &str) -> Document {
    workspace.collection("users").find_one(doc! { "_id": id }).await.unwrap().unwrap()
}

fn address(address: &str, verified: bool) -> Vec<Bson> {
    vec![doc! { "address": address, "verified": verified }.into()]
}

async fn add_ann(workspace: &Workspace) {
    let ann = user("ann").with("emails", address("Ann@corp.example", true)).with_roles(&["user", "admin"]);
    workspace.add_user(ann).await;
}

fn ann() -> Value {
    json!({
        "importIds": ["U01ANN"], "emails": ["ann@corp.example"], "username": "ann", "bio": "Head of sales",
        "roles": ["user"], "customFields": { "team": "sales" },
    })
}

#[tokio::test]
async fn without_a_rule_somebody_who_is_there_fails_as_in_rocket_chat() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    let status = import(&service, &[ann()], &json!({})).await;
    assert_eq!(status["operation"]["count"]["error"], 1, "{status}");
    let reason = receipt(&service).await[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("is taken by the user ann") && reason.contains("onExisting set to link"), "{reason}");
}

#[tokio::test]
async fn three_thousand_people_who_come_again_and_again_are_created_once() {
    let (workspace, service) = served().await;
    let mut people = staged_users(0..3000);
    let night = async |people: &[Value], on_existing: &str| {
        let status = import(&service, people, &json!({ "onExisting": on_existing })).await;
        assert_eq!(status["operation"]["count"]["error"], 0, "{status}");
        let receipt = service.get_as_admin("/api/v1/import.receipt?format=jsonl").await.body;
        ["created", "updated", "same"].map(|outcome| receipt.matches(&format!(r#""outcome":"{outcome}""#)).count())
    };
    assert_eq!(night(&people, "skip").await, [3000, 0, 0]);
    assert_eq!(night(&people, "skip").await, [0, 0, 3000]);
    people.extend(staged_users(3000..3010));
    assert_eq!(night(&people, "skip").await, [10, 0, 3000]);
    people[77]["emails"] = json!(["seventy.seven@corp.example"]);
    assert_eq!(night(&people, "update").await, [0, 1, 3009]);
    assert_eq!(workspace.count_imported().await, 3010);
    let moved =
        doc! { "emails.address": "seventy.seven@corp.example", "importIds": people[77]["importIds"][0].as_str() };
    assert_eq!(workspace.collection("users").count_documents(moved).await.unwrap(), 1);
}

#[tokio::test]
async fn with_skip_somebody_who_is_there_is_no_error_and_stays_as_he_is() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    let before = account(&workspace, "ann").await;
    let status = import(&service, &[ann()], &json!({ "onExisting": "skip" })).await;
    assert_eq!(
        (&status["operation"]["count"]["completed"], &status["operation"]["count"]["error"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(account(&workspace, "ann").await, before);
    let record = receipt(&service).await.remove(0);
    assert_eq!(
        (&record["outcome"], &record["became"], &record["foundBy"]),
        (&json!("same"), &json!("ann"), &json!("verifiedEmail"))
    );
    let verified = service.get_as_admin("/api/v1/import.verify").await.body;
    assert!(verified.contains(r#""differences":0"#), "{verified}");
}

#[tokio::test]
async fn with_link_an_account_gains_the_import_id_and_what_it_lacks_and_the_second_run_writes_nothing() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    import(&service, &[ann()], &json!({ "onExisting": "link" })).await;
    let linked = account(&workspace, "ann").await;
    assert_eq!(linked.get_array("importIds").unwrap(), &[Bson::from("U01ANN")]);
    assert_eq!(linked.get_str("bio").unwrap(), "Head of sales");
    assert_eq!(linked.get_array("roles").unwrap().len(), 2);
    assert_eq!(linked.get_array("emails").unwrap(), &address("Ann@corp.example", true));
    let record = receipt(&service).await.remove(0);
    assert_eq!(record["outcome"], "linked");
    assert_eq!(record["changed"]["importIds"], json!({ "after": ["U01ANN"] }));
    import(&service, &[ann()], &json!({ "onExisting": "link" })).await;
    assert_eq!(outcomes(&service).await, ["same"]);
    assert_eq!(account(&workspace, "ann").await, linked);
    assert_eq!(workspace.count_imported().await, 1);
}

#[tokio::test]
async fn an_account_without_a_picture_gets_the_address_of_one_and_a_picture_that_is_there_stays() {
    let pictured = |name: &str| {
        let ids = [format!("id-{name}")];
        json!({
            "importIds": ids, "emails": [format!("{name}@corp.example")], "username": name,
            "avatarUrl": format!("https://pictures.example/{name}.png"),
        })
    };
    for rule in ["link", "update"] {
        let (workspace, service) = served().await;
        for name in ["ann", "bea"] {
            let mail = format!("{name}@corp.example");
            workspace.add_user(user(name).with("emails", address(&mail, true))).await;
        }
        workspace.update("users", "bea", doc! { "$set": { "avatarETag": "own" } }).await;
        for _ in 0..2 {
            import(&service, &[pictured("ann"), pictured("bea")], &json!({ "onExisting": rule })).await;
        }
        assert_eq!(outcomes(&service).await, ["same", "same"], "{rule}");
        let address_of =
            async |name| account(&workspace, name).await.get_str("_pendingAvatarUrl").ok().map(str::to_owned);
        assert_eq!(address_of("ann").await.as_deref(), Some("https://pictures.example/ann.png"), "{rule}");
        assert_eq!(address_of("bea").await, None, "{rule}");
    }
}

#[tokio::test]
async fn with_update_the_values_win_and_roles_are_only_added_where_they_are_named() {
    let (workspace, service) = served().await;
    let known = user("ann").with("emails", address("ann@corp.example", true)).with("bio", "Trainee");
    workspace.add_user(known.with_roles(&["admin"])).await;
    import(&service, &[ann()], &json!({ "onExisting": "update" })).await;
    let updated = account(&workspace, "ann").await;
    assert_eq!((updated.get_str("bio").unwrap(), updated.get_array("roles").unwrap().len()), ("Head of sales", 1));
    assert_eq!(updated.get_document("customFields").unwrap(), &doc! { "team": "sales" });
    let record = receipt(&service).await.remove(0);
    assert_eq!(
        (&record["outcome"], &record["changed"]["bio"]),
        (&json!("updated"), &json!({ "before": "Trainee", "after": "Head of sales" }))
    );
    import(&service, &[ann()], &json!({ "onExisting": "update", "alsoUpdate": ["roles"] })).await;
    let roles = account(&workspace, "ann").await.get_array("roles").unwrap().clone();
    assert_eq!(roles, [Bson::from("admin"), Bson::from("user")]);
}

#[tokio::test]
async fn the_same_name_with_another_address_is_another_person_who_fails_or_gets_the_next_free_name() {
    let (workspace, service) = served().await;
    workspace.add_user(user("kim").with("emails", address("kim@corp.example", true))).await;
    workspace.add_user(user("kim-1").with("emails", address("kim1@corp.example", true))).await;
    let kim = json!({ "importIds": ["k"], "emails": ["kim.b@partner.example"], "username": "kim" });
    import(&service, std::slice::from_ref(&kim), &json!({ "onExisting": "link" })).await;
    let record = receipt(&service).await.remove(0);
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.contains("user name of k (@kim)") && reason.contains("kim (@kim)"), "{reason}");
    assert!(reason.contains("onUsernameTaken set to suffix"), "{reason}");
    import(&service, std::slice::from_ref(&kim), &json!({})).await;
    let record = receipt(&service).await.remove(0);
    let reason = record["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        "The username kim is taken by the user kim (kim). With onUsernameTaken set to suffix, the new account gets the \
         next free name."
    );
    for (rule, username) in [("link", "kim-2"), ("fail", "kim-3")] {
        let mut another = kim.clone();
        another["importIds"] = json!([rule]);
        another["emails"] = json!([format!("{rule}@partner.example")]);
        import(&service, &[another], &json!({ "onExisting": rule, "onUsernameTaken": "suffix" })).await;
        let record = receipt(&service).await.remove(0);
        let made = account(&workspace, record["became"].as_str().unwrap()).await;
        assert_eq!(made.get_str("username").unwrap(), username);
        assert!(record["reason"].as_str().unwrap().contains(&format!("this one is {username}")), "{record}");
    }
}

#[tokio::test]
async fn with_a_suffix_for_names_somebody_who_is_there_still_fails_under_fail() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    import(&service, &[ann()], &json!({ "onExisting": "fail", "onUsernameTaken": "suffix" })).await;
    let record = receipt(&service).await.remove(0);
    assert_eq!(record["outcome"], "failed");
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.contains("is there already") && reason.contains("onExisting set to link"), "{reason}");
    assert_eq!(workspace.count_imported().await, 1);
}

#[tokio::test]
async fn two_records_of_one_new_person_make_one_account() {
    let (workspace, service) = served().await;
    let first = json!({ "importIds": ["1"], "emails": ["Eve@corp.example"], "username": "eve" });
    let second = json!({ "importIds": ["2"], "emails": ["eve@corp.example"], "username": "eve", "bio": "two" });
    import(&service, &[first, second], &json!({ "onExisting": "link" })).await;
    assert_eq!(outcomes(&service).await, ["created", "linked"]);
    let imported = workspace.imported().await;
    assert_eq!(imported.len(), 1);
    assert_eq!(imported[0].get_array("importIds").unwrap(), &[Bson::from("1"), Bson::from("2")]);
    assert_eq!(imported[0].get_str("bio").unwrap(), "two");
}

#[tokio::test]
async fn match_by_narrows_what_people_are_found_by() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    import(&service, &[ann()], &json!({ "onExisting": "link", "matchBy": ["importId"] })).await;
    let record = receipt(&service).await.remove(0);
    assert_eq!(record["outcome"], "failed");
    assert!(record["reason"].as_str().unwrap().contains("not found by address"), "{record}");
}

#[tokio::test]
async fn a_rule_that_is_not_known_is_refused_and_nothing_runs() {
    let (_workspace, service) = served().await;
    service.stage(&staged_users(0..1)).await;
    let answer = service.post("/api/v1/import.run", &json!({ "onExisting": "merge" })).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["details"],
        json!({
            "path": "/onExisting", "reason": "onExisting is \"merge\": give one of fail, skip, link and update",
        }),
        "{}",
        answer.body
    );
    assert_eq!(service.status().await.json()["state"], "ready");
}

#[tokio::test]
async fn a_run_that_is_taken_over_keeps_its_rules() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    let mut users = staged_users(0..3000);
    users.push(ann());
    service.stage(&users).await;
    let answer = service.post("/api/v1/import.run", &json!({ "onExisting": "link" })).await;
    assert_eq!(answer.status, 200);
    drop(service);
    let service = workspace.serve().await;
    let status = service.wait_for_state("done").await;
    assert_eq!(
        (&status["operation"]["count"]["completed"], &status["operation"]["count"]["error"]),
        (&json!(3001), &json!(0))
    );
    assert_eq!(account(&workspace, "ann").await.get_array("importIds").unwrap(), &[Bson::from("U01ANN")]);
}

#[tokio::test]
async fn accounts_that_a_killed_run_has_made_are_created_in_its_receipt_and_keep_their_note() {
    let (workspace, service) = served().await;
    workspace.add_user(user("user3").with("emails", address("other@corp.example", true))).await;
    service.stage(&staged_users(0..3000)).await;
    let rules = json!({ "onExisting": "skip", "onUsernameTaken": "suffix" });
    assert_eq!(service.post("/api/v1/import.run", &rules).await.status, 200);
    let patience = std::time::Duration::from_secs(60);
    crate::harness::eventually("some are there", patience, async || workspace.count_imported().await > 600).await;
    service.kill();
    let service = workspace.serve().await;
    service.wait_for_state("done").await;
    let receipt = service.get_as_admin("/api/v1/import.receipt?format=jsonl").await.body;
    assert_eq!(receipt.matches(r#""outcome":"created""#).count(), 3000, "and none is the same");
    assert_eq!(receipt.matches("this one is user3-1").count(), 1);
    assert_eq!(workspace.count_imported().await, 3001, "and user3 of before");
}

#[tokio::test]
async fn with_link_an_account_that_lacks_nothing_gains_the_import_id_and_nothing_else() {
    let (workspace, service) = served().await;
    add_ann(&workspace).await;
    let before = account(&workspace, "ann").await;
    let record = json!({ "importIds": ["U01ANN"], "emails": ["ann@corp.example"], "username": "ann" });
    import(&service, &[record], &json!({ "onExisting": "link" })).await;
    assert_eq!(outcomes(&service).await, ["linked"]);
    let mut after = account(&workspace, "ann").await;
    assert_eq!(after.remove("importIds"), Some(Bson::from(vec!["U01ANN"])));
    // Rocket.Chat sets it with every change.
    assert!(after.remove("_updatedAt").is_some_and(|moment| moment.as_datetime().is_some()));
    assert_eq!(after, before);
    assert_eq!(workspace.count_imported().await, 1);
}
