//! A run that an instance of the release before left behind: leases of its own, no receipts, records without an operation.

use bson::{DateTime, doc};
use serde_json::json;

use crate::harness::{staged_users, workspace};

#[tokio::test]
async fn a_run_of_the_release_before_is_finished_by_its_rule() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    let operation = service.stage(&staged_users(0..10)).await;
    drop(service);
    // Four were imported and removed, one has failed, five wait.
    let records = workspace.collection("rocketchat_import_data");
    records.update_many(doc! {}, doc! { "$unset": { "operation": 1 } }).await.unwrap();
    let gone = doc! { "data.username": { "$in": ["user0", "user1", "user2", "user3"] } };
    records.delete_many(gone).await.unwrap();
    let reason = doc! { "$set": { "errors": [{ "message": "taken" }] } };
    records.update_one(doc! { "data.username": "user9" }, reason).await.unwrap();
    workspace.change_operation(&operation, doc! { "status": "importer_importing_users" }).await;
    let long_ago = DateTime::from_millis(0);
    let lease = doc! { "_id": &operation, "holder": "dead", "until": long_ago, "claimedAt": long_ago, "total": 10 };
    let old_leases = workspace.collection("rocketchat_import_service_leases");
    old_leases.insert_one(lease).await.unwrap();

    let service = workspace.serve().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"], json!({ "total": 10, "users": 10, "completed": 9, "error": 1 }));
    assert_eq!(workspace.count_imported().await, 5, "the other four are not in this workspace");
    let errors = service.get_as_admin("/api/v1/import.errors").await.json();
    assert_eq!(errors["errors"][0]["errors"], json!(["taken"]));
    assert_eq!(old_leases.count_documents(doc! {}).await.unwrap(), 0);
    workspace.left_staged(1).await;
}
