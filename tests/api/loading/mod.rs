//! The loading of files, as an administrator sees it, and the records that it stages.

mod ends;
mod kills;
mod large;
mod reference;
mod refused;
mod report;
mod selection;
mod stored;

use std::{io::Write as _, path::Path, time::Duration};

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::Value;
use tempfile::{NamedTempFile, TempPath};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::harness::{Service, Workspace, eventually, operation, workspace};

/// How long the loading of a test's file may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file of the server. It is gone with the test.
struct ServerFile {
    path: TempPath,
}

impl ServerFile {
    fn new(content: &[u8]) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        Self { path: file.into_temp_path() }
    }

    fn zip(entries: &[(&str, String)]) -> Self {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        Self::new(&zip.finish().unwrap().into_inner())
    }
}

/// A zip of CSV files: so many users, two channels, and so many messages of each.
fn csv_zip(users: usize, messages: usize) -> ServerFile {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    ServerFile::zip(&[
        ("users.csv", lines(users, &|number| format!("user{number},user{number}@example.com,User {number}\n"))),
        ("channels.csv", "general,user0,public,user0;user1\nsecret,user1,private,user0;user1\n".to_owned()),
        (
            "general/2024.csv",
            lines(messages, &|number| format!("user0,{},general {number}\n", 1_700_000_000_000_u64 + number as u64)),
        ),
        (
            "secret/2024.csv",
            lines(messages, &|number| format!("user1,{},secret {number}\n", 1_700_000_000_000_u64 + number as u64)),
        ),
        ("directmessages/2024.csv", "user0,user1,1700000000000,hello\n".to_owned()),
    ])
}

impl Workspace {
    /// An operation with this file, as an upload leaves it.
    async fn add_file(&self, id: &str, importer: &str, file: &Path) {
        let operation = operation(id)
            .with("type", importer)
            .with("importerKey", importer)
            .with("status", "importer_file_loaded")
            .with("file", format!("20241025_admin_{importer}"))
            .with("import", doc! { "source": { "kind": "folder", "path": file.to_str().unwrap() } });
        self.add_operation(operation).await;
    }

    async fn staged_of(&self, data_type: &str) -> Vec<Document> {
        let records = self.collection("rocketchat_import_data");
        let found = records.find(doc! { "dataType": data_type }).sort(doc! { "_id": 1 }).await.unwrap();
        found.try_collect().await.unwrap()
    }
}

impl Service {
    async fn report(&self, query: &str) -> Value {
        let answer = self.get_as_admin(&format!("/api/v1/import.report{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Waits until the newest operation has failed, and returns its reason.
    async fn problem(&self) -> String {
        let status = self.wait_for_state("error").await;
        status["operation"]["import"]["problem"].as_str().unwrap_or_default().to_owned()
    }
}

/// A workspace with an operation over this file, and the service that loads it.
async fn loading(importer: &str, file: &ServerFile) -> (Workspace, Service) {
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_file("64d51ea91558939980aab371", importer, &file.path).await;
    let service = workspace.serve().await;
    (workspace, service)
}

#[tokio::test]
async fn a_file_is_loaded_by_itself_and_counted_by_type() {
    let file = csv_zip(20, 700);
    let (workspace, service) = loading("csv", &file).await;
    let ready = service.wait_for_state("ready").await;
    let operation = &ready["operation"];
    assert_eq!(operation["status"], "importer_user_selection");
    let count = &operation["count"];
    let expected = [("total", 1424), ("users", 20), ("channels", 3), ("messages", 1401)];
    for (name, expected) in expected {
        assert_eq!(count[name], expected, "{count}");
    }
    assert_eq!(operation["messagesstatus"], Value::Null);
    assert_eq!(operation["import"]["loaded"], true);
    assert_eq!(workspace.count_staged().await, 1424);
    let leases = workspace.collection("rocketchat_import_service_run_leases");
    eventually("the lease is given back", PATIENCE, async || leases.count_documents(doc! {}).await.unwrap() == 0).await;
}

#[tokio::test]
async fn the_stream_shows_each_step_of_loading() {
    let file = csv_zip(10, 600);
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.ready().await;
    let changes = workspace.collection("rocketchat_import").watch().await.unwrap();
    workspace.add_file("64d51ea91558939980aab371", "csv", &file.path).await;
    service.wait_for_state("ready").await;
    let mut steps: Vec<String> = Vec::new();
    let mut changes = std::pin::pin!(changes);
    while steps.last().is_none_or(|step| step != "importer_user_selection") {
        let change = changes.try_next().await.unwrap().expect("a change");
        let update = change.update_description.map(|update| update.updated_fields).unwrap_or_default();
        let status = update.get_str("status").map(str::to_owned);
        steps.extend(status.ok().filter(|status| steps.last() != Some(status)));
    }
    let expected = [
        "importer_preparing_started",
        "importer_preparing_users",
        "importer_preparing_channels",
        "importer_preparing_messages",
        "importer_user_selection",
    ];
    assert_eq!(steps, expected);
}

#[tokio::test]
async fn staged_ids_rise_with_the_file() {
    let file = csv_zip(3, 2);
    let (workspace, service) = loading("csv", &file).await;
    service.wait_for_state("ready").await;
    let staged = workspace.staged().await;
    let texts = |name: &str| -> Vec<String> {
        staged.iter().map(|record| record.get_str(name).unwrap_or_default().to_owned()).collect()
    };
    let types = texts("dataType");
    assert_eq!(
        types,
        [
            "user", "user", "user", "channel", "channel", "channel", "message", "message", "message", "message",
            "message"
        ]
    );
    assert!(texts("_id").iter().all(|id| id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert!(texts("operation").iter().all(|operation| operation == "64d51ea91558939980aab371"));
    assert_eq!(texts("place")[..2], ["users.csv, line 1", "users.csv, line 2"]);
}
