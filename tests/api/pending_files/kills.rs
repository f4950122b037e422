//! Instances that die while they fetch, beside an upload that Rocket.Chat has under way.

use rand::Rng as _;
use tokio::time::sleep;

use super::*;

const FILES: usize = 60;
const KILLS: usize = 4;
/// How long bytes may lie there that an instance left behind.
const A_MINUTE: Duration = Duration::from_secs(60);

/// The chunks and files of the bucket that belong to no upload document, but for those of Rocket.Chat's own upload.
async fn orphans(workspace: &Workspace) -> Vec<String> {
    let uploads = workspace.collection(UPLOADS).distinct("_id", doc! {}).await.unwrap();
    let mut orphans = workspace.collection("rocketchat_uploads.chunks").distinct("files_id", doc! {}).await.unwrap();
    orphans.extend(workspace.collection("rocketchat_uploads.files").distinct("_id", doc! {}).await.unwrap());
    orphans.retain(|id| !uploads.contains(id) && id.as_str() != Some("theirs"));
    orphans.iter().map(ToString::to_string).collect()
}

/// The recorded ids under which chunks are, and no file.
async fn broken_off(workspace: &Workspace) -> Vec<Bson> {
    let mut ids = workspace.collection("rocketchat_import_service_uploads").distinct("_id", doc! {}).await.unwrap();
    let files = workspace.collection("rocketchat_uploads.files").distinct("_id", doc! {}).await.unwrap();
    let chunks = workspace.collection("rocketchat_uploads.chunks").distinct("files_id", doc! {}).await.unwrap();
    ids.retain(|id| chunks.contains(id) && !files.contains(id));
    ids
}

/// An upload as Rocket.Chat makes it: chunks first, then the file. The document of the upload is there from the beginning.
struct Theirs {
    id: String,
}

impl Theirs {
    const CHUNKS: usize = 3;

    async fn begin(workspace: &Workspace, number: usize) -> Self {
        let theirs = Self { id: format!("theirs{number}") };
        let upload = doc! { "_id": &theirs.id, "rid": "open", "store": "GridFS:Uploads", "uploading": true };
        workspace.collection(UPLOADS).insert_one(upload).await.unwrap();
        theirs.chunk(workspace, 0).await;
        theirs
    }

    async fn chunk(&self, workspace: &Workspace, number: usize) {
        let data = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![7; 261_120] };
        let chunk = doc! { "files_id": &self.id, "n": i32::try_from(number).unwrap(), "data": data };
        workspace.collection("rocketchat_uploads.chunks").insert_one(chunk).await.unwrap();
    }

    async fn finish(self, workspace: &Workspace) {
        for number in 1..Self::CHUNKS {
            self.chunk(workspace, number).await;
        }
        let length = i64::try_from(Self::CHUNKS * 261_120).unwrap();
        let file = doc! { "_id": &self.id, "length": length, "chunkSize": 261_120, "uploadDate": DateTime::now(),
        "filename": &self.id };
        workspace.collection("rocketchat_uploads.files").insert_one(file).await.unwrap();
        let done = doc! { "$set": { "complete": true, "uploading": false, "size": length } };
        workspace.update(UPLOADS, &self.id, done).await;
    }
}

/// Fetches with so many instances, of which one after the other dies at a random moment.
async fn killed(kills: usize, instances: usize) {
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
    let mut services = Vec::new();
    for _ in 0..instances {
        services.push(workspace.serve().await);
    }
    assert_eq!(services[0].post(DOWNLOAD, &json!({})).await.status, 200);
    let (mut seen, mut under_way) = (Vec::new(), Vec::new());
    let ours = doc! { "_id": { "$not": { "$regex": "^theirs" } } };
    let count = async || workspace.collection(UPLOADS).count_documents(ours.clone()).await.unwrap();
    for kill in 0..kills {
        let goal = (FILES * kill / (kills + 2)) as u64;
        eventually("it gets on", PATIENCE, async || count().await >= goal).await;
        under_way.push(Theirs::begin(&workspace, kill).await);
        sleep(Duration::from_millis(rand::rng().random_range(50..400))).await;
        services.swap_remove(rand::rng().random_range(0..instances)).kill();
        seen.push(count().await);
        let mut left = broken_off(&workspace).await;
        services.push(workspace.serve().await);
        eventually("what was broken off is finished or gone", A_MINUTE, async || {
            let broken = broken_off(&workspace).await;
            left.retain(|id| broken.contains(id));
            left.is_empty()
        })
        .await;
    }
    println!("uploads when killed: {seen:?}");
    let operation = services[0].wait_for_state("done").await["operation"].clone();
    let expected = json!({ "messages": FILES, "total": FILES, "completed": FILES, "error": 0 });
    assert_eq!(operation["count"], expected, "{operation}");
    assert_eq!(count().await, FILES as u64);
    for number in 0..FILES {
        let upload = workspace.upload_of(&format!("m{number:03}")).await;
        let stored = workspace.bytes_of(upload.get_str("_id").unwrap()).await;
        assert!(stored == content(number), "{number}: {} bytes", stored.len());
    }
    let id = operation["_id"].as_str().unwrap();
    let receipt = services[0].get_as_admin(&format!("/api/v1/import.receipt?operationId={id}")).await.json();
    assert_eq!(receipt["total"], FILES, "{receipt}");
    eventually("no bytes are left that belong to nothing", A_MINUTE, async || orphans(&workspace).await.is_empty())
        .await;
    assert_eq!(broken_off(&workspace).await, [] as [Bson; 0]);
    let theirs = workspace.collection("rocketchat_uploads.chunks").count_documents(doc! { "files_id": "theirs" }).await;
    assert_eq!(theirs.unwrap(), 1, "an upload of Rocket.Chat's is not ours to clean");
    for theirs in under_way {
        let id = theirs.id.clone();
        theirs.finish(&workspace).await;
        assert_eq!(workspace.bytes_of(&id).await, vec![7; Theirs::CHUNKS * 261_120], "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_stores_every_file_once_and_leaves_nothing_behind() {
    killed(KILLS, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_of_which_one_dies_again_and_again_store_every_file_once() {
    killed(KILLS, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn killed_ten_times_two_instances_store_every_file_once_and_leave_nothing_behind() {
    killed(10, 2).await;
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
