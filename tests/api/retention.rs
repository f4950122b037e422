//! Messages that the workspace would remove soon after they are imported.

use bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use crate::harness::*;

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// An operation of a file with a room of this kind and a message of so many days ago, ready to be started.
async fn prepared(service: &Service, workspace: &Workspace, kind: &str, days: i64) -> String {
    let id = service.stage(&staged_users(0..1)).await;
    let written = DateTime::from_millis(DateTime::now().timestamp_millis() - days * MILLIS_PER_DAY);
    let record = |number: u8, kind: &str, data: Document| {
        doc! { "_id": format!("f{number}{id}"), "dataType": kind, "operation": &id, "data": data }
    };
    let records = [
        record(
            0,
            "channel",
            doc! {
                "importIds": ["C1"], "name": format!("room-{kind}"), "t": kind, "users": ["id0"], "u": { "_id": "id0" },
            },
        ),
        record(1, "message", doc! { "rid": "C1", "u": { "_id": "id0" }, "msg": "Good old days", "ts": written }),
    ];
    workspace.collection("rocketchat_import_data").insert_many(records).await.unwrap();
    let count = doc! { "total": 3, "users": 1, "channels": 1, "messages": 1 };
    workspace.change_operation(&id, doc! { "type": "CSV", "importerKey": "csv", "count": count }).await;
    id
}

async fn start(service: &Service, more: Value) -> Answer {
    let mut body = json!({ "input": { "users": { "all": true }, "channels": { "all": true } } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service.post("/api/v1/startImport", &body).await
}

#[tokio::test]
async fn messages_that_the_workspace_would_remove_are_imported_only_if_that_is_accepted() {
    let (workspace, service) = served().await;
    for (setting, value) in [
        ("RetentionPolicy_Enabled", bson::Bson::Boolean(true)),
        ("RetentionPolicy_AppliesToChannels", true.into()),
        ("RetentionPolicy_TTL_Channels", (10 * MILLIS_PER_DAY).into()),
        ("RetentionPolicy_AppliesToDMs", false.into()),
        ("RetentionPolicy_AppliesToGroups", true.into()),
        // As releases before 6.11 store it.
        ("RetentionPolicy_MaxAge_Groups", 400.into()),
    ] {
        workspace.set(setting, value).await;
    }
    let id = prepared(&service, &workspace, "c", 11).await;
    for refused in [
        start(&service, json!({})).await,
        start(&service, json!({ "acceptRetention": false })).await,
        service.post("/api/v1/import.run", &json!({})).await,
    ] {
        assert_eq!(
            refused.told(),
            (
                400,
                r#"{"success":false,"error":"The workspace removes messages after 10 days, and this import has older ones. Change the retention policy, or start with `acceptRetention: true` [error-retention-policy]","errorType":"error-retention-policy"}"#
            )
        );
    }
    assert_eq!(workspace.operation_named(&id).await.get_str("status").unwrap(), "importer_user_selection");
    let wrong = start(&service, json!({ "acceptRetention": "yes" })).await;
    assert_eq!(wrong.json()["error"], "must be boolean /acceptRetention");
    assert_eq!(start(&service, json!({ "acceptRetention": true })).await.status, 200);
    service.wait_for_state("done").await;
    assert_eq!(workspace.collection("rocketchat_message").count_documents(doc! {}).await.unwrap(), 1);

    for (kind, days) in [("c", 9), ("p", 11), ("d", 5000)] {
        prepared(&service, &workspace, kind, days).await;
        assert_eq!(start(&service, json!({})).await.status, 200, "{kind} {days}");
        service.wait_for_state("done").await;
    }
    prepared(&service, &workspace, "p", 401).await;
    assert_eq!(start(&service, json!({})).await.json()["errorType"], "error-retention-policy");
    workspace.set("RetentionPolicy_FilesOnly", true).await;
    assert_eq!(start(&service, json!({})).await.status, 200, "messages stay");
}
