//! The stores in which Rocket.Chat keeps files.

mod database;
mod door;
mod every_kind;
mod google;
mod outage;
mod s3;
mod webdav;

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::metrics::numbers;

/// Names a Python that has moto and boto3, or `WsgiDAV`.
const PYTHON_VARIABLE: &str = "STORES_PYTHON";

/// Five files that every store has to do with: a small one, a large one whose length nothing tells, an empty one, one that
/// breaks off, and a picture.
struct FiveFiles {
    whole: [(&'static str, Vec<u8>); 3],
}

impl FiveFiles {
    /// Objects in the store afterwards: the whole ones, the picture, and its smaller copy; nothing of the one that broke off.
    const STORED: usize = 3 + 2;

    /// Files that messages of the workspace wait for.
    async fn waiting_in(workspace: &Workspace, server: &FileServer) -> Self {
        let whole = [("small.pdf", noise(9_000, 1)), ("large.mp4", noise(12_000_001, 2)), ("empty.txt", Vec::new())];
        let mut messages = Vec::new();
        for (name, bytes) in &whole {
            let reply = match *name {
                "large.mp4" => Reply::Chunked("video/mp4", bytes.clone()),
                _ => Reply::File("text/plain", bytes.clone()),
            };
            messages.push(waiting(name, "open", &server.put(&format!("/{name}"), reply), name, 0));
        }
        let half = server.put("/half", Reply::Half(noise(14_000_000, 3)));
        messages.push(waiting("half", "open", &half, "half.bin", 14_000_000));
        let photo = server.put("/photo", Reply::File("image/jpeg", picture(900, 600, ImageFormat::Jpeg)));
        messages.push(waiting("photo", "open", &photo, "photo.jpg", 0));
        workspace.add_messages(messages).await;
        Self { whole }
    }

    /// Has them fetched into a store, and returns the uploads of the whole ones with their bytes.
    async fn fetched(self, workspace: &Workspace, service: &Service, store: &str) -> Vec<(Document, Vec<u8>)> {
        let operation = service.fetch_files(5).await;
        assert_eq!(operation["count"]["completed"], 4, "{operation}");
        assert!(workspace.message_of("photo").await.to_string().contains("image_preview"));
        let verified = service.verified(operation["_id"].as_str().unwrap()).await;
        assert_eq!(verified.last().unwrap()["summary"]["differences"], 0, "{verified:?}");
        let mut uploads = Vec::new();
        for (name, bytes) in self.whole {
            let upload = workspace.upload_of(name).await;
            assert_eq!(upload.get_str("store").unwrap(), format!("{store}:Uploads"));
            uploads.push((upload, bytes));
        }
        uploads
    }
}

/// Fails unless the newest operation's file of this upload, and no other, is found to have been changed in its store.
async fn assert_found_changed(service: &Service, upload: &Document) {
    let lines = service.verified("").await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["difference"], "changedFile", "{lines:?}");
    for (field, name) in [("upload", "_id"), ("name", "name"), ("record", "name")] {
        assert_eq!(lines[0][field], upload.get_str(name).unwrap(), "{lines:?}");
    }
}

/// The key of the object of an upload, which has to be as Rocket.Chat makes them.
fn object_key(upload: &Document, field: &str) -> String {
    let key = upload.get_document(field).unwrap().get_str("path").unwrap();
    assert_eq!(key, format!("unique/uploads/open/ann/{}", upload.get_str("_id").unwrap()));
    key.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_keeps_files_in_a_folder_gets_them_there() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("FileUpload_Storage_Type", "FileSystem").await;
    workspace.set("FileUpload_FileSystemPath", "/app/uploads").await;
    let content = noise(3_000_000, 9);
    let photo = picture(900, 600, ImageFormat::Jpeg);
    let messages = [("a.bin", content.clone()), ("b.jpg", photo.clone()), ("half.bin", content.clone())];
    let messages = messages.into_iter().map(|(name, bytes)| {
        let size = bytes.len();
        let reply =
            if name == "half.bin" { Reply::Half(bytes) } else { Reply::File("application/octet-stream", bytes) };
        let url = server.put(&format!("/{name}"), reply);
        waiting(name, "open", &url, name, size)
    });
    workspace.add_messages(messages.collect()).await;

    // Without the setting there is a sentence, and nothing is lost.
    let service = workspace.serve().await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    let failed = service.wait_for_state("error").await;
    assert!(failed["operation"]["import"]["problem"].as_str().unwrap().contains("FILE_STORE_FOLDER"), "{failed}");
    assert!(workspace.message_of("a.bin").await.get_bool("_hidden").unwrap());
    drop(service);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FILE_STORE_FOLDER", path)]).await;
    let operation = service.fetch_files(3).await;
    assert_eq!(operation["count"]["completed"], 2, "{operation}");
    for (name, bytes) in [("a.bin", &content), ("b.jpg", &photo)] {
        let upload = workspace.upload_of(name).await;
        assert_eq!(upload.get_str("store").unwrap(), "FileSystem:Uploads");
        let file = folder.path().join(upload.get_str("_id").unwrap());
        assert!(fs::read(&file).unwrap() == *bytes, "{name}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    }
    let attachment = workspace.message_of("b.jpg").await;
    let attachment = attachment.get_array("attachments").unwrap()[0].as_document().unwrap().clone();
    assert_eq!(attachment.get_document("image_dimensions").unwrap(), &doc! { "width": 480, "height": 320 });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "two files and a smaller copy");
    assert_eq!(workspace.count_of("rocketchat_uploads.chunks").await, 0);

    // What is stored is read back.
    let id = operation["_id"].as_str().unwrap();
    assert_eq!(service.verified(id).await.last().unwrap()["summary"]["differences"], 0);
    let file = folder.path().join(workspace.upload_of("a.bin").await.get_str("_id").unwrap());
    fs::write(&file, &content[..1000]).unwrap();
    fs::remove_file(folder.path().join(workspace.upload_of("b.jpg").await.get_str("_id").unwrap())).unwrap();
    let lines = service.verified(id).await;
    assert_eq!(lines.last().unwrap()["summary"]["differences"], 2, "{lines:?}");
    let stored = |expected: usize| lines.iter().find(|line| line["expected"] == expected).unwrap()["stored"].clone();
    assert_eq!((stored(content.len()), stored(photo.len())), (json!(1000), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_waited_for() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("FileUpload_Storage_Type", "FileSystem").await;
    let url = server.put("/a", Reply::File("text/plain", b"content".to_vec()));
    workspace.add_messages(vec![waiting("m", "open", &url, "a.txt", 7)]).await;
    let folder = tempfile::tempdir().unwrap();
    // Something that is no folder stands in its place.
    let path = folder.path().join("files");
    fs::write(&path, "in the way").unwrap();
    let settings =
        [("MONGO_URL", workspace.url.as_str()), ("FILE_STORE_FOLDER", path.to_str().unwrap()), ("METRICS_PORT", "0")];
    let service = Service::start(&settings).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    eventually("it pauses", PATIENCE, async || numbers(&service).await.number("engine_fetches_paused") > 0.5).await;
    service.logged("The folder of files (FILE_STORE_FOLDER) cannot be used").await;
    assert_eq!(service.status().await.json()["state"], "importing");
    fs::remove_file(&path).unwrap();
    service.wait_for_state("done").await;
    let numbers = numbers(&service).await;
    for (name, number) in [
        ("engine_fetches_paused", 0.0),
        ("engine_files_fetched_total", 1.0),
        ("engine_files_left_as_they_were_total", 0.0),
        ("engine_files_not_fetched_total", 0.0),
        ("engine_fetches_repeated_total", 0.0),
    ] {
        assert!((numbers.number(name) - number).abs() < f64::EPSILON, "{name}: {}", numbers.text);
    }
    let upload = workspace.upload_of("m").await;
    assert_eq!(fs::read(path.join(upload.get_str("_id").unwrap())).unwrap(), b"content");
}
