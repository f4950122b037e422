//! `inspect`: the content of import files, without a server.

use serde_json::Value;

use crate::harness::{run, zip};

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

#[tokio::test]
async fn files_that_an_archive_carries_for_its_messages_say_nothing_of_its_importer() {
    let folder = tempfile::tempdir().unwrap();
    let importer_of = async |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let finished = run(&["inspect", path.to_str().unwrap(), "--json"], &[]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        serde_json::from_str::<Value>(&finished.output).unwrap()["importer"].clone()
    };
    let row = "ann,1479162481336,hello\n".to_owned();
    let record = r#"{"dataType":"user","data":{"importIds":["ann"],"username":"ann"}}"#.to_owned();
    let whole = String::from_utf8_lossy(&zip(&[("users.csv", "ann,ann@x.example,Ann\n".to_owned())])).into_owned();
    let slack = [("users.json", r#"[{"id":"U1","name":"ann"}]"#.to_owned()), ("channels.json", "[]".to_owned())];
    let carried = [
        ("__uploads/F1/figures.csv", row.clone()),
        ("__uploads/F2/users.csv", row.clone()),
        ("__uploads/F3/export.zip", whole),
        ("__uploads/F4/lines.jsonl", record),
        ("general/attachments/F5-figures.csv", row.clone()),
        ("attachments/figures.csv", row.clone()),
    ];
    assert_eq!(importer_of("slack.zip", &zip(&[&slack[..], &carried].concat())).await, "slack");
    let within = |name: &&str| format!("Corp Slack export/{name}");
    let names: Vec<String> = slack.iter().chain(&carried).map(|(name, _)| within(name)).collect();
    let files = names.iter().map(String::as_str).zip(slack.iter().chain(&carried).map(|(_, content)| content.clone()));
    assert_eq!(importer_of("within.zip", &zip(&files.collect::<Vec<_>>())).await, "slack");
    let csv = [("users.csv", "ann,ann@x.example,Ann\n".to_owned())];
    assert_eq!(importer_of("csv.zip", &zip(&[&csv[..], &carried].concat())).await, "csv");
    // A channel may bear such a name.
    assert_eq!(importer_of("channel.zip", &zip(&[("attachments/2020-01-02.csv", row)])).await, "csv");
}
