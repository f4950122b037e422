//! `import.run` for a named operation.

use serde_json::json;

use crate::harness::{served, staged_users};

const RUN: &str = "/api/v1/import.run";
const START: &str = "/api/v1/startImport";

#[tokio::test]
async fn a_run_of_a_named_operation_is_refused_if_another_one_is_the_newest() {
    let (_workspace, service) = served().await;
    let first = service.stage(&staged_users(0..2)).await;
    let newest = service.stage(&staged_users(2..4)).await;
    let reason = format!(
        "operationId is \"{first}\", and the newest operation is \"{newest}\": give that one, or leave operationId out"
    );
    let expected = json!({
        "success": false,
        "error": "The newest import operation is not the one in operationId.",
        "details": { "reason": reason, "newest": newest },
    });
    let input = json!({ "users": { "all": true } });
    for (path, body) in
        [(RUN, json!({ "operationId": first })), (START, json!({ "operationId": first, "input": input }))]
    {
        let refused = service.post(path, &body).await;
        assert_eq!((refused.status.as_u16(), refused.json()), (400, expected.clone()), "{path}");
    }
    assert_eq!(service.post(RUN, &json!({ "operationId": 7 })).await.status, 400);
    assert_eq!(service.status().await.json()["state"], "ready");
}

#[tokio::test]
async fn a_run_that_was_begun_is_a_success_again_for_the_named_operation_only() {
    let (workspace, service) = served().await;
    let operation = service.stage(&staged_users(0..100)).await;
    let named = json!({ "operationId": operation });
    assert_eq!(service.post(RUN, &named).await.told(), (200, r#"{"success":true}"#));
    assert_eq!(service.post(RUN, &named).await.told(), (200, r#"{"success":true}"#));
    service.wait_for_state("done").await;
    assert_eq!(service.post(RUN, &named).await.told(), (200, r#"{"success":true}"#));
    assert_eq!(service.post(RUN, &json!({})).await.status, 400);
    assert_eq!(workspace.count_imported().await, 100);
}
