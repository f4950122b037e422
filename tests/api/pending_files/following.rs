//! Files and pictures that follow the import of a file by themselves.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

/// A Slack export with one person, who has a picture, and one file.
fn export(file: &str, portrait: &str) -> Vec<u8> {
    let ann = json!({ "id": "U1", "name": "ann", "profile": { "email": "ann@corp.example", "image_512": portrait } });
    let room = json!({ "id": "C1", "name": "plans", "created": 1_500_000_000, "creator": "U1", "members": ["U1"] });
    let message = json!({
        "type": "message", "user": "U1", "ts": "1600000000.000100", "text": "see the plan",
        "files": [{ "id": "F1", "name": "plan.pdf", "mode": "hosted", "size": 5000, "url_private_download": file }],
    });
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in
        [("users.json", json!([ann])), ("channels.json", json!([room])), ("plans/2020-09-13.json", json!([message]))]
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
