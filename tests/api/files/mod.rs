//! Files on their way to an import.

mod fetched;
mod for_checks;
mod foreign_client;
mod open_uploads;
mod resumable;
mod whole;

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, Workspace, eventually, workspace};

const PATIENCE: Duration = Duration::from_secs(60);
const FILES: &str = "rocketchat_import_service_files.files";
const CHUNKS: &str = "rocketchat_import_service_files.chunks";

/// A workspace, and the service over it with these settings.
async fn served_with(settings: &[(&str, &str)]) -> (Workspace, Service) {
    let workspace = workspace().await.ready_for_imports().await;
    let mut all = vec![("MONGO_URL", workspace.url.as_str())];
    all.extend(settings);
    let service = Service::start(&all).await;
    service.ready().await;
    (workspace, service)
}

async fn upload(service: &Service, importer: &str, content: &[u8]) -> Answer {
    let body = json!({
        "binaryContent": BASE64_STANDARD.encode(content),
        "contentType": "application/zip",
        "fileName": "export.zip",
        "importerKey": importer,
    });
    service.post("/api/v1/uploadImportFile", &body).await
}

/// The newest operation, as the database has it.
async fn newest(workspace: &Workspace) -> Document {
    let newest = workspace.collection("rocketchat_import").find_one(doc! {}).sort(doc! { "ts": -1 }).await.unwrap();
    newest.expect("there is an operation")
}

async fn count(workspace: &Workspace, collection: &str) -> u64 {
    workspace.collection(collection).count_documents(doc! {}).await.unwrap()
}

/// The bytes of the only file of the store.
async fn stored(workspace: &Workspace) -> Vec<u8> {
    let file = workspace.collection(FILES).find_one(doc! {}).await.unwrap().expect("there is a file");
    let all = workspace.collection(CHUNKS);
    let chunks = all.find(doc! { "files_id": file.get_object_id("_id").unwrap() });
    let chunks: Vec<Document> = chunks.sort(doc! { "n": 1 }).await.unwrap().try_collect().await.unwrap();
    let mut bytes: Vec<u8> =
        chunks.iter().flat_map(|chunk| chunk.get_binary_generic("data").unwrap().clone()).collect();
    bytes.truncate(file.get_i64("length").unwrap().try_into().unwrap());
    bytes
}

/// Bytes that repeat nowhere near.
fn bytes(length: usize) -> Vec<u8> {
    (0_u64..).flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(length).collect()
}

#[tokio::test]
async fn the_file_goes_when_the_import_is_cleared() {
    let (workspace, service) = served_with(&[]).await;
    assert_eq!(upload(&service, "csv", b"no zip").await.status, 200);
    assert_eq!((count(&workspace, FILES).await, count(&workspace, CHUNKS).await), (1, 1));
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    eventually("the file is gone", PATIENCE, async || {
        (count(&workspace, FILES).await, count(&workspace, CHUNKS).await) == (0, 0)
    })
    .await;
    assert_eq!(service.status().await.json()["state"], Value::from("error"));
}
