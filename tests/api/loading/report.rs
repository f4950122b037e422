//! The account of a file: what failed, what was passed over, and that everything adds up.

use serde_json::{Value, json};

use super::{ServerFile, loading};

/// A Slack export in which some things are wrong and others are of no use.
fn export() -> ServerFile {
    let message = |ts: &str, more: Value| {
        let mut message = json!({ "type": "message", "user": "U1", "text": "secret words", "ts": ts });
        message.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        message
    };
    let day = json!([
        message("1600000000.000100", json!({})),
        message("", json!({})),
        message("1600000002.000100", json!({ "subtype": "channel_join" })),
        message("1600000003.000100", json!({ "subtype": "bot_add" })),
        null,
        message("1600000004.000100", json!({})),
    ]);
    ServerFile::zip(&[
        (
            "users.json",
            json!([{ "id": "U1", "name": "ann", "profile": { "email": "ann@example.com", "real_name": "Ann" } }])
                .to_string(),
        ),
        (
            "channels.json",
            json!([{ "id": "C1", "name": "dev", "creator": "U1", "members": ["U1"], "created": 1_600_000_000 }])
                .to_string(),
        ),
        ("dev/2020-09-13.json", day.to_string()),
        (
            "dev/2020-09-14.json",
            "[{\"type\":\"message\",\"ts\":\"1600084800.000100\",\"user\":\"U1\",\"text\":\"a\"},".to_owned(),
        ),
        ("integration_logs.json", r#"[{"id":1},{"id":2}]"#.to_owned()),
    ])
}

#[tokio::test]
async fn every_element_is_accounted_for_with_its_place_and_never_with_its_text() {
    let file = export();
    let (workspace, service) = loading("slack", &file).await;
    let ready = service.wait_for_state("ready").await;
    let report = service.report("?count=0").await;
    let totals = report["totals"].as_array().unwrap();
    for total in totals {
        let parts = ["imported", "failed", "passedOver", "waiting"].map(|name| total[name].as_u64().unwrap());
        assert_eq!(parts.iter().sum::<u64>(), total["elements"].as_u64().unwrap(), "{total}");
    }
    let waiting: u64 = totals.iter().map(|total| total["waiting"].as_u64().unwrap()).sum();
    assert_eq!(waiting, workspace.count_staged().await, "{report:#}");
    assert_eq!(ready["operation"]["count"]["total"], waiting);

    let lines = report["lines"].as_array().unwrap();
    assert_eq!(report["total"], lines.len());
    let sum = |outcome: &str| -> u64 {
        let lines = lines.iter().filter(|line| line["outcome"] == outcome);
        lines.map(|line| line["count"].as_u64().unwrap()).sum()
    };
    let total = |name: &str| -> u64 { totals.iter().map(|total| total[name].as_u64().unwrap()).sum() };
    assert_eq!((sum("failed"), sum("passedOver")), (total("failed"), total("passedOver")), "{report:#}");
    assert_eq!((sum("failed"), sum("passedOver")), (3, 2), "{report:#}");
    let of_day = |line: &&Value| line["place"].as_str().is_some_and(|place| place.starts_with("dev/2020-09-13.json"));
    assert!(lines.iter().filter(of_day).any(|line| line["outcome"] == "failed"), "{report:#}");
    assert!(!report.to_string().contains("secret words"), "{report:#}");
}

#[tokio::test]
async fn import_errors_lists_problems_of_the_file_with_type_and_place() {
    let file = export();
    let (_workspace, service) = loading("slack", &file).await;
    service.wait_for_state("ready").await;
    let failed = service.report("?count=0").await["lines"].as_array().unwrap().clone();
    let failed: Vec<&Value> = failed.iter().filter(|line| line["outcome"] == "failed").collect();
    let errors = service.get_as_admin("/api/v1/import.errors").await.json();
    assert_eq!(errors["total"], failed.len());
    for (error, line) in errors["errors"].as_array().unwrap().iter().zip(failed) {
        assert_eq!((&error["type"], &error["place"]), (&line["type"], &line["place"]));
        assert_eq!(error["errors"], json!([line["reason"]]));
    }
}

#[tokio::test]
async fn a_report_is_read_a_page_at_a_time() {
    // Numbers of lines beyond one batch.
    let rows: Vec<String> = (0..1300).map(|number| format!("user{number}\n")).collect();
    let rows = rows.concat();
    let file = ServerFile::zip(&[
        ("users.csv", "ann,ann@example.com,Ann\n".to_owned()),
        ("channels.csv", "general,ann,public,ann\n".to_owned()),
        ("general/2024.csv", format!("ann,1700000000000,hello\n{rows}")),
    ]);
    let (_workspace, service) = loading("csv", &file).await;
    service.wait_for_state("ready").await;
    let whole = service.report("?count=0").await;
    assert_eq!(whole["total"], 1300, "{}", whole["totals"]);
    let page = service.report("?offset=495&count=10").await;
    assert_eq!((&page["count"], &page["offset"], &page["total"]), (&json!(10), &json!(495), &json!(1300)));
    assert_eq!(page["lines"].as_array().unwrap()[..], whole["lines"].as_array().unwrap()[495..505]);
    let named = service.report("?operationId=64d51ea91558939980aab371&count=1&offset=1299").await;
    assert_eq!(named["lines"][0], whole["lines"][1299]);
    let unknown = service.get_as_admin("/api/v1/import.report?operationId=nothing").await;
    assert_eq!(unknown.status, 400);
}
