//! Files and pictures that somebody has changed in their store, found by reading them back.

use bson::{Binary, spec::BinarySubtype};

use super::*;

const OWN: &str = "rocketchat_import_service_uploads";
const CHUNK_BYTES: usize = 261_120;

impl Workspace {
    /// Changes one byte of a chunk. Its length stays.
    async fn change_chunk(&self, bucket: &str, upload: &str, number: i32) {
        let chunks = self.collection(&format!("{bucket}.chunks"));
        let chunk = doc! { "files_id": upload, "n": number };
        let found: Document = chunks.find_one(chunk.clone()).await.unwrap().unwrap();
        let mut bytes = found.get_binary_generic("data").unwrap().clone();
        *bytes.last_mut().unwrap() ^= 1;
        let data = Binary { subtype: BinarySubtype::Generic, bytes };
        chunks.update_one(chunk, doc! { "$set": { "data": data } }).await.unwrap();
    }
}

/// What `verify` of the command line prints and ends with.
async fn verify(service: &Service, operation: &str) -> Finished {
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    run(&["verify", operation], &settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_a_chunk_was_changed_in_place_is_found_and_named() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let film = noise(2 * CHUNK_BYTES + 1000, 1);
    for (id, name, content) in [("m1", "film.mp4", film.clone()), ("m2", "plan.pdf", noise(300_000, 2))] {
        let size = content.len();
        let url = server.put(&format!("/{name}"), Reply::Chunked("application/octet-stream", content));
        workspace.add_messages(vec![waiting(id, "open", &url, name, size)]).await;
    }
    let service = workspace.serve().await;
    let operation = service.fetch_files(2).await["_id"].as_str().unwrap().to_owned();
    let upload = workspace.upload_of("m1").await.get_str("_id").unwrap().to_owned();
    assert_eq!(verify(&service, &operation).await.code, Some(0));

    workspace.change_chunk(UPLOADS, &upload, 1).await;
    let lines = service.verified(&operation).await;
    let hash = |bytes: &[u8]| rocketchat_import::domain::stable_hash::hex(&Sha256::digest(bytes));
    let changed = workspace.bytes_of(&upload).await;
    let expected = json!({
        "difference": "changedFile", "upload": upload, "dataType": "file", "name": "film.mp4", "record": "m1",
        "importIds": ["Ffilm.mp4"], "expectedSha256": hash(&film), "storedSha256": hash(&changed),
    });
    assert_eq!((lines.len(), &lines[0]), (2, &expected), "{lines:?}");
    let printed = verify(&service, &operation).await;
    assert_eq!(printed.code, Some(1), "{printed:?}");
    let sentence =
        format!("changed: the file film.mp4 of message m1 (upload {upload}) holds other bytes than were stored\n");
    assert!(printed.output.starts_with(&sentence), "{printed:?}");
    assert!(printed.errors.ends_with("1 difference from the receipt\n"), "{printed:?}");

    // A release before recorded no hash: the length is all that can be compared.
    workspace.update(OWN, &upload, doc! { "$unset": { "sha256": "" } }).await;
    assert_eq!(service.verified(&operation).await.last().unwrap()["summary"]["differences"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_a_folder_that_was_changed_in_place_is_found_and_named() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("FileUpload_Storage_Type", "FileSystem").await;
    let mut content = noise(2_500_000, 4);
    let url = server.put("/a", Reply::File("application/octet-stream", content.clone()));
    workspace.add_messages(vec![waiting("m", "open", &url, "a.bin", content.len())]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = [("MONGO_URL", workspace.url.as_str()), ("FILE_STORE_FOLDER", folder.path().to_str().unwrap())];
    let service = Service::start(&settings).await;
    let operation = service.fetch_files(1).await["_id"].as_str().unwrap().to_owned();
    assert_eq!(verify(&service, &operation).await.code, Some(0));
    let upload = workspace.upload_of("m").await.get_str("_id").unwrap().to_owned();
    content[1_700_000] ^= 1;
    std::fs::write(folder.path().join(&upload), &content).unwrap();
    let printed = verify(&service, &operation).await;
    assert_eq!(printed.code, Some(1), "{printed:?}");
    let sentence =
        format!("changed: the file a.bin of message m (upload {upload}) holds other bytes than were stored\n");
    assert!(printed.output.starts_with(&sentence), "{printed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_person_that_was_changed_in_place_is_found_and_named() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let url = server.put("/ann", Reply::File("image/png", picture(300, 400, ImageFormat::Png)));
    workspace.add_user(user("ann").with("_pendingAvatarUrl", url.as_str())).await;
    let service = workspace.serve().await;
    assert_eq!(service.post("/api/v1/downloadPendingAvatars", &json!({})).await.status, 200);
    let done = service.wait_for_state("done").await;
    let operation = done["operation"]["_id"].as_str().unwrap();
    assert_eq!(verify(&service, operation).await.code, Some(0));
    let avatars = workspace.collection("rocketchat_avatars");
    let avatar: Document = avatars.find_one(doc! { "userId": "ann" }).await.unwrap().unwrap();
    let upload = avatar.get_str("_id").unwrap();
    workspace.change_chunk("rocketchat_avatars", upload, 0).await;
    let printed = verify(&service, operation).await;
    assert_eq!(printed.code, Some(1), "{printed:?}");
    let sentence = format!("changed: the picture of ann (upload {upload}) holds other bytes than were stored\n");
    assert!(printed.output.starts_with(&sentence), "{printed:?}");
}
