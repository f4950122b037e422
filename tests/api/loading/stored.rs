//! Files that lie in the file store.

use bson::{Binary, DateTime, doc, oid::ObjectId, spec::BinarySubtype};
use serde_json::json;

use crate::harness::{Workspace, operation, workspace};

const CHUNK_BYTES: usize = 255 * 1024;
const ID: &str = "64d51ea91558939980aab371";

impl Workspace {
    /// Stores a file as a complete upload leaves it, without the chunks that `keeps` refuses.
    async fn store_file(&self, content: &[u8], keeps: impl Fn(usize) -> bool) -> ObjectId {
        let id = ObjectId::new();
        let bucket = |part: &str| self.collection(&format!("rocketchat_import_service_files.{part}"));
        for (number, data) in content.chunks(CHUNK_BYTES).enumerate().filter(|(number, _)| keeps(*number)) {
            let data = Binary { subtype: BinarySubtype::Generic, bytes: data.to_vec() };
            let chunk =
                doc! { "_id": { "file": id, "n": i64::try_from(number).unwrap() }, "data": data, "epoch": 1_i64 };
            bucket("chunks").insert_one(chunk).await.unwrap();
        }
        let file = doc! {
            "_id": id,
            "length": i64::try_from(content.len()).unwrap(),
            "chunkSize": i32::try_from(CHUNK_BYTES).unwrap(),
            "uploadDate": DateTime::now(),
            "filename": "export.jsonl",
            "metadata": { "owner": "admin", "isComplete": true, "operation": ID },
            "epoch": 1_i64,
        };
        bucket("files").insert_one(file).await.unwrap();
        id
    }

    async fn add_stored(&self, file: ObjectId) {
        let operation = operation(ID)
            .with("type", "Records")
            .with("importerKey", "records")
            .with("status", "importer_file_loaded")
            .with("import", doc! { "source": { "kind": "stored", "id": file.to_hex() } });
        self.add_operation(operation).await;
    }
}

/// Staged records as JSON lines, of some megabytes.
fn records(messages: usize) -> String {
    let user =
        json!({ "dataType": "user", "data": { "importIds": ["u"], "username": "ann", "emails": ["ann@example.com"] } });
    let channel =
        json!({ "dataType": "channel", "data": { "importIds": ["c"], "name": "dev", "t": "c", "users": ["u"] } });
    let text = "words ".repeat(100);
    let messages = (0..messages).map(|number| {
        let ts = 1_700_000_000_000_u64 + number as u64;
        json!({
            "dataType": "message",
            "data": { "_id": format!("m{number}"), "rid": "c", "u": { "_id": "u" }, "ts": ts, "msg": text },
        })
    });
    [user, channel].into_iter().chain(messages).map(|record| format!("{record}\n")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_stored_file_is_loaded_whatever_its_size() {
    let workspace = workspace().await.ready_for_imports().await;
    let content = records(6000);
    assert!(content.len() > 12 * CHUNK_BYTES);
    let file = workspace.store_file(content.as_bytes(), |_| true).await;
    workspace.add_stored(file).await;
    let service = workspace.serve().await;
    let ready = service.wait_for_state("ready").await;
    let count = &ready["operation"]["count"];
    assert_eq!((&count["total"], &count["messages"]), (&json!(6002), &json!(6000)));
    assert_eq!(workspace.count_staged().await, 6002);
}

#[tokio::test]
async fn a_stored_file_that_is_gone_or_lacks_a_part_fails_with_the_reason() {
    let content = records(2000);
    for is_gone in [true, false] {
        let workspace = workspace().await.ready_for_imports().await;
        let file = if is_gone {
            ObjectId::new()
        } else {
            workspace.store_file(content.as_bytes(), |number| number != 2).await
        };
        workspace.add_stored(file).await;
        let service = workspace.serve().await;
        let problem = service.problem().await;
        let expected = if is_gone { "no longer stored" } else { "a chunk is missing" };
        assert!(problem.contains(expected), "{problem}");
    }
}

#[tokio::test]
async fn a_folder_in_place_of_a_file_fails_with_the_reason() {
    let folder = std::env::temp_dir();
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_file(ID, "csv", &folder).await;
    let service = workspace.serve().await;
    let problem = service.problem().await;
    assert!(problem.contains("cannot be read"), "{problem}");
}
