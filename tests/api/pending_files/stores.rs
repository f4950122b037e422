//! The stores in which Rocket.Chat keeps files.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

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
    let settings = [("MONGO_URL", workspace.url.as_str()), ("FILE_STORE_FOLDER", path.to_str().unwrap())];
    let service = Service::start(&settings).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    service.logged("The folder of files (FILE_STORE_FOLDER) cannot be used").await;
    assert_eq!(service.status().await.json()["state"], "importing");
    fs::remove_file(&path).unwrap();
    service.wait_for_state("done").await;
    let upload = workspace.upload_of("m").await;
    assert_eq!(fs::read(path.join(upload.get_str("_id").unwrap())).unwrap(), b"content");
}
