//! The eight states of `import.status`.

use bson::{Bson, DateTime};

use crate::harness::{operation, workspace};

/// Every `status` a Rocket.Chat release ever wrote, with the state of a valid operation at it.
const STATUSES: [(&str, Option<&str>); 21] = [
    ("importer_new", Some("new")),
    ("importer_uploading", Some("loading")),
    ("importer_downloading_file", Some("loading")),
    ("importer_file_loaded", Some("loading")),
    ("importer_preparing_started", Some("loading")),
    ("importer_preparing_users", Some("loading")),
    ("importer_preparing_channels", Some("loading")),
    ("importer_preparing_messages", Some("loading")),
    ("importer_preparing_contacts", Some("loading")),
    ("importer_user_selection", Some("ready")),
    ("importer_importing_started", Some("importing")),
    ("importer_importing_users", Some("importing")),
    ("importer_importing_contacts", Some("importing")),
    ("importer_importing_channels", Some("importing")),
    ("importer_importing_messages", Some("importing")),
    ("importer_importing_files", Some("importing")),
    ("importer_finishing", Some("importing")),
    ("importer_done", Some("done")),
    ("importer_import_failed", Some("error")),
    ("importer_import_cancelled", Some("canceled")),
    // Written before 3.0 only; to later releases it is as unknown as any other text.
    ("downloading_file_url", None),
];

#[tokio::test]
async fn every_status_reads_as_the_documented_state() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    println!("{:32} {:>10} {:>10} {:>10}", "status", "valid", "not valid", "no valid");
    for (status, state) in STATUSES {
        let when_not_valid = if status == "importer_done" { "done" } else { "error" };
        let mut row = vec![format!("{status:32}")];
        for (valid, expected) in
            [(Some(true), state), (Some(false), Some(when_not_valid)), (None, Some(when_not_valid))]
        {
            let stored = operation("one").with("status", status);
            let stored = match valid {
                Some(valid) => stored.with("valid", valid),
                None => stored.without("valid"),
            };
            workspace.only_operation(stored.document()).await;
            let answer = service.status().await;
            assert_eq!(answer.status, 200, "{status} {valid:?}");
            let body = answer.json();
            assert_eq!(body.get("state").and_then(|state| state.as_str()), expected, "{status} {valid:?}");
            assert_eq!(body["operation"]["status"], status);
            assert_eq!(body["success"], true);
            row.push(format!("{:>10}", expected.unwrap_or("(none)")));
        }
        println!("{}", row.join(" "));
    }
}

#[tokio::test]
async fn a_workspace_that_never_imported_has_the_state_none_and_no_operation() {
    let workspace = workspace().await;
    let answer = workspace.serve().await.status().await;
    assert_eq!(answer.told(), (200, r#"{"state":"none","success":true}"#));
}

#[tokio::test]
async fn the_newest_operation_is_the_one_with_the_highest_ts_valid_or_not() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let at = DateTime::from_millis;
    workspace.add_operation(operation("middle").with("ts", at(2_000))).await;
    workspace.add_operation(operation("newest").with("ts", at(3_000)).with("valid", false)).await;
    workspace.add_operation(operation("oldest").with("ts", at(1_000))).await;
    // Releases long gone stored a number, which sorts below every date.
    workspace.add_operation(operation("ancient").with("ts", Bson::Double(9e15))).await;
    let body = service.status().await.json();
    assert_eq!((body["operation"]["_id"].as_str(), body["state"].as_str()), (Some("newest"), Some("error")));
}

#[tokio::test]
async fn a_status_nobody_knows_is_answered_without_a_state_and_logged_once() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for status in [Bson::from("importer_dreaming"), Bson::Null, Bson::Int32(7)] {
        workspace.only_operation(operation("odd").with("status", status.clone()).document()).await;
        for _ in 0..3 {
            let answer = service.status().await;
            assert_eq!(answer.status, 200);
            assert!(answer.body.starts_with(r#"{"operation":{"_id":"odd","#), "{}", answer.body);
            assert!(answer.body.ends_with(r#"},"success":true}"#), "{}", answer.body);
        }
    }
    assert_eq!(service.log_lines("WARN").len(), 3, "{:?}", service.log_lines(""));
}

#[tokio::test]
async fn an_operation_counts_as_valid_when_javascript_would_say_so() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (valid, state) in [
        (Bson::Null, "error"),
        (Bson::Int32(0), "error"),
        (Bson::from(""), "error"),
        (Bson::Double(f64::NAN), "error"),
        (Bson::Int32(1), "new"),
        (Bson::from("false"), "new"),
    ] {
        workspace.only_operation(operation("one").with("valid", valid.clone()).document()).await;
        assert_eq!(service.status().await.json()["state"], state, "{valid:?}");
    }
}
