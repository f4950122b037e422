//! Files and pictures that follow the import of a file by themselves.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

/// A Slack export with one person, who has a picture, and one file.
fn export(file: &str, portrait: &str) -> Vec<u8> {
    export_of(&[file.to_owned()], portrait)
}

/// The same with so many files, of a message each.
fn export_of(files: &[String], portrait: &str) -> Vec<u8> {
    let ann = json!({ "id": "U1", "name": "ann", "profile": { "email": "ann@corp.example", "image_512": portrait } });
    let room = json!({ "id": "C1", "name": "plans", "created": 1_500_000_000, "creator": "U1", "members": ["U1"] });
    let message = |(number, file): (usize, &String)| {
        json!({
            "type": "message", "user": "U1", "ts": format!("{}.000100", 1_600_000_000 + number), "text": "see the plan",
            "files": [{ "id": format!("F{}", number + 1), "name": "plan.pdf", "mode": "hosted", "size": 5000,
                "url_private_download": file }],
        })
    };
    let messages: Vec<Value> = files.iter().enumerate().map(message).collect();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in
        [("users.json", json!([ann])), ("channels.json", json!([room])), ("plans/2020-09-13.json", json!(messages))]
    {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.to_string().as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

async fn imported(server: &FileServer, settings: &[(&str, &str)], more: Value) -> (Workspace, Service, String) {
    let workspace = workspace_for(server).await;
    let content = [b"%PDF-1.7".to_vec(), noise(4992, 3)].concat();
    let file = server.put("/plan.pdf", Reply::File("application/pdf", content));
    let portrait = server.put("/ann.png", Reply::File("image/png", picture(64, 64, ImageFormat::Png)));
    let mut all = vec![("MONGO_URL", workspace.url.as_str())];
    all.extend_from_slice(settings);
    let service = Service::start(&all).await;
    let upload = json!({
        "binaryContent": BASE64_STANDARD.encode(export(&file, &portrait)), "contentType": "application/zip",
        "fileName": "export.zip", "importerKey": "slack",
    });
    assert_eq!(service.post("/api/v1/uploadImportFile", &upload).await.status, 200);
    let ready = service.wait_for_state("ready").await;
    let operation = ready["operation"]["_id"].as_str().unwrap().to_owned();
    let mut body = json!({ "input": { "users": { "all": true }, "channels": { "all": true } } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let started = service.post("/api/v1/startImport", &body).await;
    assert_eq!(started.status, 200, "{}", started.body);
    service.wait_for_state("done").await;
    (workspace, service, operation)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_pictures_follow_an_import_by_themselves() {
    let server = FileServer::start().await;
    let (workspace, service, import) = imported(&server, &[("FETCH_AFTER_IMPORT", "")], json!({})).await;
    let id = "slack-C1-1600000000-000100-file1";
    eventually("the file is there", PATIENCE, async || workspace.message_of(id).await.contains_key("file")).await;
    assert!(!workspace.message_of(id).await.contains_key("_hidden"));
    eventually("the picture is there", PATIENCE, async || workspace.count_of("rocketchat_avatars").await == 1).await;
    let status = service.get_as_admin(&format!("/api/v1/import.status?operationId={import}")).await.json();
    assert_eq!((status["state"].as_str(), status["operation"]["importerKey"].as_str()), (Some("done"), Some("slack")));
    let newest = service.wait_for_state("done").await["operation"].clone();
    assert_eq!(
        (newest["importerKey"].as_str(), newest["import"]["follows"].as_str()),
        (Some("pending-files"), Some(import.as_str()))
    );
    assert_eq!(workspace.count_of("rocketchat_import").await, 3, "each is made once");
    let missing = service.get_as_admin("/api/v1/import.status?operationId=none").await;
    assert_eq!(missing.json()["errorType"], "error-operation-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_of_rocket_chat_fetching_goes_on_by_itself() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let messages = (0..12).map(|number| {
        let url = server.put(&format!("/{number}"), Reply::Slow(noise(900_000, 1), Duration::from_millis(25)));
        waiting(&format!("m{number}"), "open", &url, &format!("{number}.bin"), 900_000)
    });
    workspace.add_messages(messages.collect()).await;
    let settings = [("MONGO_URL", workspace.url.as_str()), ("DOWNLOADS_AT_ONCE", "2")];
    let service = Service::start(&settings).await;
    let first = service.post(DOWNLOAD, &json!({})).await;
    assert_eq!(first.json()["count"], 12);
    let first = service.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned();
    eventually("a file is there", PATIENCE, async || workspace.count_of(UPLOADS).await > 1).await;
    let ended = doc! { "$set": { "valid": false } };
    workspace.collection("rocketchat_import").update_many(doc! {}, ended).await.unwrap();
    eventually("all files are there", PATIENCE, async || workspace.count_of(UPLOADS).await == 12).await;
    let operation = service.wait_for_state("done").await["operation"].clone();
    assert_eq!(operation["import"]["resumes"], first, "{operation}");
    assert_eq!(operation["count"]["error"], 0);
    assert_eq!(workspace.operation_named(&first).await.get_str("status").unwrap(), "importer_importing_files");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_an_import_that_says_so() {
    let server = FileServer::start().await;
    let settings = [("FETCH_AFTER_IMPORT", "true")];
    let (workspace, service, _) = imported(&server, &settings, json!({ "fetchFiles": false })).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((server.requests("/plan.pdf"), workspace.count_of("rocketchat_import").await), (0, 1));
    service.fetch_files(1).await;
    assert_eq!(server.requests("/plan.pdf"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_follows_the_files_and_then_the_pictures() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let file = server.put("/plan.pdf", Reply::Slow(noise(900_000, 3), Duration::from_millis(50)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.zip");
    std::fs::write(&path, export(&file, &server.url("/missing"))).unwrap();
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FETCH_AFTER_IMPORT", "true")]).await;
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
    ];
    let finished = run(&["import", path.to_str().unwrap(), "--run", "--json"], &settings).await;
    assert_eq!(finished.code, Some(1), "a picture is missing: {finished:?}");
    assert!(finished.errors.contains("1 files fetched"), "{finished:?}");
    assert!(finished.errors.contains("ann: the server answered with status 404."), "{finished:?}");
    assert!(finished.errors.contains("0 pictures fetched"), "{finished:?}");
    assert!(finished.errors.ends_with("1 files or pictures failed\n"), "{finished:?}");
    let summary: Value = serde_json::from_str(&finished.output).unwrap();
    assert_eq!((&summary["files"]["fetched"], &summary["pictures"]["failed"]), (&json!(1), &json!(1)), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_export_brings_an_address_that_still_holds() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FETCH_AFTER_IMPORT", "false")]).await;
    let content = |seed: u8| [b"%PDF-1.7".to_vec(), noise(4992, seed)].concat();
    let there = server.put("/there.pdf", Reply::File("application/pdf", content(1)));
    let expired = server.put("/expired.pdf", Reply::Status(403));
    let address = |url: &str, token: &str| url.replace("xoxe-s3cret", token);
    let files = |token: &str| [address(&there, token), address(&expired, token)];
    let id = |number: usize| archived::message_id(number);
    archived::import(&service, &export_of(&files("xoxe-first"), "")).await;
    let operation = service.fetch_files(2).await;
    assert_eq!(operation["count"]["error"], 1, "{operation}");
    let stored = workspace.message_of(&id(0)).await;

    // The export of a later day has the same messages with other tokens.
    archived::import(&service, &export_of(&files("xoxe-second"), "")).await;
    let waiting = workspace.message_of(&id(1)).await;
    assert!(waiting.to_string().contains("xoxe-second") && !waiting.to_string().contains("xoxe-first"), "{waiting}");
    assert_eq!(workspace.message_of(&id(0)).await, stored, "a file that is there stays");
    server.put("/expired.pdf", Reply::File("application/pdf", content(2)));
    service.fetch_files(1).await;
    let upload = workspace.upload_of(&id(1)).await;
    assert!(workspace.bytes_of(upload.get_str("_id").unwrap()).await == content(2));
    assert_eq!(server.requests("/there.pdf"), 1);
    let shown = workspace.message_of(&id(1)).await;
    assert_eq!(shown.get_array("attachments").unwrap().len(), 1, "the note is gone: {shown}");
    assert!(!shown.to_string().contains("xoxe"), "{shown}");
}
