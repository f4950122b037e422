//! `inspect`: the content of import files, without a server.

use serde_json::Value;

use crate::harness::run;

fn fixture(case: &str, name: &str) -> String {
    format!("{}/tests/fixtures/reference/{case}/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn a_slack_export_is_recognised_and_counted() {
    let finished = run(&["inspect", &fixture("slack-basic", "input.zip"), "--json"], &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let account: Value = serde_json::from_str(&finished.output).unwrap();
    let staged: Vec<Value> =
        serde_json::from_slice(&std::fs::read(fixture("slack-basic", "staged.json")).unwrap()).unwrap();
    let users = staged.iter().filter(|record| record["dataType"] == "user").count();
    assert_eq!(account["importer"], "slack");
    assert!(account["users"].as_u64().unwrap() >= users as u64, "{account}");
    assert!(account["messages"].as_u64().unwrap() > 10, "{account}");

    let text = run(&["inspect", &fixture("slack-basic", "input.zip")], &[]).await.output;
    assert!(text.contains("importer: slack") && text.contains("problems: "), "{text}");
}

#[tokio::test]
async fn a_csv_zip_is_recognised_and_a_file_of_another_kind_is_refused_with_the_reasons() {
    let finished = run(&["inspect", &fixture("csv-basic", "input.zip"), "--json"], &[]).await;
    let account: Value = serde_json::from_str(&finished.output).unwrap();
    assert_eq!(account["importer"], "csv", "{account}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.zip");
    std::fs::write(&path, b"\x89PNG no archive").unwrap();
    let refused = run(&["inspect", path.to_str().unwrap(), "--importer", "slack"], &[]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(refused.errors.lines().count(), 1, "{refused:?}");
}
