//! An import from `import.new` to `done`, as a script drives it.

use std::collections::HashSet;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Service, Workspace, staged_user, staged_users, workspace};

#[tokio::test]
async fn three_thousand_users_in_three_calls_are_all_there_when_the_import_is_done() {
    let workspace = workspace().await.with_roles().await;
    let service = workspace.serve().await;
    let operation = service.new_import().await;
    assert_eq!(service.status().await.json()["state"], "new");
    for call in 0..3 {
        service.add_users(&staged_users(call * 1000..(call + 1) * 1000)).await;
    }
    let ready = service.status().await.json();
    assert_eq!(
        (ready["state"].as_str(), &ready["operation"]["count"]),
        (Some("ready"), &json!({"total": 3000, "users": 3000}))
    );
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["_id"], operation.as_str());
    assert_eq!(done["operation"]["count"], json!({"total": 3000, "users": 3000, "completed": 3000, "error": 0}));
    assert_eq!(imported(&workspace).await.len(), 3000);
    assert_eq!(workspace.collection("rocketchat_import_data").count_documents(doc! {}).await.unwrap(), 0);
}

/// All users but the administrator.
async fn imported(workspace: &Workspace) -> Vec<Document> {
    let users = workspace.collection("users").find(doc! { "_id": { "$ne": "admin" } }).await.unwrap();
    users.try_collect().await.unwrap()
}
