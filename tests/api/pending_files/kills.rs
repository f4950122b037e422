//! Instances that die while they fetch, beside an upload that Rocket.Chat has under way.

use rand::Rng as _;
use tokio::time::sleep;

use super::*;

const FILES: usize = 60;
const KILLS: usize = 4;

/// The chunks and files of the bucket that belong to no upload document, but for those of Rocket.Chat's own upload.
async fn orphans(workspace: &Workspace) -> Vec<String> {
    let uploads = workspace.collection(UPLOADS).distinct("_id", doc! {}).await.unwrap();
    let mut orphans = workspace.collection("rocketchat_uploads.chunks").distinct("files_id", doc! {}).await.unwrap();
    orphans.extend(workspace.collection("rocketchat_uploads.files").distinct("_id", doc! {}).await.unwrap());
    orphans.retain(|id| !uploads.contains(id) && id.as_str() != Some("theirs"));
    orphans.iter().map(ToString::to_string).collect()
}

async fn killed(kills: usize) {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let content = |number: usize| noise(600_000 + number, u8::try_from(number % 251).unwrap());
    let messages = (0..FILES).map(|number| {
        let path = format!("/{number}");
        let url = server.put(&path, Reply::Slow(content(number), Duration::from_millis(8)));
        waiting(&format!("m{number:03}"), "open", &url, &format!("{number}.bin"), 600_000 + number)
    });
    workspace.add_messages(messages.collect()).await;
    // Rocket.Chat stores chunks before the file and the upload.
    let theirs = doc! { "files_id": "theirs", "n": 0, "data": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1; 9] } };
    workspace.collection("rocketchat_uploads.chunks").insert_one(theirs).await.unwrap();
    let mut service = workspace.serve().await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    let mut seen = Vec::new();
    for kill in 0..kills {
        let goal = (FILES * kill / (kills + 2)) as u64;
        eventually("it gets on", PATIENCE, async || workspace.count_of(UPLOADS).await >= goal).await;
        sleep(Duration::from_millis(rand::rng().random_range(50..400))).await;
        service.kill();
        seen.push(workspace.count_of(UPLOADS).await);
        service = workspace.serve().await;
    }
    println!("uploads when killed: {seen:?}");
    let operation = service.wait_for_state("done").await["operation"].clone();
    let count = json!({ "messages": FILES, "total": FILES, "completed": FILES, "error": 0 });
    assert_eq!(operation["count"], count, "{operation}");
    assert_eq!(workspace.count_of(UPLOADS).await, FILES as u64);
    for number in 0..FILES {
        let upload = workspace.upload_of(&format!("m{number:03}")).await;
        let stored = workspace.bytes_of(upload.get_str("_id").unwrap()).await;
        assert!(stored == content(number), "{number}: {} bytes", stored.len());
    }
    let id = operation["_id"].as_str().unwrap();
    let receipt = service.get_as_admin(&format!("/api/v1/import.receipt?operationId={id}")).await.json();
    assert_eq!(receipt["total"], FILES, "{receipt}");
    eventually("no bytes are left that belong to nothing", PATIENCE, async || orphans(&workspace).await.is_empty())
        .await;
    let theirs = workspace.collection("rocketchat_uploads.chunks").count_documents(doc! { "files_id": "theirs" }).await;
    assert_eq!(theirs.unwrap(), 1, "an upload of Rocket.Chat's is not ours to clean");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_stores_every_file_once_and_leaves_nothing_behind() {
    killed(KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn killed_ten_times_it_stores_every_file_once_and_leaves_nothing_behind() {
    killed(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_on_its_way_it_leaves_nothing_behind_and_another_run_fetches_the_rest() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let slow = Reply::Slow(noise(3_000_000, 1), Duration::from_millis(20));
    let messages = (0..4).map(|number| {
        let url = server.put(&format!("/{number}"), slow.clone());
        waiting(&format!("m{number}"), "open", &url, &format!("{number}.bin"), 3_000_000)
    });
    workspace.add_messages(messages.collect()).await;
    let service = workspace.serve().await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    eventually("chunks are there", PATIENCE, async || workspace.count_of("rocketchat_uploads.chunks").await >= 4).await;
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    assert_eq!(service.status().await.json()["state"], "error");
    eventually("no bytes are left", PATIENCE, async || orphans(&workspace).await.is_empty()).await;
    assert!(workspace.message_of("m0").await.get_bool("_hidden").unwrap());
    service.fetch_files(4).await;
    assert_eq!(workspace.count_of(UPLOADS).await, 4);
}
