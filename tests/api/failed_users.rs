//! Users that cannot be imported: what becomes of them, and what an administrator sees.

use std::collections::HashMap;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::harness::{Service, Workspace, staged_user, staged_users, user, workspace};

#[tokio::test]
async fn exactly_the_duplicates_fail_each_with_its_reason_and_the_rest_is_imported() {
    let workspace = workspace().await.ready_for_imports().await;
    let existing = user("existing").with("emails", vec![doc! { "address": "taken@example.com", "verified": true }]);
    workspace.add_user(existing).await;
    let service = workspace.serve().await;

    // 2,000 users, 100 of them in the way of somebody: of each twenty one, in four different ways.
    let mut users = staged_users(0..2000);
    let mut expected = HashMap::new();
    for (turn, number) in (19..2000).step_by(20).enumerate() {
        let (field, value, what, of_whom) = match turn % 4 {
            0 => ("username", json!("existing"), "username existing", "existing (existing)".to_owned()),
            1 => (
                "emails",
                json!(["taken@example.com"]),
                "e-mail address taken@example.com",
                "existing (existing)".to_owned(),
            ),
            // The one right before, in the same batch.
            2 => ("username", json!(format!("user{}", number - 1)), "username", format!("user{} ", number - 1)),
            // The very first, in another batch or long imported.
            _ => ("emails", json!(["user0@example.com"]), "e-mail address user0@example.com", "user0 ".to_owned()),
        };
        users[number][field] = value;
        expected.insert(format!("id{number}"), (what, of_whom));
    }
    // Rocket.Chat's indexes tell letter case apart.
    users[5]["username"] = json!("EXISTING");
    users[6]["emails"] = json!(["TAKEN@example.com"]);

    service.stage(&users).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"], json!({"total": 2000, "users": 2000, "completed": 1900, "error": 100}));
    assert_eq!(workspace.count_imported().await, 1900 + 1);

    let told = all_errors(&service).await;
    assert_eq!(told.len(), 100);
    for failed in &told {
        let import_id = failed["importIds"][0].as_str().unwrap();
        let (what, of_whom) = &expected[import_id];
        let reason = failed["errors"][0].as_str().unwrap();
        assert!(reason.contains(what) && reason.contains(of_whom.as_str()), "{import_id}: {reason}");
    }
    workspace.left_staged(100).await;
    for record in staged(&workspace).await {
        let import_ids = record.get_document("data").unwrap().get_array("importIds").unwrap();
        assert!(expected.contains_key(import_ids[0].as_str().unwrap()));
        let error = record.get_array("errors").unwrap()[0].as_document().unwrap();
        assert!(error.get_str("message").unwrap().contains("is taken by the user"), "{record}");
    }
}

async fn all_errors(service: &Service) -> Vec<Value> {
    let page = service.get_as_admin("/api/v1/import.errors?count=0").await.json();
    assert_eq!(page["total"], page["count"]);
    page["errors"].as_array().unwrap().clone()
}

async fn staged(workspace: &Workspace) -> Vec<Document> {
    workspace.collection("rocketchat_import_data").find(doc! {}).await.unwrap().try_collect().await.unwrap()
}

#[tokio::test]
async fn of_two_staged_users_with_one_name_the_first_gets_it_wherever_they_stand() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let mut users = staged_users(0..6000);
    for number in (3000..6000).step_by(10) {
        users[number]["username"] = json!(format!("user{}", number - 3000 + 1));
    }
    service.stage(&users).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"]["error"], 300);
    for failed in all_errors(&service).await {
        let number: usize = failed["importIds"][0].as_str().unwrap().trim_start_matches("id").parse().unwrap();
        assert!(number >= 3000 && number.is_multiple_of(10), "{failed}");
    }
}

#[tokio::test]
async fn an_import_where_nobody_gets_in_is_done_all_the_same() {
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_user(user("existing")).await;
    let service = workspace.serve().await;
    let mut users = staged_users(0..3);
    for user in &mut users {
        user["username"] = json!("existing");
    }
    service.stage(&users).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"], json!({"total": 3, "users": 3, "completed": 0, "error": 3}));
    assert_eq!(workspace.count_staged().await, 3);
}

#[tokio::test]
async fn records_that_hold_no_user_fail_with_a_reason_and_do_not_stop_the_others() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let operation = service.stage(&[staged_user(0)]).await;
    let odd = [
        doc! { "_id": "no data", "dataType": "user" },
        doc! { "_id": "data is a number", "data": 7, "dataType": "user" },
        doc! { "_id": "empty", "data": {}, "dataType": "user" },
        doc! { "_id": "neither name nor address", "data": { "emails": [], "importIds": ["x"] }, "dataType": "user" },
        doc! { "_id": "too large", "data": { "username": "big", "bio": "x".repeat(15_999_000) }, "dataType": "user" },
    ];
    workspace.collection("rocketchat_import_data").insert_many(odd).await.unwrap();
    // Rocket.Chat counts what it stages.
    workspace.change_operation(&operation, doc! { "count": { "total": 6, "users": 6 } }).await;
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    let count = &done["operation"]["count"];
    assert_eq!((count["completed"].as_u64(), count["error"].as_u64()), (Some(2), Some(4)), "{count}");
    assert_eq!(count["total"], 6);
    let reasons: Vec<Value> =
        all_errors(&service).await.into_iter().map(|failed| failed["errors"][0].clone()).collect();
    assert_eq!(
        reasons.iter().filter(|reason| **reason == "The record holds nothing to import.").count(),
        2,
        "{reasons:?}"
    );
    assert_eq!(
        reasons.iter().filter(|reason| **reason == "importer-user-missing-email-and-username").count(),
        2,
        "{reasons:?}"
    );
}

#[tokio::test]
async fn one_user_in_the_way_of_somebody_keeps_out_nobody_else_wherever_he_stands() {
    let bea = || user("bea").with("emails", vec![doc! { "address": "bea@corp.example", "verified": true }]);
    let person = |id: &str, username: &str, address: &str, name: &str| json!({ "importIds": [id], "emails": [address], "username": username, "name": name });
    let bad = person("e2", "bea2", "bea@corp.example", "Bea Poe");
    let good = [person("e1", "ann", "ann@corp.example", "Ann Lee"), person("e3", "cid", "cid@corp.example", "Cid Roe")];
    for place in [Some(0), Some(1), Some(2), None] {
        let workspace = workspace().await.ready_for_imports().await;
        workspace.add_user(bea()).await;
        let service = workspace.serve().await;
        let mut users = if place.is_some() { good.to_vec() } else { Vec::new() };
        users.insert(place.unwrap_or(0), bad.clone());
        service.stage(&users).await;
        service.run_import().await;
        let done = service.wait_for_state("done").await;
        let (completed, total) = (users.len() - 1, users.len());
        let count = &done["operation"]["count"];
        assert_eq!(
            (count["completed"].as_u64().unwrap_or_default(), &count["error"], &count["total"]),
            (completed as u64, &json!(1), &json!(total)),
            "{done}"
        );
        let failed = all_errors(&service).await;
        assert_eq!(failed.len(), 1);
        assert_eq!(
            (&failed[0]["importIds"], &failed[0]["errors"]),
            (
                &json!(["e2"]),
                &json!(["The e-mail address bea@corp.example is taken by the user bea (bea). \
                With onExisting set to link, that account gets the import id."])
            )
        );
        let mut names: Vec<String> = workspace
            .imported()
            .await
            .iter()
            .filter(|account| account.get_str("_id").unwrap() != "bea")
            .map(|account| format!("{} {}", account.get_str("username").unwrap(), account.get_str("name").unwrap()))
            .collect();
        names.sort();
        let expected = if place.is_some() { vec!["ann Ann Lee", "cid Cid Roe"] } else { vec![] };
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn the_total_is_known_from_the_first_call_on_and_a_resumed_import_counts_its_own() {
    let workspace = workspace().await.ready_for_imports().await;
    for number in 0..5 {
        workspace.add_user(user(&format!("user{}", number * 20))).await;
    }
    let service = workspace.serve().await;
    service.new_import().await;
    let mut staged = 0;
    for count in [7, 50, 63] {
        service.add_users(&staged_users(staged..staged + count)).await;
        staged += count;
        assert_eq!(service.status().await.json()["operation"]["count"]["total"], staged);
    }
    service.run_import().await;
    let numbers = async || {
        let status = service.status().await.json();
        let progress = service.get_as_admin("/api/v1/getImportProgress").await.json();
        let count = &status["operation"]["count"];
        let of = |name: &str| count[name].as_u64().unwrap_or_default();
        let told = progress["count"].clone();
        assert_eq!((of("total"), &told["total"]), (120, &json!(120)), "{status} {progress}");
        assert!(of("completed") + of("error") <= 120, "{status}");
        (status["state"] == "done").then(|| (of("completed"), of("error"), told))
    };
    let mut end = None;
    crate::harness::eventually("the import is done", std::time::Duration::from_secs(60), async || {
        end = numbers().await;
        end.is_some()
    })
    .await;
    let (completed, error, told) = end.unwrap();
    assert_eq!((completed, error), (115, 5));
    assert_eq!((&told["completed"], &told["error"]), (&json!(115), &json!(5)), "{told}");

    workspace.collection("users").delete_many(doc! { "importIds": null, "_id": { "$ne": "admin" } }).await.unwrap();
    assert_eq!(service.post("/api/v1/import.resume", &json!({})).await.status, 200);
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(
        (&done["operation"]["count"]["total"], &done["operation"]["count"]["completed"]),
        (&json!(5), &json!(5))
    );
}
