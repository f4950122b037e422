//! Answers of any length, and what they cost the service.

use std::time::Duration;

use bson::{Document, doc};
use futures::future::join_all;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

use crate::harness::{Answer, Service, Workspace, eventually, operation, served};

const FAILED: usize = 100_000;
const MIB: usize = 1024 * 1024;
/// Memory that the process may not exceed.
const MEMORY_BOUND: usize = 150 * MIB;
const SECRET: &str = "clear-text-secret";
const ALL_ERRORS: &str = "/api/v1/import.errors?count=0";
const FILE_DATA: &str = "/api/v1/getImportFileData";

impl Service {
    /// The most memory the process ever had.
    fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// The whole answer four times at once.
    async fn four_times(&self, path: &str) -> Vec<Value> {
        let answers = join_all((0..4).map(|_| self.get_as_admin(path))).await;
        assert!(self.peak_memory() < MEMORY_BOUND, "{path}: {} MiB", self.peak_memory() / MIB);
        for answer in &answers {
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.contains(SECRET), "{path}: a password must never be shown");
        }
        answers.iter().map(Answer::json).collect()
    }
}

impl Workspace {
    /// An operation that Rocket.Chat ran to its end, and the users that it could not import.
    async fn with_failed_users(&self, count: usize) {
        self.add_operation(operation("rocket-chats").with("status", "importer_done")).await;
        let records = (0..count).map(|number| {
            doc! {
                "_id": format!("record{number:017}"),
                "dataType": "user",
                "data": {
                    "username": format!("user{number}"),
                    "emails": [format!("user{number}@example.com")],
                    "importIds": [format!("id{number}")],
                    "password": SECRET,
                    "more": "x".repeat(200),
                },
                "errors": [{ "message": format!("The username user{number} is taken.") }],
            }
        });
        self.insert_all("rocketchat_import_data", records).await;
    }

    /// The receipts of a run in which nobody was imported.
    async fn with_failed_receipts(&self, operation: &str, count: usize) {
        let records = (0..count).map(|number| {
            doc! {
                "_id": format!("record{number:017}"),
                "outcome": "failed",
                "importIds": [format!("id{number}")],
                "username": format!("user{number}"),
                "emails": [format!("user{number}@example.com")],
                "reason": format!("The username user{number} is taken by the user user{number} (abcdefghijklmnopq)."),
            }
        });
        self.add_receipts(operation, records.collect()).await;
    }

    async fn insert_all(&self, collection: &str, documents: impl Iterator<Item = Document>) {
        let documents: Vec<Document> = documents.collect();
        for some in documents.chunks(5000) {
            self.collection(collection).insert_many(some).await.unwrap();
        }
    }
}

fn assert_all_failed(list: &Value) {
    let errors = list["errors"].as_array().unwrap();
    assert_eq!((errors.len(), list["count"].as_u64(), list["total"].as_u64()), (FAILED, Some(100_000), Some(100_000)));
    for (number, failed) in errors.iter().enumerate() {
        assert_eq!(failed["importIds"][0], format!("id{number}"));
    }
}

#[tokio::test]
async fn four_lists_of_a_hundred_thousand_failed_users_stay_under_150_mb() {
    let (workspace, service) = served().await;
    workspace.with_failed_users(FAILED).await;
    service.four_times(ALL_ERRORS).await.iter().for_each(assert_all_failed);
}

#[tokio::test]
async fn four_lists_of_a_hundred_thousand_failed_users_out_of_a_receipt_stay_under_150_mb() {
    let (workspace, service) = served().await;
    workspace.add_operation(operation("ours").with("status", "importer_done")).await;
    workspace.with_failed_receipts("ours", FAILED).await;
    let page = service.get_as_admin("/api/v1/import.errors?count=3&offset=99996").await.json();
    assert_eq!((page["count"].as_u64(), page["errors"][0]["importIds"][0].as_str()), (Some(3), Some("id99996")));
    service.four_times(ALL_ERRORS).await.iter().for_each(assert_all_failed);
}

#[tokio::test]
async fn four_lists_of_a_hundred_thousand_staged_users_stay_under_150_mb() {
    let (workspace, service) = served().await;
    workspace.with_failed_users(FAILED).await;
    for list in service.four_times(FILE_DATA).await {
        let users = list["users"].as_array().unwrap();
        assert_eq!((users.len(), list["success"].as_bool()), (FAILED, Some(true)));
        assert_eq!(users[7]["user_id"], "id7");
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_little_memory_and_keep_nobody_else_out() {
    let (workspace, service) = served().await;
    workspace.with_failed_users(FAILED).await;
    let request =
        format!("GET {ALL_ERRORS} HTTP/1.1\r\nHost: x\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n\r\n");
    let mut connections = Vec::new();
    for _ in 0..40 {
        let mut connection = service.connect().await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        connections.push(connection);
    }
    // As many as are streamed at once, and the others are refused.
    eventually("all are answered", Duration::from_secs(60), async || {
        service.log_lines("path=/api/v1/import.errors").len() == connections.len()
    })
    .await;
    let begun = service.log_lines("path=/api/v1/import.errors status=200").len();
    assert!((1..=16).contains(&begun), "{begun} are streamed at once");
    sleep(Duration::from_secs(2)).await;
    assert!(service.peak_memory() < MEMORY_BOUND, "{} MiB", service.peak_memory() / MIB);
    assert_eq!(service.status().await.status, 200, "other requests are served");
    // Streams that nobody reads are given up after a minute, and their places are free again.
    eventually("a list is served again", Duration::from_secs(180), async || {
        service.get_as_admin("/api/v1/import.errors?count=1").await.status == 200
    })
    .await;
    let mut begun_ones = 0;
    for mut connection in connections {
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), connection.read_to_end(&mut answer)).await.ok();
        let answer = String::from_utf8_lossy(&answer);
        if answer.starts_with("HTTP/1.1 200") {
            let (is_whole, looks_whole) = (answer.contains(r#""success":true}"#), answer.ends_with("0\r\n\r\n"));
            assert_eq!(is_whole, looks_whole, "what is not whole does not look so");
            begun_ones += 1;
        }
    }
    assert_eq!(begun_ones, begun);
}
