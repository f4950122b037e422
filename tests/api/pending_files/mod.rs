//! The files of imported messages, fetched from a real server into Rocket.Chat's own stores.

mod addresses;
mod archived;
mod changed;
mod export;
mod failures;
mod following;
mod kills;
mod read_back;
pub mod server;
mod stores;

use std::{io::Cursor, time::Duration};

use bson::{Bson, DateTime, Document, doc};
use futures::{AsyncReadExt as _, TryStreamExt as _};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use mongodb::options::GridFsBucketOptions;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::*;
use server::{FileServer, Reply};

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "s3cret";
/// Names a Python with dnslib and pymongo.
const FETCHING_PYTHON: &str = "FETCHING_PYTHON";
const MESSAGES: &str = "rocketchat_message";
const UPLOADS: &str = "rocketchat_uploads";
const DOWNLOAD: &str = "/api/v1/downloadPendingFiles";

/// A workspace with a public and a private room, whose settings allow the server.
async fn workspace_for(server: &FileServer) -> Workspace {
    prepared(workspace().await.ready_for_imports().await, server).await
}

async fn prepared(workspace: Workspace, server: &FileServer) -> Workspace {
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    workspace.set("Site_Url", "https://chat.example").await;
    let rooms =
        [doc! { "_id": "open", "t": "c", "name": "open" }, doc! { "_id": "secret", "t": "p", "name": "secret" }];
    workspace.collection("rocketchat_room").insert_many(rooms).await.unwrap();
    workspace
}

/// A message that waits for a file, as an import leaves it.
fn waiting(id: &str, room: &str, url: &str, name: &str, size: usize) -> Document {
    doc! {
        "_id": id, "rid": room, "u": { "_id": "ann", "username": "ann" }, "msg": "",
        "ts": DateTime::from_millis(1_600_000_000_000), "_hidden": true,
        "_importFile": {
            "downloadUrl": url, "id": format!("F{name}"), "size": i32::try_from(size).unwrap(), "name": name,
            "external": false, "source": "slack",
            "original": { "id": format!("F{name}"), "url_private_download": url, "thumb_80": url },
        },
        "_updatedAt": DateTime::now(),
    }
}

impl Workspace {
    async fn add_messages(&self, messages: Vec<Document>) {
        self.collection(MESSAGES).insert_many(messages).await.unwrap();
    }

    async fn message_of(&self, id: &str) -> Document {
        self.collection(MESSAGES).find_one(doc! { "_id": id }).await.unwrap().unwrap()
    }

    /// The upload that a message shows.
    async fn upload_of(&self, id: &str) -> Document {
        let message = self.message_of(id).await;
        let upload = message.get_document("file").unwrap().get_str("_id").unwrap().to_owned();
        self.collection(UPLOADS).find_one(doc! { "_id": upload }).await.unwrap().unwrap()
    }

    async fn count_of(&self, collection: &str) -> u64 {
        self.collection(collection).count_documents(doc! {}).await.unwrap()
    }

    /// The bytes of a file as the driver's own reader of `GridFS` finds them.
    async fn bytes_of(&self, id: &str) -> Vec<u8> {
        let options = GridFsBucketOptions::builder().bucket_name(UPLOADS.to_owned()).build();
        let bucket = self.database.gridfs_bucket(options);
        let mut stream = bucket.open_download_stream(Bson::String(id.to_owned())).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    }
}

impl Service {
    /// Begins to fetch, waits for the end, and returns the operation.
    async fn fetch_files(&self, expected: u64) -> Value {
        let answer = self.post(DOWNLOAD, &json!({})).await;
        assert_eq!(answer.told(), (200, format!(r#"{{"count":{expected},"success":true}}"#).as_str()));
        self.wait_for_state("done").await["operation"].clone()
    }

    /// The lines of `import.verify` on an operation.
    async fn verified(&self, operation: &str) -> Vec<Value> {
        let answer = self.get_as_admin(&format!("/api/v1/import.verify?operationId={operation}")).await;
        answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn noise(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251 + usize::from(seed)) % 251).unwrap()).collect()
}

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let colour = |x: u32, y: u32| Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 90]);
    let mut bytes = Cursor::new(Vec::new());
    let image = DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, colour));
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_is_stored_as_rocket_chat_reads_it_and_shown_in_its_message() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let files: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("photo.jpg", "image/jpeg", picture(1200, 800, ImageFormat::Jpeg), "image_url"),
        ("icon.png", "application/octet-stream", picture(64, 48, ImageFormat::Png), "image_url"),
        ("song.mp3", "audio/mpeg; charset=x", [b"ID3".to_vec(), noise(70_000, 1)].concat(), "audio_url"),
        ("film.mp4", "video/mp4", noise(900_000, 2), "video_url"),
        ("report.pdf", "application/pdf", [b"%PDF-1.7".to_vec(), noise(300_000, 3)].concat(), "size"),
        ("all ä.zip", "application/zip", [b"PK\x03\x04".to_vec(), noise(261_120 * 2 - 4, 4)].concat(), "size"),
        ("empty.txt", "text/plain", Vec::new(), "size"),
        ("page.html", "text/html", b"<!DOCTYPE html><html></html>".to_vec(), "size"),
    ];
    let mut messages = Vec::new();
    for (number, (name, kind, bytes, _)) in files.iter().enumerate() {
        let path = format!("/{number}");
        let url = if number % 2 == 0 {
            server.put(&path, Reply::File(kind, bytes.clone()))
        } else {
            server.put(&path, Reply::Chunked(kind, bytes.clone()));
            server.put(&format!("/to{number}"), Reply::To(format!("{path}?t=xoxe-{TOKEN}")))
        };
        messages.push(waiting(&format!("m{number}"), "open", &url, name, bytes.len()));
    }
    workspace.add_messages(messages).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("RUST_LOG", "debug,mongodb=info")]).await;
    workspace.record_commands().await;
    let total = files.len() as u64;
    let operation = service.fetch_files(total).await;
    assert_eq!(
        (operation["type"].as_str(), operation["importerKey"].as_str()),
        (Some("Pending Files"), Some("pending-files"))
    );
    let count = json!({ "messages": total, "total": total, "completed": total, "error": 0 });
    assert_eq!(operation["count"], count, "{operation}");

    for (number, (name, kind, bytes, field)) in files.iter().enumerate() {
        let message = workspace.message_of(&format!("m{number}")).await;
        assert!(!message.contains_key("_hidden"), "{name}: {message}");
        assert!(!message.to_string().contains(TOKEN), "{name}: {message}");
        let attachments = message.get_array("attachments").unwrap();
        assert_eq!(attachments.len(), 1, "{name}");
        let attachment = attachments[0].as_document().unwrap();
        assert!(attachment.contains_key(field), "{name}: {attachment}");
        let upload = workspace.upload_of(&format!("m{number}")).await;
        let id = upload.get_str("_id").unwrap();
        let expected = if *name == "icon.png" { "image/png" } else { kind.split(';').next().unwrap() };
        assert_eq!(upload.get_str("type").unwrap(), expected, "{name}");
        assert_eq!(upload.get_str("store").unwrap(), "GridFS:Uploads");
        assert_eq!(upload.get_str("rid").unwrap(), "open");
        assert_eq!(upload.get_str("userId").unwrap(), "ann");
        assert_eq!(upload.get_str("name").unwrap(), *name);
        assert_eq!(upload.get_datetime("uploadedAt").unwrap().timestamp_millis(), 1_600_000_000_000);
        assert_eq!(upload.get_i32("size").unwrap(), i32::try_from(bytes.len()).unwrap(), "{name}");
        let link = message.get_document("_importFile").unwrap().get_str("rocketChatUrl").unwrap();
        assert!(link.starts_with(&format!("/file-upload/{id}/")), "{link}");
        assert_eq!(attachment.get_str("title_link").unwrap(), link);
        let stored = workspace.bytes_of(id).await;
        assert_eq!(Sha256::digest(&stored), Sha256::digest(bytes), "{name}: {} bytes", stored.len());
    }
    let photo = workspace.message_of("m0").await;
    let attachment = photo.get_array("attachments").unwrap()[0].as_document().unwrap();
    assert_eq!(attachment.get_document("image_dimensions").unwrap(), &doc! { "width": 480, "height": 320 });
    assert!(!attachment.get_str("image_preview").unwrap().is_empty());
    let thumbnail = attachment.get_str("image_url").unwrap().split('/').nth(2).unwrap().to_owned();
    let thumbnail = image::load_from_memory(&workspace.bytes_of(&thumbnail).await).unwrap();
    assert_eq!((thumbnail.width(), thumbnail.height()), (480, 320));
    assert_eq!(workspace.count_of(UPLOADS).await, total + 1, "one smaller copy");

    let id = operation["_id"].as_str().unwrap();
    let receipt = service.get_as_admin(&format!("/api/v1/import.receipt?operationId={id}")).await.json();
    assert_eq!(receipt["total"], total, "{receipt}");
    assert!(receipt["records"].as_array().unwrap().iter().all(|record| record["outcome"] == "created"), "{receipt}");
    assert_eq!(receipt["records"][0]["dataType"], "file");
    let verified = async || service.verified(id).await;
    assert_eq!(verified().await.last().unwrap()["summary"]["differences"], 0);
    workspace.assert_indexed(&["receipts", "run_leases", "worklists"]).await;
    let film = workspace.upload_of("m3").await.get_str("_id").unwrap().to_owned();
    let chunks = workspace.collection("rocketchat_uploads.chunks");
    chunks.delete_one(doc! { "files_id": &film, "n": 1 }).await.unwrap();
    let report = workspace.upload_of("m4").await.get_str("_id").unwrap().to_owned();
    workspace.collection(UPLOADS).delete_one(doc! { "_id": &report }).await.unwrap();
    let lines = verified().await;
    assert_eq!(lines.last().unwrap()["summary"]["differences"], 2, "{lines:?}");
    let line = |upload: &str| lines.iter().find(|line| line["upload"] == upload).unwrap();
    assert_eq!((&line(&film)["expected"], &line(&film)["stored"]), (&json!(900_000), &json!(900_000 - 261_120)));
    assert!(line(&report)["expected"].is_null() && line(&report)["difference"] == "missingFile");
    assert_eq!(service.log_lines(TOKEN), [""; 0]);
    assert_eq!(workspace.count_of("rocketchat_import_service_worklists").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_several_messages_is_stored_once_and_a_second_run_changes_nothing() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let url = server.put("/shared", Reply::File("application/pdf", noise(400_000, 5)));
    let message =
        |id: &str, room: &str, token: &str| waiting(id, room, &format!("{url}{token}"), "shared.pdf", 400_000);
    workspace
        .add_messages(vec![message("m1", "secret", "1"), message("m2", "open", "2"), message("m3", "open", "3")])
        .await;
    let service = workspace.serve().await;
    service.fetch_files(3).await;
    assert_eq!((server.requests("/shared"), workspace.count_of(UPLOADS).await), (1, 1));
    let upload = workspace.upload_of("m1").await;
    assert_eq!(upload.get_str("rid").unwrap(), "open", "everybody who sees a message may open its file");
    for id in ["m2", "m3"] {
        assert_eq!(workspace.upload_of(id).await, upload);
    }

    // A further import of the same file.
    workspace.add_messages(vec![message("m4", "secret", "4")]).await;
    service.fetch_files(1).await;
    assert_eq!((server.requests("/shared"), workspace.count_of(UPLOADS).await), (1, 1));
    assert_eq!(workspace.upload_of("m4").await, upload);
    let all = async || -> Vec<Document> {
        workspace.collection(MESSAGES).find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
    };
    let before = all().await;
    service.fetch_files(0).await;
    assert_eq!(all().await, before);
    assert_eq!(workspace.count_of("rocketchat_import").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_clears_nothing_and_waits_until_an_import_is_over() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let service = workspace.serve().await;
    let refused = service.post(DOWNLOAD, &json!({ "all": true })).await;
    assert_eq!((refused.status.as_u16(), refused.json()["errorType"].as_str()), (400, Some("invalid-params")));
    let staged = service.stage(&staged_users(0..2)).await;
    let refused = service.post(DOWNLOAD, &json!({})).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (reqwest::StatusCode::BAD_REQUEST, Some("The current import operation is not finished."))
    );
    // One of the two users fails, and stays staged.
    workspace.add_user(user("taken").with("username", "user1")).await;
    service.run_import().await;
    service.wait_for_state("done").await;
    assert_eq!(workspace.operation_named(&staged).await.get_document("count").unwrap().get_i32("error").unwrap(), 1);
    workspace.left_staged(1).await;
    let url = server.put("/a", Reply::File("text/plain", b"a".to_vec()));
    workspace.add_messages(vec![waiting("m1", "open", &url, "a.txt", 1)]).await;
    service.fetch_files(1).await;
    assert_eq!(workspace.count_staged().await, 1);
    assert!(workspace.operation_named(&staged).await.get_bool("valid").unwrap());
    // What failed before is still told, and can be gone on with.
    let errors = service.get_as_admin("/api/v1/import.errors").await;
    assert!(errors.body.contains("id1"), "{}", errors.body);
    workspace.update("users", "taken", doc! { "$set": { "username": "other" } }).await;
    let resumed = service.post("/api/v1/import.resume", &json!({})).await;
    assert_eq!(resumed.json()["operation"]["count"]["users"], 1, "{}", resumed.body);
}
