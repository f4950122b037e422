//! Files that are fetched while secondaries fall behind.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::options::GridFsBucketOptions;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    file_server::{FileServer, Reply},
    harness::{Workspace, eventually},
    replica_set::ReplicaSet,
    trial::PATIENCE,
};

const UPLOADS: &str = "rocketchat_uploads";
const CHUNKS: &str = "rocketchat_uploads.chunks";
const BYTES: usize = 48 * 1024 * 1024;
/// The rest of the server after each piece, so that the file takes half a minute.
const PACE: Duration = Duration::from_millis(8);
/// How long nothing may come while it waits. With the lag before it, this is shorter than the database's answers are waited for.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A workspace with a message that waits for the file at `url`.
async fn workspace_with_file(set: &ReplicaSet, server: &FileServer, url: &str) -> Workspace {
    let workspace = set.workspace().await;
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    let room = doc! { "_id": "open", "t": "c", "name": "open" };
    workspace.collection("rocketchat_room").insert_one(room).await.unwrap();
    let message = doc! {
        "_id": "m", "rid": "open", "u": { "_id": "ann", "username": "ann" }, "msg": "", "ts": DateTime::now(),
        "_hidden": true, "_updatedAt": DateTime::now(),
        "_importFile": {
            "downloadUrl": url, "id": "F1", "size": i32::try_from(BYTES).unwrap(), "name": "film.mp4",
            "external": false, "source": "slack", "original": { "id": "F1", "url_private_download": url },
        },
    };
    workspace.collection("rocketchat_message").insert_one(message).await.unwrap();
    workspace
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_on_its_way_waits_for_secondaries_that_fall_behind() {
    let set = ReplicaSet::of_three().await;
    let server = FileServer::start().await;
    let content: Vec<u8> = (0..BYTES).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let url = server.put("/film", Reply::Slow(content.clone(), PACE));
    let workspace = workspace_with_file(set, &server, &url).await;
    let service = workspace.serve().await;
    service.ready().await;
    assert_eq!(service.post("/api/v1/downloadPendingFiles", &json!({})).await.status, 200);
    let chunks = async || workspace.collection(CHUNKS).count_documents(doc! {}).await.unwrap();
    eventually("chunks are there", PATIENCE, async || chunks().await >= 8).await;

    let primary = set.primary().await;
    set.replicate_from(primary, false).await;
    service.logged("a file waits: the majority of the database is").await;
    let before = chunks().await;
    sleep(STANDSTILL).await;
    let after = chunks().await;
    set.replicate_from(primary, true).await;
    set.well().await;
    assert_eq!(before, after, "chunks went on to come");

    let done = service.wait_for_state("done").await;
    let expected = json!({ "messages": 1, "total": 1, "completed": 1, "error": 0 });
    assert_eq!(done["operation"]["count"], expected, "{done}");
    assert_eq!(server.requests("/film"), 1, "the file went on where it was: {:?}", service.log_lines("pauses"));
    let upload: Document = workspace.collection(UPLOADS).find_one(doc! {}).await.unwrap().unwrap();
    let options = GridFsBucketOptions::builder().bucket_name(UPLOADS.to_owned()).build();
    let bucket = workspace.database.gridfs_bucket(options);
    let mut stream = bucket.open_download_stream(upload.get("_id").unwrap().clone()).await.unwrap();
    let mut stored = Vec::new();
    futures::AsyncReadExt::read_to_end(&mut stream, &mut stored).await.unwrap();
    assert!(stored == content, "{} bytes", stored.len());
}
