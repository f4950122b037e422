//! Comparing the receipt of an import with the accounts that are there.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::harness::{Service, Workspace, operation, served, user};

const VERIFY: &str = "/api/v1/import.verify";

/// 1,200 imported accounts and two failed records, with their receipt.
async fn imported() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    let counts = doc! { "total": 1202, "users": 1202, "completed": 1200, "error": 2 };
    workspace.add_operation(operation("op").with("status", "importer_done").with("count", counts)).await;
    let accounts: Vec<Document> = (0..1200)
        .map(|number| {
            let emails = vec![doc! { "address": format!("user{number}@example.com"), "verified": false }];
            let account = user(&format!("user{number}")).with("emails", emails);
            account.with("importIds", vec![format!("id{number}")]).document()
        })
        .collect();
    workspace.collection("users").insert_many(accounts).await.unwrap();
    let created = (0..1200).map(|number| {
        doc! {
            "_id": format!("r{number:04}"), "outcome": "created", "became": format!("user{number}"),
            "importIds": [format!("id{number}")], "emails": [format!("user{number}@example.com")],
        }
    });
    let failed = (1200..1202).map(|number| {
        doc! { "_id": format!("r{number:04}"), "outcome": "failed", "importIds": [format!("id{number}")], "reason": "Taken." }
    });
    workspace.add_receipts("op", created.chain(failed).collect()).await;
    (workspace, service)
}

async fn lines(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.get_as_admin(&format!("{VERIFY}{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn summary(differences: u64) -> Value {
    let counts = json!({ "operationId": "op", "records": 1202, "accounts": 1200, "rooms": 0, "messages": 0, "failed": 2, "deactivated": 0, "differences": differences });
    json!({ "summary": counts, "success": true })
}

#[tokio::test]
async fn an_import_that_nobody_has_touched_has_no_difference() {
    let (_workspace, service) = imported().await;
    assert_eq!(lines(&service, "").await, [summary(0)]);
    assert_eq!(lines(&service, "?operationId=op").await, [summary(0)]);
}

#[tokio::test]
async fn accounts_that_are_gone_or_have_lost_what_they_were_imported_with_are_listed() {
    let (workspace, service) = imported().await;
    let users = workspace.collection("users");
    users.delete_one(doc! { "_id": "user7" }).await.unwrap();
    workspace.update("users", "user100", doc! { "$unset": { "importIds": 1 } }).await;
    workspace.update("users", "user600", doc! { "$set": { "emails": [{ "address": "new@example.com" }] } }).await;
    workspace.update("users", "user601", doc! { "$push": { "emails": { "address": "second@example.com" } } }).await;
    workspace.change_operation("op", doc! { "count.completed": 1201 }).await;
    let found = lines(&service, "").await;
    let expected = [
        json!({ "difference": "missing", "account": "user7", "record": "r0007", "importIds": ["id7"] }),
        json!({ "difference": "importIds", "account": "user100", "record": "r0100", "importIds": ["id100"], "lost": ["id100"] }),
        json!({ "difference": "emails", "account": "user600", "record": "r0600", "importIds": ["id600"],
                "lost": ["user600@example.com"], "present": ["new@example.com"] }),
        json!({ "difference": "counts", "receipt": { "completed": 1200, "error": 2 },
                "operation": { "completed": 1201, "error": 2 } }),
        summary(4),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for line in &expected {
        assert!(found.contains(line), "{line} in {found:?}");
    }
    assert_eq!(found.last(), expected.last());
}

#[tokio::test]
async fn an_operation_that_there_never_was_cannot_be_compared() {
    let (_workspace, service) = served().await;
    let answer = service.get_as_admin(&format!("{VERIFY}?operationId=unheard-of")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errorType"]), (400, &json!("error-operation-not-found")));
}

#[tokio::test]
async fn the_command_prints_differences_and_ends_with_1_if_there_are_any() {
    let (workspace, service) = imported().await;
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let good = crate::harness::run(&["verify", "op"], &settings).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert_eq!(good.output, "operation op: 1202 records, 1200 accounts compared, 2 failed, 0 differences\n");

    workspace.collection("users").delete_one(doc! { "_id": "user7" }).await.unwrap();
    let bad = crate::harness::run(&["verify"], &settings).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.output.starts_with("missing: account user7 of id7\n"), "{bad:?}");
    assert!(bad.errors.contains("1 difference from the receipt"), "{bad:?}");
    let raw = crate::harness::run(&["verify", "--json"], &settings).await;
    let last: Value = serde_json::from_str(raw.output.lines().last().unwrap()).unwrap();
    assert_eq!((raw.code, last), (Some(1), summary(1)));
    let unknown = crate::harness::run(&["verify", "unheard-of"], &settings).await;
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
}

#[tokio::test]
async fn the_command_prints_the_receipt_as_a_file() {
    let (_workspace, service) = imported().await;
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let csv = crate::harness::run(&["receipt"], &settings).await;
    assert_eq!((csv.code, csv.output.lines().count()), (Some(0), 1203), "{}", csv.errors);
    let lines = crate::harness::run(&["receipt", "op", "--format", "jsonl"], &settings).await;
    assert_eq!((lines.code, lines.output.lines().count()), (Some(0), 1202), "{}", lines.errors);
    assert!(lines.output.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}
