//! Batches whose instance dies between its changes of accounts and the receipt.

use std::time::Duration;

use bson::{Document, doc};
use serde_json::{Value, json};

use super::RECEIPTS;
use crate::harness::{Held, Service, Workspace, eventually, served, staged_user, user};

const PATIENCE: Duration = Duration::from_secs(30);

impl Service {
    async fn run_under(&self, rules: &Value) {
        let answer = self.post("/api/v1/import.run", rules).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

async fn has(workspace: &Workspace, account: Document) -> bool {
    workspace.collection("users").find_one(account).await.unwrap().is_some()
}

/// The counts, and what an undo would read of each record. The `_id`s of new accounts are left out: no two runs share them.
async fn told(service: &Service) -> (Value, Vec<Value>) {
    let count = service.wait_for_state("done").await["operation"]["count"].clone();
    let receipt = service.get_as_admin("/api/v1/import.receipt").await.json();
    let records = receipt["records"].as_array().unwrap().iter().map(|record| {
        let named = |field: &str| record[field].clone();
        json!([named("importIds"), named("outcome"), named("foundBy"), named("changed"), named("reason")])
    });
    (count, records.collect())
}

/// People who are there in part, of whom one comes twice and one comes twice and is new.
fn people() -> Vec<Value> {
    let person = |id: &str, name: &str| json!({ "importIds": [id], "emails": [format!("{name}@corp.example")], "username": name, "bio": format!("bio {id}") });
    let mut again = person("2", "ann");
    again["customFields"] = json!({ "team": "sales", "floor": 3 });
    vec![
        person("1", "ann"),
        staged_user(7),
        again,
        json!({ "importIds": ["s"], "emails": ["sam@corp.example"], "username": "sam" }),
        person("n1", "nel"),
        json!({ "importIds": ["k"], "emails": ["kim@partner.example"], "username": "kim" }),
        person("n2", "nel"),
        person("b", "bob"),
    ]
}

async fn served_with_people() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    let known = |name: &str| {
        user(name).with("emails", vec![doc! { "address": format!("{name}@corp.example"), "verified": true }])
    };
    workspace.add_user(known("ann").with("customFields", doc! { "team": "support" })).await;
    workspace.add_user(known("bob").with("bio", "Trainee").with("importIds", vec!["old"])).await;
    workspace.add_user(known("sam").with("importIds", vec!["s"])).await;
    workspace.add_user(known("kim")).await;
    (workspace, service)
}

/// Kills a run before the receipt of its only batch, which changes four accounts.
async fn killed_before_its_receipt_a_batch_is_told_as_one_that_was_not(rules: Value) {
    let (_undisturbed, service) = served_with_people().await;
    service.stage(&people()).await;
    service.run_under(&rules).await;
    let expected = told(&service).await;

    let (workspace, service) = served_with_people().await;
    service.stage(&people()).await;
    let held = Held::receipt(&workspace, &service.operation_id().await, 0).await;
    service.run_under(&rules).await;
    let linked = async |ids: &[&str]| has(&workspace, doc! { "importIds": { "$all": ids } }).await;
    eventually("the accounts are changed", PATIENCE, async || {
        linked(&["1", "2"]).await && linked(&["n1", "n2"]).await && linked(&["old", "b"]).await
    })
    .await;
    service.kill();
    held.give_up(&workspace).await;
    let service = workspace.serve().await;
    let found = told(&service).await;
    assert_eq!(found, expected);
    assert_eq!(found.1.iter().filter(|record| record[1] == "linked" || record[1] == "updated").count(), 4);
    let verified = service.get_as_admin("/api/v1/import.verify").await.body;
    assert!(verified.contains(r#""differences":0"#), "{verified}");
}

#[tokio::test]
async fn who_was_linked_by_a_killed_batch_is_linked_in_the_receipt() {
    killed_before_its_receipt_a_batch_is_told_as_one_that_was_not(json!({ "onExisting": "link" })).await;
}

#[tokio::test]
async fn who_got_another_name_from_a_killed_batch_is_told_with_the_account_that_has_his() {
    let rules = json!({ "onExisting": "link", "onUsernameTaken": "suffix" });
    killed_before_its_receipt_a_batch_is_told_as_one_that_was_not(rules).await;
}

#[tokio::test]
async fn who_was_updated_by_a_killed_batch_is_updated_in_the_receipt() {
    killed_before_its_receipt_a_batch_is_told_as_one_that_was_not(json!({ "onExisting": "update" })).await;
}

#[tokio::test]
async fn an_account_that_somebody_changes_before_a_killed_batch_does_is_told_as_it_was_then() {
    let (workspace, service) = served_with_people().await;
    service.stage(&people()[7..]).await;
    let mut held = Held::begin(&workspace).await;
    held.update(&workspace, "users", "bob", doc! { "$set": { "bio": "Boss" } }).await;
    service.run_under(&json!({ "onExisting": "update" })).await;
    eventually("the batch says its plan", PATIENCE, async || has_plan(&workspace).await).await;
    service.kill();
    held.end().await;
    let service = workspace.serve().await;
    let (_, records) = told(&service).await;
    let changed = json!({ "bio": { "before": "Boss", "after": "bio b" }, "importIds": { "before": ["old"], "after": ["old", "b"] } });
    assert_eq!(records, [json!([["b"], "updated", "verifiedEmail", changed, null])]);
}

/// The first and the last record of the batch, which nothing reads.
#[tokio::test]
async fn a_plan_with_the_range_that_plans_once_had_is_read_and_none_has_it_any_more() {
    let (workspace, service) = served_with_people().await;
    service.stage(&people()[7..]).await;
    let held = Held::receipt(&workspace, &service.operation_id().await, 0).await;
    service.run_under(&json!({ "onExisting": "link" })).await;
    eventually("the account is changed", PATIENCE, async || has(&workspace, doc! { "importIds": "b" }).await).await;
    service.kill();
    let receipts = workspace.collection(RECEIPTS);
    let plans = doc! { "_id": { "$regex": "#plan:" } };
    let plan = receipts.find_one(plans.clone()).await.unwrap().unwrap();
    let names: Vec<&str> = plan.keys().map(String::as_str).collect();
    assert_eq!(names, ["_id", "run", "changes", "at", "expires"]);
    let range = doc! { "first": "a", "last": bson::oid::ObjectId::new() };
    receipts.update_one(plans, doc! { "$set": range }).await.unwrap();
    held.give_up(&workspace).await;
    let service = workspace.serve().await;
    let (_, records) = told(&service).await;
    let changed = json!({ "importIds": { "before": ["old"], "after": ["old", "b"] } });
    assert_eq!(records, [json!([["b"], "linked", "verifiedEmail", changed, null])]);
}

async fn has_plan(workspace: &Workspace) -> bool {
    workspace.collection(RECEIPTS).find_one(doc! { "_id": { "$regex": "#plan:" } }).await.unwrap().is_some()
}

#[tokio::test]
async fn what_somebody_changes_after_a_killed_batch_did_is_not_told_as_the_batchs() {
    let (workspace, service) = served_with_people().await;
    service.stage(&people()[7..]).await;
    let held = Held::receipt(&workspace, &service.operation_id().await, 0).await;
    service.run_under(&json!({ "onExisting": "update" })).await;
    eventually("the account is changed", PATIENCE, async || has(&workspace, doc! { "importIds": "b" }).await).await;
    service.kill();
    workspace.update("users", "bob", doc! { "$set": { "bio": "Boss" } }).await;
    held.give_up(&workspace).await;
    let service = workspace.serve().await;
    let (_, records) = told(&service).await;
    let changed = json!({ "bio": { "before": "Boss", "after": "bio b" }, "importIds": { "before": ["old"], "after": ["old", "b"] } });
    assert_eq!(records, [json!([["b"], "updated", "verifiedEmail", changed, null])]);
}

#[tokio::test]
async fn an_operation_that_goes_on_with_a_killed_one_tells_what_that_one_changed() {
    let (workspace, service) = served_with_people().await;
    service.stage(&people()[7..]).await;
    let held = Held::receipt(&workspace, &service.operation_id().await, 0).await;
    let rules = json!({ "onExisting": "link" });
    service.run_under(&rules).await;
    eventually("the account is changed", PATIENCE, async || has(&workspace, doc! { "importIds": "b" }).await).await;
    service.kill();
    // What every process of Rocket.Chat does when it starts.
    let operations = workspace.collection("rocketchat_import");
    operations.update_many(doc! { "valid": { "$ne": false } }, doc! { "$set": { "valid": false } }).await.unwrap();
    held.give_up(&workspace).await;
    let service = workspace.serve().await;
    service.wait_for_state("error").await;
    let resumed = service.post("/api/v1/import.resume", &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    service.run_under(&rules).await;
    let (_, records) = told(&service).await;
    let changed = json!({ "importIds": { "before": ["old"], "after": ["old", "b"] } });
    assert_eq!(records, [json!([["b"], "linked", "verifiedEmail", changed, null])]);
}

#[tokio::test]
async fn a_run_that_only_makes_accounts_stores_no_plan() {
    let (workspace, service) = served().await;
    service.stage(&people()[..5]).await;
    service.run_under(&json!({ "onExisting": "skip" })).await;
    service.wait_for_state("done").await;
    assert!(!has_plan(&workspace).await);
}
