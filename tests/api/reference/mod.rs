//! What becomes of a file, from its upload to the last document, compared with what Rocket.Chat's own importers made of it.
//!
//! The folders of `tests/fixtures/reference` hold a file of invented people, the workspace before, the selection that
//! Rocket.Chat offered and the documents that it stored.

mod comparison;
mod deviations;
mod fixture;
mod stored;

use std::{collections::BTreeSet, fmt::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{DateTime, doc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Mongo, Service, Workspace, eventually, hashed};
use comparison::{Difference, compare};
use deviations::DEVIATIONS;
use stored::Stored;

/// More rows would mean that another importer was built, not Rocket.Chat's.
const MOST_ROWS: usize = 30;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// The administrator of every seed.
const BOSS: &str = "adminIdOfTheSeed1";

/// A case that has gone through the service.
struct Outcome {
    stored: Stored,
    /// The reasons of the records that failed.
    failures: Vec<String>,
}

async fn seeded(case: &str) -> Workspace {
    let workspace = Workspace::empty_on(Mongo::shared()).await.ready_for_imports().await;
    workspace.collection("rocketchat_roles").delete_many(doc! {}).await.unwrap();
    for (collection, documents) in fixture::seed(case) {
        if !documents.is_empty() {
            workspace.collection(&collection).insert_many(documents).await.unwrap();
        }
    }
    workspace.grant("run-import", &["admin"]).await;
    workspace.grant("api-bypass-rate-limit", &["admin"]).await;
    let token = doc! { "when": DateTime::now(), "hashedToken": hashed("boss-token") };
    workspace.update("users", BOSS, doc! { "$set": { "services.resume": { "loginTokens": [token] } } }).await;
    workspace
}

async fn post(service: &Service, path: &str, body: &Value) -> String {
    let request = service.request(Method::POST, path).header("X-User-Id", BOSS).header("X-Auth-Token", "boss-token");
    let answer = service.send(request.json(body)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

async fn reaches(service: &Service, state: &str) {
    eventually(state, PATIENCE, async || service.status_as(BOSS, "boss-token").await.json()["state"] == state).await;
}

/// Sends the case's file through upload, loading, selection and run.
async fn import(case: &str) -> Outcome {
    let workspace = seeded(case).await;
    let service = workspace.serve().await;
    let given = fixture::case(case);
    let upload = json!({
        "binaryContent": BASE64_STANDARD.encode(fixture::input(case)), "contentType": given["contentType"],
        "fileName": given["input"], "importerKey": given["importerKey"],
    });
    post(&service, "/api/v1/uploadImportFile", &upload).await;
    reaches(&service, "ready").await;
    let offered = service.get_as(BOSS, "boss-token", "/api/v1/getImportFileData").await.json();
    post(&service, "/api/v1/startImport", &json!({ "input": given["startImport"] })).await;
    reaches(&service, "done").await;
    let operations = workspace.collection("rocketchat_import");
    let operation = operations.find_one(doc! {}).sort(doc! { "ts": -1 }).await.unwrap().unwrap();
    let count = |name: &str| operation.get_document("count").unwrap().get_i32(name).unwrap_or_default();
    assert_eq!(count("completed") + count("error"), count("total"), "{case}: {operation}");
    workspace.update("users", BOSS, doc! { "$unset": { "services.resume": true } }).await;
    let failed = workspace.staged().await;
    let reasons = failed.iter().filter_map(|record| record.get_array("errors").ok()?.first()?.as_document().cloned());
    let failures = reasons.map(|error| error.get_str("message").unwrap_or_default().to_owned()).collect();
    Outcome { stored: Stored::of(&workspace, &offered).await, failures }
}

/// Whether only one side has the document because only that side has the room or the person it belongs to.
fn follows(difference: &Difference, all: &[Difference]) -> bool {
    let is_whole = |one: &Difference| one.path.is_empty();
    let is_reason = |one: &Difference| {
        let is_owner = matches!(one.file, "users" | "rocketchat_room") && difference.belongs_to.contains(&one.document);
        is_whole(one) && is_owner && one.case == difference.case && one.ours == difference.ours
    };
    is_whole(difference) && all.iter().any(is_reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_and_stored_differs_from_rocket_chat_only_where_the_table_says_so() {
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for case in fixture::CASES {
        let outcome = import(case).await;
        let [seed, theirs] = ["seed", "final"].map(|moment| Stored::read(case, moment));
        all.extend(compare(case, &seed, &outcome.stored, &theirs));
        failures.extend(outcome.failures.into_iter().map(|reason| (case, reason)));
    }
    let mut used = BTreeSet::new();
    let mut unexplained = String::new();
    for difference in all.iter().filter(|difference| !follows(difference, &all)) {
        let explanations: Vec<_> =
            DEVIATIONS.iter().enumerate().filter_map(|(row, one)| Some((row, one.explains(difference)?))).collect();
        if explanations.is_empty() {
            let Difference { case, file, document, path, ours, theirs, .. } = difference;
            writeln!(unexplained, "{case} | {file} | {document:?} | {path} | ours {ours} | theirs {theirs}").unwrap();
        }
        for (row, (path, document)) in explanations {
            used.extend([(row, "path", path), (row, "document", document)]);
        }
    }
    let mut needless = String::new();
    for (number, row) in DEVIATIONS.iter().enumerate() {
        for (kind, parts) in [("path", row.paths), ("document", row.documents)] {
            for (place, part) in parts.iter().enumerate().filter(|(place, _)| !used.contains(&(number, kind, *place))) {
                writeln!(needless, "{place} `{part}` of {:?}", row.why).unwrap();
            }
        }
    }
    assert!(unexplained.is_empty() && needless.is_empty(), "no row explains:\n{unexplained}no case needs:\n{needless}");
    let expected = [
        ("contacts", "error-contact-manager-not-found"),
        ("contacts", "Invalid value for Plan field"),
        // A folder of a channel that is in no list and does not exist.
        ("csv-basic", "importer-message-unknown-room"),
        // A message that changed its author at the source.
        ("slack-again", "the message with this id has another author"),
    ];
    assert_eq!(failures, expected.map(|(case, reason)| (case, reason.to_owned())));
}

#[test]
fn the_table_stays_small_and_hides_no_document() {
    let rows = |files: &[&str]| DEVIATIONS.iter().filter(|row| files.contains(&row.file)).count();
    assert!(rows(&["users", "rocketchat_room", "rocketchat_subscription"]) <= MOST_ROWS);
    assert!(rows(&["rocketchat_message"]) <= MOST_ROWS);
    for row in DEVIATIONS {
        let is_whole = row.paths.contains(&"");
        assert!(!is_whole || !row.documents.is_empty(), "{row:?}");
        assert!(!row.paths.contains(&"*") && !row.why.is_empty() && !row.facts.is_empty(), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_rocket_chat_cannot_read_ends_with_a_reason_or_loses_one_row() {
    for (case, state) in [("broken-not-a-zip", "error"), ("broken-csv-blank-line", "ready")] {
        let workspace = seeded(case).await;
        let service = workspace.serve().await;
        let upload = json!({
            "binaryContent": BASE64_STANDARD.encode(fixture::input(case)), "contentType": "application/zip",
            "fileName": "input.zip", "importerKey": "csv",
        });
        post(&service, "/api/v1/uploadImportFile", &upload).await;
        reaches(&service, state).await;
        let answer = service.get_as(BOSS, "boss-token", "/api/v1/getImportFileData").await;
        let theirs = fixture::selection(case);
        assert!(theirs["error"].is_string(), "{case}: {theirs}");
        if state == "error" {
            assert_eq!((answer.status.as_u16(), answer.json()["success"].as_bool()), (400, Some(false)), "{case}");
            continue;
        }
        let names = answer.json()["users"].as_array().unwrap().len();
        assert_eq!((answer.status.as_u16(), names > 0), (200, true), "{case}: {}", answer.body);
        post(&service, "/api/v1/startImport", &json!({ "input": { "users": { "all": true } } })).await;
        reaches(&service, "done").await;
    }
}
