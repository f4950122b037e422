//! The reckoning of an operation that is over: its counters must equal the stored results.

use std::collections::BTreeSet;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::harness::{Service, Workspace};

const RECEIPTS: &str = "rocketchat_import_service_receipts";

/// The contents of the receipts of one operation.
#[derive(Debug, Default)]
struct Receipts {
    /// Their own sums.
    completed: u64,
    error: u64,
    /// The staged `_id` of each record that succeeded, and of each that failed.
    succeeded: Vec<String>,
    failed: Vec<String>,
    /// The accounts that the records became.
    became: BTreeSet<String>,
}

impl Receipts {
    async fn of(workspace: &Workspace, operation: &str) -> Self {
        let filled = doc! { "operation": operation, "void": { "$exists": false } };
        let found = workspace.collection(RECEIPTS).find(filled).await.unwrap();
        let receipts: Vec<Document> = found.try_collect().await.unwrap();
        let mut all = Self::default();
        for receipt in &receipts {
            all.completed += unsigned(receipt, "completed");
            all.error += unsigned(receipt, "error");
            for record in receipt.get_array("records").unwrap().iter().map(|record| record.as_document().unwrap()) {
                let id = record.get_str("_id").unwrap().to_owned();
                if record.get_str("outcome").unwrap() == "failed" {
                    all.failed.push(id);
                } else {
                    all.succeeded.push(id);
                    all.became.insert(record.get_str("became").unwrap().to_owned());
                }
            }
        }
        all
    }
}

/// Differences between the counters of the newest operation, which is over, and the results: accounts are completed,
/// reasons are errors, and the receipt is both. `accounts` are those that belong to the operation.
pub async fn differences(workspace: &Workspace, service: &Service, status: &Value, accounts: u64) -> Vec<String> {
    let id = status["operation"]["_id"].as_str().unwrap();
    let counted = |name: &str| status["operation"]["count"][name].as_u64().unwrap_or_default();
    let (completed, error) = (counted("completed"), counted("error"));
    let mut wrong = Vec::new();
    if accounts != completed {
        wrong.push(format!("{accounts} accounts, {completed} completed"));
    }
    let reasons = service.get_as_admin("/api/v1/import.errors?count=1").await.json();
    if reasons["total"] != error {
        wrong.push(format!("{} reasons, {error} errors", reasons["total"]));
    }
    wrong.extend(differences_from_receipt(workspace, service, id, (completed, error)).await);
    wrong
}

/// Differences between the counters of any operation that is over and its receipt, and between it and the accounts.
pub async fn differences_from_receipt(
    workspace: &Workspace,
    service: &Service,
    operation: &str,
    (completed, error): (u64, u64),
) -> Vec<String> {
    let mut wrong = Vec::new();
    let receipts = Receipts::of(workspace, operation).await;
    let sums = (receipts.succeeded.len() as u64, receipts.failed.len() as u64);
    if sums != (completed, error) || sums != (receipts.completed, receipts.error) {
        wrong.push(format!(
            "the operation counts {completed} and {error}, its receipts {} and {}, their records {} and {}",
            receipts.completed, receipts.error, sums.0, sums.1
        ));
    }
    let records: BTreeSet<&String> = receipts.succeeded.iter().chain(&receipts.failed).collect();
    if records.len() as u64 != sums.0 + sums.1 {
        wrong.push(format!("{} records stand {} times in the receipts", records.len(), sums.0 + sums.1));
    }
    if receipts.became.len() as u64 != sums.0 {
        wrong.push(format!("{} records became {} accounts", sums.0, receipts.became.len()));
    }
    let verified = service.get_as_admin(&format!("/api/v1/import.verify?operationId={operation}")).await;
    if verified.status != 200 {
        wrong.push(format!("import.verify answers {}: {}", verified.status, verified.body));
        return wrong;
    }
    let mut lines: Vec<Value> = verified.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap()["summary"].clone();
    if !lines.is_empty() || summary["differences"] != 0 || summary["records"] != completed + error {
        wrong.push(format!("import.verify finds {summary}, first {:?}", lines.first()));
    }
    wrong
}

fn unsigned(document: &Document, name: &str) -> u64 {
    let number = document.get(name).unwrap();
    number.as_i64().or_else(|| number.as_i32().map(i64::from)).unwrap().try_into().unwrap()
}
