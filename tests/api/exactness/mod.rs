//! Imports whose counts are exact, independent of the neighbours: the service counts stored results.

mod begun;
mod neighbours;
mod operation_ids;
mod poison;
mod resumed;
mod run_elsewhere;
mod upgrade;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::Value;

use crate::harness::{Service, Workspace};

const RECEIPTS: &str = "rocketchat_import_service_receipts";

impl Workspace {
    /// Every record of the receipts of an operation.
    pub async fn receipt_records(&self, operation: &str) -> Vec<Document> {
        let mine = doc! { "operation": operation, "void": { "$exists": false } };
        let receipts: Vec<Document> =
            self.collection(RECEIPTS).find(mine).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap();
        let records = receipts.iter().flat_map(|receipt| receipt.get_array("records").unwrap());
        records.map(|record| record.as_document().unwrap().clone()).collect()
    }
}

/// Accounts are completed, reasons are errors, and the receipt says both.
async fn assert_exact(workspace: &Workspace, service: &Service, status: &Value, accounts_before: u64) {
    let operation = status["operation"]["_id"].as_str().unwrap();
    let count = |name: &str| status["operation"]["count"][name].as_u64().unwrap_or_default();
    assert_eq!(workspace.count_imported().await - accounts_before, count("completed"), "{status}");
    let errors = service.get_as_admin("/api/v1/import.errors?count=1").await.json();
    assert_eq!(errors["total"], count("error"), "{status}");
    let records = workspace.receipt_records(operation).await;
    let failed = records.iter().filter(|record| record.get_str("outcome").unwrap() == "failed").count() as u64;
    assert_eq!((records.len() as u64 - failed, failed), (count("completed"), count("error")), "{status}");
}
