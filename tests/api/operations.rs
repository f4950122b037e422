//! The endpoints about operations, one by one.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Service, names, operation, served, staged_users, user};

const GETS: [&str; 6] = [
    "import.errors",
    "importers.list",
    "getCurrentImportOperation",
    "getLatestImportOperations",
    "getImportProgress",
    "getImportFileData",
];
const POSTS: [&str; 5] = ["import.new", "import.addUsers", "import.run", "import.clear", "import.resume"];
const FORBIDDEN: &str =
    r#"{"success":false,"error":"User does not have the permissions required for this action [error-unauthorized]"}"#;

fn api(endpoint: &str) -> String {
    format!("/api/v1/{endpoint}")
}

async fn assert_refused(service: &Service, endpoint: &str, error: &str) {
    let answer = service.post(&api(endpoint), &json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (400, json!({ "success": false, "error": error })));
}

#[tokio::test]
async fn every_endpoint_wants_a_login_then_a_permission_and_only_its_own_method() {
    let (workspace, service) = served().await;
    workspace.add_user(user("guest").with_roles(&["user"]).with_token("guest-token")).await;
    let all = GETS.iter().map(|path| (Method::GET, path)).chain(POSTS.iter().map(|path| (Method::POST, path)));
    for (method, endpoint) in all {
        let anonymous = service.send(service.request(method.clone(), &api(endpoint))).await;
        assert_eq!(anonymous.status, 401, "{endpoint}");
        let guest = service.request(method.clone(), &api(endpoint));
        let guest = service.send(guest.header("X-User-Id", "guest").header("X-Auth-Token", "guest-token")).await;
        assert_eq!((guest.status.as_u16(), guest.body.as_str()), (403, FORBIDDEN), "{endpoint}");
        let other = if method == Method::GET { Method::POST } else { Method::GET };
        assert_eq!(service.send(service.request(other, &api(endpoint))).await.status, 404, "{endpoint}");
    }
}

#[tokio::test]
async fn endpoints_that_take_no_parameter_say_so() {
    let (workspace, service) = served().await;
    workspace.grant("view-import-operations", &["admin"]).await;
    for endpoint in GETS.iter().skip(1) {
        let answer = service.get_as_admin(&format!("{}?page=2", api(endpoint))).await;
        let body =
            r#"{"success":false,"errorType":"error-invalid-params","error":"must NOT have additional properties"}"#;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (400, body), "{endpoint}");
    }
}

#[tokio::test]
async fn a_new_operation_is_stored_as_rocket_chat_stores_it_and_ends_those_before() {
    let (workspace, service) = served().await;
    let tomorrow = DateTime::from_millis(DateTime::now().timestamp_millis() + 86_400_000);
    workspace.add_operation(operation("theirs").with("ts", tomorrow)).await;
    let id = service.stage(&staged_users(0..3)).await;

    let made = workspace.operation_named(&id).await;
    let fields = ["_id", "type", "importerKey", "ts", "status", "valid", "user", "_updatedAt", "count"];
    assert_eq!(names(&made), fields);
    assert!(id.len() == 24 && id.chars().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!((made.get_str("type").unwrap(), made.get_str("user").unwrap()), ("api", "admin"));
    assert_eq!(made.get_document("count").unwrap(), &doc! { "total": 3, "users": 3 });
    assert!(made.get_datetime("ts").unwrap() > &tomorrow, "it must be the newest whatever the clocks say");
    assert_eq!(workspace.operation_named("theirs").await.get("valid"), Some(&Bson::Boolean(false)));

    service.new_import().await;
    assert_eq!(workspace.count_staged().await, 0);
    assert_eq!(workspace.operation_named(&id).await.get("valid"), Some(&Bson::Boolean(false)));
}

#[tokio::test]
async fn new_run_and_clear_do_not_care_what_is_in_the_body() {
    let (_workspace, service) = served().await;
    for body in ["", "{", "not json", r#"{"users":[]}"#] {
        let answer = service.post_body(&api("import.new"), Some("text/plain"), body).await;
        assert_eq!(answer.status, 200, "{body:?}");
        assert_eq!(answer.json()["operation"]["status"], "importer_new");
        assert!(answer.body.ends_with(r#"},"success":true}"#), "{}", answer.body);
    }
}

#[tokio::test]
async fn clear_empties_the_staging_area_and_leaves_what_is_done_done() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..3)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    assert_eq!(service.post(&api("import.clear"), &json!({})).await.body, r#"{"success":true}"#);
    assert_eq!(service.status().await.json()["state"], "done");

    let id = service.stage(&staged_users(3..6)).await;
    service.post(&api("import.clear"), &json!({})).await;
    assert_eq!(service.status().await.json()["state"], "error");
    assert_eq!(workspace.operation_named(&id).await.get_str("status").unwrap(), "importer_user_selection");
    assert_eq!(workspace.count_staged().await, 0);
}

#[tokio::test]
async fn only_a_valid_operation_of_the_api_that_is_ready_can_be_run() {
    let (workspace, service) = served().await;
    assert_refused(&service, "import.run", "error-operation-not-found").await;
    for (stored, error) in [
        (operation("a").with("valid", false).with("status", "importer_user_selection"), "error-operation-not-found"),
        (operation("b"), "error-invalid-operation-status"),
        (operation("c").with("status", "importer_done"), "error-invalid-operation-status"),
        (operation("d").with("status", "importer_importing_users"), "error-invalid-operation-status"),
        // Its records are for an importer of somebody else.
        (
            operation("e").with("status", "importer_user_selection").with("importerKey", "hipchat"),
            "error-importer-not-defined",
        ),
    ] {
        let stored = stored.document();
        workspace.only_operation(stored.clone()).await;
        assert_refused(&service, "import.run", error).await;
        assert_eq!(workspace.operations().await, [stored], "{error}");
    }
}

#[tokio::test]
async fn the_current_operation_is_the_newest_or_none() {
    let (workspace, service) = served().await;
    let current = service.get_as_admin(&api("getCurrentImportOperation")).await;
    assert_eq!((current.status.as_u16(), current.body.as_str()), (200, r#"{"success":true}"#));
    workspace.add_operation(operation("one")).await;
    let current = service.get_as_admin(&api("getCurrentImportOperation")).await.json();
    assert_eq!(current["operation"]["_id"], "one");
}

#[tokio::test]
async fn the_history_is_a_bare_list_of_the_twenty_that_changed_last_for_those_who_may_see_it() {
    let (workspace, service) = served().await;
    let forbidden = service.get_as_admin(&api("getLatestImportOperations")).await;
    assert_eq!(forbidden.status, 403, "run-import is not enough");
    workspace.grant("view-import-operations", &["admin"]).await;
    assert_eq!(service.get_as_admin(&api("getLatestImportOperations")).await.body, "[]");
    for number in 0..25 {
        let changed = DateTime::from_millis(1_000 * number);
        workspace.add_operation(operation(&format!("op{number:02}")).with("_updatedAt", changed)).await;
    }
    let history = service.get_as_admin(&api("getLatestImportOperations")).await.json();
    let ids: Vec<&str> = history.as_array().unwrap().iter().map(|found| found["_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids[0], ids[19]), (20, "op24", "op05"));
}

#[tokio::test]
async fn the_importers_are_a_bare_list_of_those_a_person_can_choose() {
    let (_workspace, service) = served().await;
    let importers = service.get_as_admin(&api("importers.list")).await;
    let expected = json!([
        { "key": "csv", "name": "CSV" },
        { "key": "slack", "name": "Slack" },
        { "key": "slack-users", "name": "Slack_Users" },
        { "key": "omnichannel_contact", "name": "omnichannel_contacts_importer" },
        { "key": "records", "name": "Records" },
    ]);
    assert_eq!(importers.body, expected.to_string());
}

#[tokio::test]
async fn progress_is_told_in_numbers_with_zero_for_what_is_not_stored() {
    let (workspace, service) = served().await;
    let none = service.get_as_admin(&api("getImportProgress")).await;
    let expected = r#"{"success":false,"error":"Import Operation Not Found [error-operation-not-found]","errorType":"error-operation-not-found","details":"getImportProgress"}"#;
    assert_eq!((none.status.as_u16(), none.body.as_str()), (400, expected));

    workspace.only_operation(operation("one").document()).await;
    let fresh = service.get_as_admin(&api("getImportProgress")).await.body;
    let expected = r#"{"key":"api","name":"API","step":"importer_new","count":{"completed":0,"total":0,"error":0},"success":true}"#;
    assert_eq!(fresh, expected);

    let count = doc! { "total": 7, "users": 7, "completed": 4, "error": 1 };
    workspace.only_operation(operation("two").with("count", count).document()).await;
    let running = service.get_as_admin(&api("getImportProgress")).await.json();
    assert_eq!(running["count"], json!({ "completed": 4, "total": 7, "error": 1 }));

    workspace.only_operation(operation("three").with("importerKey", "hipchat").document()).await;
    let unknown = service.get_as_admin(&api("getImportProgress")).await.json();
    assert_eq!(unknown["error"], "The importer (hipchat) has no import class defined. [error-importer-not-defined]");
}

#[tokio::test]
async fn what_is_staged_can_be_looked_at_without_changing_anything() {
    let (workspace, service) = served().await;
    workspace.add_user(user("other").with("emails", vec![doc! { "address": "user1@example.com" }])).await;
    let mut users = staged_users(0..2);
    users[0]["deleted"] = json!(true);
    users[1]["type"] = json!("bot");
    let id = service.stage(&users).await;
    let before = workspace.operation_named(&id).await;
    let selection = service.get_as_admin(&api("getImportFileData")).await.json();
    let expected = json!({
        "name": "API",
        "users": [
            {
                "user_id": "id0", "username": "user0", "email": "user0@example.com",
                "is_deleted": true, "is_bot": false, "do_import": true, "is_email_taken": false,
            },
            {
                "user_id": "id1", "username": "user1", "email": "user1@example.com",
                "is_deleted": false, "is_bot": true, "do_import": true, "is_email_taken": true,
            },
        ],
        "channels": [], "message_count": 0, "contacts": [], "success": true,
    });
    assert_eq!(selection, expected);
    assert_eq!(workspace.operation_named(&id).await, before);

    workspace.only_operation(operation("filling").with("status", "importer_preparing_users").document()).await;
    let waiting = service.get_as_admin(&api("getImportFileData")).await.body;
    assert_eq!(waiting, r#"{"waiting":true,"success":true}"#);
    let stopped: Document =
        operation("stopped").with("status", "importer_preparing_users").with("valid", false).document();
    workspace.only_operation(stopped).await;
    let invalid = service.get_as_admin(&api("getImportFileData")).await;
    assert_eq!(invalid.json()["error"], "Invalid Import Operation [error-import-operation-invalid]");
}

#[tokio::test]
async fn resume_is_refused_while_something_goes_on_and_when_nothing_is_staged_each_time_with_the_true_reason() {
    let (workspace, service) = served().await;
    let nothing =
        "There are no staged users to go on with: all were imported, or the import was cleared. Begin a new one.";
    let not_finished = |why: &str| format!("The current import operation is not finished: {why}");
    assert_refused(&service, "import.resume", nothing).await;
    service.new_import().await;
    assert_refused(&service, "import.resume", &not_finished("it waits for users. Add them, or clear it.")).await;
    service.stage(&staged_users(0..2)).await;
    assert_refused(&service, "import.resume", &not_finished("it is ready. Run it, or clear it.")).await;
    let id = service.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned();
    for (step, why) in [
        ("importer_preparing_users", "its file is being read. Follow it with import.status, or clear it."),
        ("importer_importing_users", "it is running. Follow it with import.status, or clear it."),
    ] {
        workspace.change_operation(&id, doc! { "status": step }).await;
        assert_refused(&service, "import.resume", &not_finished(why)).await;
    }
    workspace.change_operation(&id, doc! { "status": "importer_user_selection" }).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    crate::harness::eventually("the staging area is empty", Duration::from_secs(5), async || {
        workspace.count_staged().await == 0
    })
    .await;
    assert_refused(&service, "import.resume", nothing).await;
    service.stage(&staged_users(2..4)).await;
    let cleared = service.post("/api/v1/import.clear", &json!({})).await;
    assert_eq!(cleared.status, 200);
    assert_refused(&service, "import.resume", nothing).await;
}

#[tokio::test]
async fn of_two_resumes_at_once_one_wins_and_the_other_says_so() {
    let (workspace, service) = served().await;
    service.stage(&staged_users(0..3)).await;
    let id = service.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned();
    workspace.change_operation(&id, doc! { "valid": false }).await;
    let nothing = json!({});
    let answers = futures::future::join_all((0..5).map(|_| service.post("/api/v1/import.resume", &nothing))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 4), "{answers:?}");
    for answer in lost {
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        let reasons = ["another call has resumed it just now.", "it is ready. Run it, or clear it."];
        assert!(reasons.iter().any(|reason| error.ends_with(reason)), "{error}");
    }
    let valid = workspace.operations().await.iter().filter(|one| one.get_bool("valid").unwrap()).count();
    assert_eq!(valid, 1);
}

/// In the order of Rocket.Chat's own suite, `apps/meteor/tests/end-to-end/api/import.spec.ts`.
#[tokio::test]
async fn what_rocket_chats_own_suite_expects_of_the_calls_holds() {
    let (workspace, service) = served().await;
    workspace.grant("view-import-operations", &["admin"]).await;
    workspace.add_user(user("member").with_roles(&["user"]).with_token("token")).await;
    let current = service.get_as_admin(&api("getCurrentImportOperation")).await;
    assert_eq!((current.status.as_u16(), &current.json()["success"]), (200, &json!(true)));
    assert!(!current.body.contains(r#""operation":null"#), "{}", current.body);
    for path in ["downloadPendingFiles", "downloadPendingAvatars"] {
        let pending = service.post(&api(path), &json!({})).await;
        assert_eq!((pending.status.as_u16(), &pending.json()["success"]), (200, &json!(true)), "{}", pending.body);
        assert!(pending.json()["count"].as_u64().is_some(), "{}", pending.body);
    }
    let forbidden = service.get_as("member", "token", &api("getLatestImportOperations")).await;
    let reason = "User does not have the permissions required for this action [error-unauthorized]";
    assert_eq!((forbidden.status.as_u16(), forbidden.json()["error"].clone()), (403, json!(reason)));
    assert_eq!(forbidden.json()["success"], false);
    let latest = service.get_as_admin(&api("getLatestImportOperations")).await;
    assert!(latest.status == 200 && latest.json().is_array(), "{}", latest.body);
    let progress = service.get_as_admin(&api("getImportProgress")).await;
    let told = progress.json();
    assert_eq!((progress.status.as_u16(), &told["success"]), (200, &json!(true)), "{told}");
    assert!(["key", "name", "step"].iter().all(|name| told[*name].is_string()) && told["count"].is_object(), "{told}");
    let data = service.get_as_admin(&api("getImportFileData")).await;
    let told = data.json();
    assert_eq!((data.status.as_u16(), &told["success"]), (200, &json!(true)), "{told}");
    assert!(told["users"].is_array() && told["channels"].is_array(), "{told}");
    assert!(told["message_count"].as_u64().is_some(), "{told}");
}
