//! The receipt of an import: what became of each record, also once the staged records are gone.

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::harness::{Service, Workspace, operation, served, staged_users, user};

const RECEIPT: &str = "/api/v1/import.receipt";

/// A receipt with every outcome.
async fn with_every_outcome() -> (Workspace, Service) {
    let (workspace, service) = served().await;
    let counts = doc! { "total": 5, "users": 5, "completed": 4, "error": 1 };
    workspace.add_operation(operation("op").with("status", "importer_done").with("count", counts)).await;
    let records: Vec<Document> = vec![
        doc! { "_id": "r1", "outcome": "created", "became": "u1", "importIds": ["1"], "emails": ["a@example.com"] },
        doc! { "_id": "r2", "outcome": "linked", "became": "u2", "importIds": ["2", "two"] },
        doc! {
            "_id": "r3", "outcome": "updated", "became": "u3", "importIds": ["3"],
            "changed": { "name": { "before": "Old", "after": "New" }, "bio": { "after": "x" } },
        },
        doc! { "_id": "r4", "outcome": "same", "became": "u4", "importIds": ["4"] },
        doc! {
            "_id": "r5", "outcome": "failed", "importIds": ["=cmd"], "username": "eve",
            "emails": ["a@b.c;=1+1;x"], "reason": "The username eve is taken.",
        },
    ];
    workspace.add_receipts("op", records).await;
    (workspace, service)
}

async fn page(service: &Service, query: &str) -> Value {
    let answer = service.get_as_admin(&format!("{RECEIPT}{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.json()
}

#[tokio::test]
async fn each_record_is_listed_with_its_outcome_a_page_at_a_time() {
    let (workspace, service) = with_every_outcome().await;
    let whole = page(&service, "").await;
    let expected = json!([
        { "_id": "r1", "dataType": "user", "outcome": "created", "became": "u1", "importIds": ["1"], "emails": ["a@example.com"] },
        { "_id": "r2", "dataType": "user", "outcome": "linked", "became": "u2", "importIds": ["2", "two"] },
        { "_id": "r3", "dataType": "user", "outcome": "updated", "became": "u3", "importIds": ["3"],
          "changed": { "name": { "before": "Old", "after": "New" }, "bio": { "after": "x" } } },
        { "_id": "r4", "dataType": "user", "outcome": "same", "became": "u4", "importIds": ["4"] },
        { "_id": "r5", "dataType": "user", "outcome": "failed", "became": null, "importIds": ["=cmd"], "username": "eve",
          "emails": ["a@b.c;=1+1;x"], "reason": "The username eve is taken." },
    ]);
    assert_eq!(whole["records"], expected);
    let about = |page: &Value| (page["count"].clone(), page["offset"].clone(), page["total"].clone());
    assert_eq!(about(&whole), (json!(5), json!(0), json!(5)));
    assert_eq!((&whole["operationId"], &whole["success"]), (&json!("op"), &json!(true)));

    let part = page(&service, "?operationId=op&count=2&offset=3").await;
    assert_eq!(part["records"], json!([expected[3], expected[4]]));
    assert_eq!(about(&part), (json!(2), json!(3), json!(5)));
    assert_eq!(page(&service, "?offset=9").await["records"], json!([]));
    assert_eq!(page(&service, "?count=1").await["records"], json!([expected[0]]));

    let failed = service.get_as_admin("/api/v1/import.errors").await.json();
    assert_eq!((&failed["total"], &failed["errors"][0]["errors"]), (&json!(1), &json!(["The username eve is taken."])));

    // The document of the operation may be gone before its receipt is.
    workspace.collection("rocketchat_import").delete_many(doc! {}).await.unwrap();
    assert_eq!(page(&service, "?operationId=op").await["total"], 5);
}

#[tokio::test]
async fn the_whole_receipt_is_a_file_of_json_lines_or_csv() {
    let (_workspace, service) = with_every_outcome().await;
    let lines = service.get_as_admin(&format!("{RECEIPT}?format=jsonl")).await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(lines.header("content-disposition"), Some(r#"attachment; filename="receipt-op.jsonl""#));
    let lines: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), page(&service, "").await["records"]);

    let csv = service.get_as_admin(&format!("{RECEIPT}?format=csv&operationId=op")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let rows: Vec<&str> = csv.body.trim_start_matches('\u{feff}').split("\r\n").collect();
    assert_eq!(rows.len(), 7);
    assert_eq!(
        rows[0],
        r#""record","dataType","outcome","became","importIds","username","emails","reason","changed","foundBy","memberships","withoutPassword""#
    );
    assert_eq!(rows[2], r#""r2","user","linked","u2","2;two","","","","","","","""#);
    assert!(
        rows[3].ends_with(r#""{""name"":{""before"":""Old"",""after"":""New""},""bio"":{""after"":""x""}}","","","""#)
    );
    assert_eq!(
        rows[5], r#""r5","user","failed","","'=cmd","eve","a@b.c;'=1+1;x","The username eve is taken.","","","","""#,
        "nothing that a spreadsheet takes for a formula, whatever separates its cells"
    );
}

#[tokio::test]
async fn what_is_no_operation_or_no_format_is_refused() {
    let (_workspace, service) = served().await;
    for (query, code) in [
        ("", "error-operation-not-found"),
        ("?operationId=unheard-of", "error-operation-not-found"),
        ("?format=xlsx", "error-invalid-params"),
        ("?count=many", "error-invalid-params"),
    ] {
        let answer = service.get_as_admin(&format!("{RECEIPT}{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errorType"]), (400, &json!(code)), "{query}");
    }
    let nobody = service.get(RECEIPT).await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn the_receipt_of_a_run_says_what_became_of_everybody_after_the_staged_records_are_gone() {
    let (workspace, service) = served().await;
    workspace.add_user(user("user3")).await;
    let operation = service.stage(&staged_users(0..1200)).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    let receipt = page(&service, "?count=0").await;
    assert_eq!(receipt["total"], 1200);
    for (number, record) in receipt["records"].as_array().unwrap().iter().enumerate() {
        assert_eq!(record["importIds"], json!([format!("id{number}")]));
        let outcome = if number == 3 { "failed" } else { "created" };
        assert_eq!(record["outcome"], outcome);
    }
    let became = receipt["records"][7]["became"].as_str().unwrap();
    let account = workspace.collection("users").find_one(doc! { "_id": became }).await.unwrap().unwrap();
    assert_eq!(account.get_str("username").unwrap(), "user7");

    // Another import does not take the receipt of this one away.
    service.new_import().await;
    assert_eq!(page(&service, &format!("?operationId={operation}")).await["total"], 1200);
    assert_eq!(page(&service, "").await["total"], 0);
}
