//! Calls that are refused whatever the body holds: by the state of the import, or by who calls.

use bson::Document;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{ADD_USERS, JSON, refusal};
use crate::harness::{OperationBuilder, Service, Workspace, operation, served, staged_users, user};

const NOT_INITIALIZED: &str = "Import operation not initialized.";
const TAKES_NO_DATA: &str = "The current import operation can not receive new data.";
const FINISHED: &str = "The current import operation is already finished.";

async fn assert_refused(workspace: &Workspace, service: &Service, reason: &str, when: &str) {
    let before: Vec<Document> = workspace.operations().await;
    let answer = service.try_add_users(&staged_users(0..3)).await;
    assert_eq!((answer.status.as_u16(), answer.body), (400, refusal(reason)), "{when}");
    assert_eq!(workspace.staged().await, [], "{when}");
    assert_eq!(workspace.operations().await, before, "{when}");
}

#[tokio::test]
async fn users_cannot_be_added_where_no_import_was_ever_made() {
    let (workspace, service) = served().await;
    assert_refused(&workspace, &service, NOT_INITIALIZED, "never").await;
}

#[tokio::test]
async fn users_cannot_be_added_to_an_import_that_is_not_valid() {
    let (workspace, service) = served().await;
    for status in ["importer_new", "importer_user_selection", "importer_importing_users", "importer_done"] {
        let stored = || operation("one").with("status", status);
        for stored in [stored().with("valid", false), stored().without("valid")] {
            workspace.only_operation(stored.document()).await;
            assert_refused(&workspace, &service, NOT_INITIALIZED, status).await;
        }
    }
}

#[tokio::test]
async fn users_cannot_be_added_to_an_import_that_is_running_loading_or_over() {
    let (workspace, service) = served().await;
    for (status, reason) in [
        ("importer_uploading", TAKES_NO_DATA),
        ("importer_downloading_file", TAKES_NO_DATA),
        ("importer_file_loaded", TAKES_NO_DATA),
        ("importer_preparing_started", TAKES_NO_DATA),
        ("importer_preparing_users", TAKES_NO_DATA),
        ("importer_preparing_channels", TAKES_NO_DATA),
        ("importer_preparing_messages", TAKES_NO_DATA),
        ("importer_preparing_contacts", TAKES_NO_DATA),
        ("importer_importing_started", TAKES_NO_DATA),
        ("importer_importing_users", TAKES_NO_DATA),
        ("importer_importing_contacts", TAKES_NO_DATA),
        ("importer_importing_channels", TAKES_NO_DATA),
        ("importer_importing_messages", TAKES_NO_DATA),
        ("importer_importing_files", TAKES_NO_DATA),
        ("importer_finishing", TAKES_NO_DATA),
        ("importer_dreaming", TAKES_NO_DATA),
        ("importer_done", FINISHED),
        ("importer_import_failed", FINISHED),
        ("importer_import_cancelled", FINISHED),
    ] {
        let stored = operation("one").with("status", status).with("count", bson::doc! { "total": 7, "users": 7 });
        workspace.only_operation(stored.document()).await;
        assert_refused(&workspace, &service, reason, status).await;
    }
}

#[tokio::test]
async fn only_the_newest_import_takes_users_even_while_an_older_one_is_ready() {
    let (workspace, service) = served().await;
    let at = bson::DateTime::from_millis;
    let ready = |id: &str| operation(id).with("status", "importer_user_selection");
    workspace.add_operation(ready("older").with("ts", at(1_000))).await;
    workspace.add_operation(ready("newer").with("ts", at(2_000)).with("valid", false)).await;
    assert_refused(&workspace, &service, NOT_INITIALIZED, "the newer one is not valid").await;
}

#[tokio::test]
async fn nobody_at_all_can_be_added_in_any_state_and_that_changes_nothing() {
    let (workspace, service) = served().await;
    service.add_users(&[]).await;
    let stored: [fn() -> OperationBuilder; 4] = [
        || operation("one"),
        || operation("one").with("valid", false),
        || operation("one").with("status", "importer_importing_users"),
        || operation("one").with("status", "importer_done"),
    ];
    for stored in stored {
        workspace.only_operation(stored().document()).await;
        let before = workspace.operations().await;
        service.add_users(&[]).await;
        assert_eq!(workspace.operations().await, before);
    }
    assert_eq!(workspace.staged().await, []);
}

#[tokio::test]
async fn the_state_is_told_before_missing_data_and_that_before_unknown_roles() {
    let (workspace, service) = served().await;
    let bad: Value = json!({ "emails": [], "importIds": [], "roles": ["nobody"] });
    workspace.only_operation(operation("one").with("status", "importer_done").document()).await;
    assert_eq!(service.try_add_users(std::slice::from_ref(&bad)).await.body, refusal(FINISHED));
    workspace.only_operation(operation("one").document()).await;
    let answer = service.try_add_users(&[bad]).await;
    assert_eq!(answer.json()["error"], "Users are missing required data.");
}

#[tokio::test]
async fn nobody_can_be_added_while_a_default_role_does_not_exist() {
    let (workspace, service) = served().await;
    service.new_import().await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,ghost").await;
    let answer = service.try_add_users(&staged_users(0..3)).await;
    assert_eq!(answer.json()["error"], "One or more of the users have been assigned invalid roles.");
    assert_eq!((answer.status.as_u16(), workspace.count_staged().await), (400, 0), "{answer:?}");
    workspace.set("Accounts_Registration_Users_Default_Roles", "user").await;
    service.add_users(&staged_users(0..1)).await;
}

#[tokio::test]
async fn who_may_not_import_hears_that_before_any_complaint_about_the_body() {
    let (workspace, service) = served().await;
    workspace.add_user(user("guest").with_token("guest-token")).await;
    let post = |credentials: Option<(&str, &str)>| {
        let request = service.request(Method::POST, ADD_USERS);
        match credentials {
            Some((id, token)) => request.header("X-User-Id", id).header("X-Auth-Token", token),
            None => request,
        }
    };
    let bodies: [fn(RequestBuilder) -> RequestBuilder; 5] = [
        |request| request,
        |request| request.header("Content-Type", JSON.unwrap()).body("{"),
        |request| request.header("Content-Type", "text/plain").body("users"),
        |request| request.header("Content-Type", JSON.unwrap()).body(r#"{"users":5}"#),
        |request| request.json(&json!({ "users": staged_users(0..1) })),
    ];
    for body in bodies {
        for credentials in [None, Some(("admin", "wrong")), Some(("nobody", "admin-token"))] {
            let answer = service.send(body(post(credentials))).await;
            assert_eq!(answer.status, 401, "{}", answer.body);
            assert_eq!(answer.json()["error"], "You must be logged in to do this.");
        }
        let answer = service.send(body(post(Some(("guest", "guest-token"))))).await;
        let reason = "User does not have the permissions required for this action [error-unauthorized]";
        assert_eq!((answer.status.as_u16(), answer.body), (403, refusal(reason)));
    }
    assert_eq!(workspace.staged().await, []);
}
