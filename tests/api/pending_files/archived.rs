//! Files that lie in the archive of the import beside the messages, and come from no server.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

/// Where a program that adds files to an export puts one, and the address that it leaves in the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `__uploads/<id>/<name>`; the address stays.
    Uploads,
    /// `plans/attachments/<id>-<name>`; the address is a path.
    Attachments,
}

struct HeldFile {
    name: String,
    content: Vec<u8>,
    layout: Layout,
}

fn held(name: &str, content: Vec<u8>, layout: Layout) -> HeldFile {
    HeldFile { name: name.to_owned(), content, layout }
}

/// A Slack export whose only room has a message for each file. Files without content in `left_out` are not in the archive.
fn export(files: &[HeldFile], web: &str, left_out: &[usize]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let ann = json!({ "id": "U1", "name": "ann", "profile": { "email": "ann@corp.example" } });
    let room = json!({ "id": "C1", "name": "plans", "created": 1_500_000_000, "creator": "U1", "members": ["U1"] });
    let message = |(number, file): (usize, &HeldFile)| {
        let address = match file.layout {
            Layout::Uploads => format!("{web}/F{number}/{}", file.name),
            Layout::Attachments => format!("attachments/F{number}-{}", file.name),
        };
        json!({
            "type": "message", "user": "U1", "ts": format!("{}.000100", 1_600_000_000 + number), "text": "",
            "files": [{ "id": format!("F{number}"), "name": file.name, "mode": "hosted", "size": file.content.len(),
                "url_private_download": address }],
        })
    };
    let messages: Vec<Value> = files.iter().enumerate().map(message).collect();
    let mut add = |name: &str, content: &[u8], method| {
        zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    };
    let deflated = CompressionMethod::Deflated;
    add("export/users.json", json!([ann]).to_string().as_bytes(), deflated);
    add("export/channels.json", json!([room]).to_string().as_bytes(), deflated);
    add("export/plans/2020-09-13.json", json!(messages).to_string().as_bytes(), deflated);
    for (number, file) in files.iter().enumerate().filter(|(number, _)| !left_out.contains(number)) {
        let name = match file.layout {
            Layout::Uploads => format!("export/__uploads/F{number}/{}", file.name),
            Layout::Attachments => format!("export/plans/attachments/F{number}-{}", file.name),
        };
        let method = if number % 2 == 0 { CompressionMethod::Stored } else { deflated };
        add(&name, &file.content, method);
    }
    zip.finish().unwrap().into_inner()
}

pub(super) fn message_id(number: usize) -> String {
    format!("slack-C1-{}-000100-file1", 1_600_000_000 + number)
}

/// Begins the import of the archive and returns once its messages are there.
pub(super) async fn import(service: &Service, archive: &[u8]) -> String {
    let upload = json!({
        "binaryContent": BASE64_STANDARD.encode(archive), "contentType": "application/zip",
        "fileName": "export.zip", "importerKey": "slack",
    });
    assert_eq!(service.post("/api/v1/uploadImportFile", &upload).await.status, 200);
    let ready = service.wait_for_state("ready").await;
    let operation = ready["operation"]["_id"].as_str().unwrap().to_owned();
    let body = json!({ "input": { "users": { "all": true }, "channels": { "all": true } } });
    let started = service.post("/api/v1/startImport", &body).await;
    assert_eq!(started.status, 200, "{}", started.body);
    eventually("the import is done", PATIENCE, async || {
        let status = service.get_as_admin(&format!("/api/v1/import.status?operationId={operation}")).await.json();
        status["state"] == "done"
    })
    .await;
    operation
}

/// Waits until the operation that fetches what the import left is done, and returns it.
async fn fetched(workspace: &Workspace, import: &str) -> Document {
    fetched_within(PATIENCE, workspace, import).await
}

/// The same with another patience.
pub(super) async fn fetched_within(patience: Duration, workspace: &Workspace, import: &str) -> Document {
    let operations = workspace.collection("rocketchat_import");
    let done = doc! { "import.follows": import, "importerKey": "pending-files", "status": "importer_done" };
    eventually("the files are there", patience, async || operations.find_one(done.clone()).await.unwrap().is_some())
        .await;
    operations.find_one(done).await.unwrap().unwrap()
}

const FILES: &str = "rocketchat_import_service_files.files";
const FILE_CHUNKS: &str = "rocketchat_import_service_files.chunks";

#[tokio::test(flavor = "multi_thread")]
async fn files_beside_the_messages_are_taken_from_the_archive_which_goes_afterwards() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let files = [
        held("photo.jpg", picture(800, 600, ImageFormat::Jpeg), Layout::Uploads),
        held("film.mp4", noise(3_000_000, 2), Layout::Attachments),
        held("a-b ä.pdf", [b"%PDF-1.7".to_vec(), noise(300_000, 3)].concat(), Layout::Attachments),
        held("empty.txt", Vec::new(), Layout::Uploads),
        held("trap.pdf", b"<!DOCTYPE html><html>Sign in</html>".to_vec(), Layout::Uploads),
        held("left out.pdf", noise(10, 1), Layout::Attachments),
        held("elsewhere.bin", noise(500, 1), Layout::Uploads),
    ];
    server.put("/F6/elsewhere.bin", Reply::File("application/octet-stream", noise(500, 1)));
    let archive = export(&files, &format!("http://127.0.0.1:{}", server.port), &[5, 6]);
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FETCH_AFTER_IMPORT", "true")]).await;
    let import = import(&service, &archive).await;
    assert_eq!(workspace.count_of(FILES).await, 1, "files wait to be taken from it");
    let operation = fetched(&workspace, &import).await;
    let count = operation.get_document("count").unwrap();
    assert_eq!((count.get_i32("completed").unwrap(), count.get_i32("error").unwrap()), (5, 2), "{operation}");
    for number in [0, 1, 2, 3, 6] {
        let upload = workspace.upload_of(&message_id(number)).await;
        let stored = workspace.bytes_of(upload.get_str("_id").unwrap()).await;
        assert!(stored == files[number].content, "{}: {} bytes", files[number].name, stored.len());
    }
    assert!(workspace.upload_of(&message_id(0)).await.get_str("type").unwrap() == "image/jpeg");
    for (number, file) in files.iter().enumerate().take(5) {
        assert_eq!(server.requests(&format!("/F{number}/{}", file.name)), 0);
    }
    assert_eq!(server.requests("/F6/elsewhere.bin"), 1, "what the archive does not hold comes from its address");
    let id = operation.get_str("_id").unwrap();
    let receipt = service.get_as_admin(&format!("/api/v1/import.receipt?operationId={id}")).await.json();
    let reasons: Vec<&str> =
        receipt["records"].as_array().unwrap().iter().filter_map(|record| record["reason"].as_str()).collect();
    assert_eq!(reasons.len(), 2, "{receipt}");
    assert!(reasons.iter().any(|reason| reason.starts_with("trap.pdf: the archive of the import holds a page")));
    assert!(reasons.iter().any(|reason| reason.starts_with("left out.pdf: it lies in the archive of its import")));
    eventually("the archive goes", PATIENCE, async || {
        workspace.count_of(FILES).await + workspace.count_of(FILE_CHUNKS).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_its_way_every_file_of_the_archive_is_stored_once() {
    const COUNT: usize = 40;
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let files: Vec<HeldFile> = (0..COUNT)
        .map(|number| {
            let layout = if number % 3 == 0 { Layout::Attachments } else { Layout::Uploads };
            held(&format!("{number}.bin"), noise(500_000 + number, u8::try_from(number).unwrap()), layout)
        })
        .collect();
    let archive = export(&files, "https://files.example", &[]);
    let settings = [("MONGO_URL", workspace.url.as_str()), ("FETCH_AFTER_IMPORT", "true"), ("DOWNLOADS_AT_ONCE", "2")];
    let mut service = Service::start(&settings).await;
    let import = import(&service, &archive).await;
    let mut seen = Vec::new();
    for kill in 1..4_u64 {
        let goal = kill * COUNT as u64 / 5;
        eventually("it gets on", PATIENCE, async || workspace.count_of(UPLOADS).await >= goal).await;
        service.kill();
        seen.push(workspace.count_of(UPLOADS).await);
        assert_eq!(workspace.count_of(FILES).await, 1);
        service = Service::start(&settings).await;
    }
    println!("uploads when killed: {seen:?}");
    let operation = fetched(&workspace, &import).await;
    let count = operation.get_document("count").unwrap();
    assert_eq!((count.get_i32("completed").unwrap(), count.get_i32("error").unwrap()), (40, 0), "{operation}");
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    let own = operation.get_document("import").unwrap();
    let number = |name: &str| usize::try_from(own.get_i32(name).unwrap()).unwrap();
    assert_eq!((number("bytes"), number("bytesTotal")), (bytes, bytes), "bytes count on after a kill");
    assert_eq!(workspace.count_of(UPLOADS).await, COUNT as u64);
    assert_eq!(workspace.count_of("rocketchat_uploads.files").await, COUNT as u64);
    for (number, file) in files.iter().enumerate() {
        let message = workspace.message_of(&message_id(number)).await;
        assert_eq!(message.get_array("attachments").unwrap().len(), 1);
        let upload = workspace.upload_of(&message_id(number)).await;
        assert!(workspace.bytes_of(upload.get_str("_id").unwrap()).await == file.content, "{}", file.name);
    }
    eventually("the archive goes", PATIENCE, async || {
        workspace.count_of(FILES).await + workspace.count_of(FILE_CHUNKS).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_archive_is_gone_fails_with_a_sentence() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let folder = std::env::temp_dir().join(format!("rocketchat-import-archived-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files = [held("plan.pdf", noise(5000, 3), Layout::Attachments)];
    std::fs::write(folder.join("export.zip"), export(&files, "", &[])).unwrap();
    let service = Service::start(&[
        ("MONGO_URL", &workspace.url),
        ("FETCH_AFTER_IMPORT", "false"),
        ("IMPORT_FOLDER", folder.to_str().unwrap()),
    ])
    .await;
    let answer = service
        .post("/api/v1/downloadPublicImportFile", &json!({ "fileUrl": "export.zip", "importerKey": "slack" }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    service.wait_for_state("ready").await;
    let body = json!({ "input": { "users": { "all": true }, "channels": { "all": true } } });
    assert_eq!(service.post("/api/v1/startImport", &body).await.status, 200);
    service.wait_for_state("done").await;
    std::fs::rename(folder.join("export.zip"), folder.join("away.zip")).unwrap();
    let operation = service.fetch_files(1).await;
    assert_eq!(operation["count"]["error"], 1, "{operation}");
    let id = operation["_id"].as_str().unwrap();
    let receipt = service.get_as_admin(&format!("/api/v1/import.receipt?operationId={id}")).await.json();
    let reason = receipt["records"][0]["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        "plan.pdf: it lies in the archive of its import, which is not there any more; import the archive once more."
    );
    assert!(workspace.message_of(&message_id(0)).await.to_string().contains("not there any more"));
    // It is back.
    std::fs::rename(folder.join("away.zip"), folder.join("export.zip")).unwrap();
    service.fetch_files(1).await;
    let upload = workspace.upload_of(&message_id(0)).await;
    assert!(workspace.bytes_of(upload.get_str("_id").unwrap()).await == files[0].content);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_follows_the_files_of_an_import_to_their_end() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let mut files: Vec<HeldFile> =
        (0..8).map(|number| held(&format!("{number}.bin"), noise(1_000_000, number), Layout::Uploads)).collect();
    files.push(held("gone.bin", noise(10, 1), Layout::Attachments));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.zip");
    std::fs::write(&path, export(&files, "https://files.example", &[8])).unwrap();
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FETCH_AFTER_IMPORT", "true")]).await;
    let settings = [
        ("ROCKETCHAT_URL", service.address.as_str()),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
        ("RUST_LOG", "info"),
    ];
    let finished = run(&["import", path.to_str().unwrap(), "--run"], &settings).await;
    assert_eq!(finished.code, Some(1), "a file is missing: {finished:?}");
    assert!(finished.errors.contains("failed: 1 file: gone.bin: it lies in the archive of its import"), "{finished:?}");
    assert!(finished.errors.ends_with("1 files or pictures failed\n"), "{finished:?}");
    assert!(finished.errors.contains("8 files fetched (7.63 MiB), 1 failed"), "{finished:?}");
    assert_eq!(workspace.count_of(UPLOADS).await, 8, "the command ends when they are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_stays_until_a_call_has_fetched_its_files() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let files = [
        held("plan.pdf", noise(300_000, 1), Layout::Attachments),
        held("film.mp4", noise(700_000, 2), Layout::Uploads),
    ];
    let archive = export(&files, "https://files.example", &[]);
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FETCH_AFTER_IMPORT", "false")]).await;
    let import = import(&service, &archive).await;
    let status = async || service.get_as_admin(&format!("/api/v1/import.status?operationId={import}")).await.json();
    eventually("it is said how long it stays", PATIENCE, async || {
        status().await["operation"]["import"]["archiveUntil"].is_string()
    })
    .await;
    // Several looks for files that nobody needs.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(workspace.count_of(FILES).await, 1);
    service.fetch_files(2).await;
    for (number, file) in files.iter().enumerate() {
        let upload = workspace.upload_of(&message_id(number)).await;
        assert!(workspace.bytes_of(upload.get_str("_id").unwrap()).await == file.content, "{}", file.name);
    }
    eventually("the archive goes", PATIENCE, async || {
        workspace.count_of(FILES).await + workspace.count_of(FILE_CHUNKS).await == 0
    })
    .await;
    eventually("nothing is said of it", PATIENCE, async || {
        status().await["operation"]["import"]["archiveUntil"].is_null()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_nobody_fetches_from_goes_after_its_days_or_with_the_next_import() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let archive = |name| export(&[held(name, noise(300_000, 1), Layout::Attachments)], "https://files.example", &[]);
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("FETCH_AFTER_IMPORT", "false")]).await;
    let first = import(&service, &archive("first.pdf")).await;
    let second = import(&service, &archive("second.pdf")).await;
    eventually("the first one goes", PATIENCE, async || workspace.count_of(FILES).await == 1).await;
    let left: Document = workspace.collection(FILES).find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(left.get_object_id("_id").unwrap().to_hex(), second);
    assert_ne!(first, second);
    drop(service);
    let settings = [("MONGO_URL", workspace.url.as_str()), ("FETCH_AFTER_IMPORT", "false"), ("FILE_DAYS", "0")];
    let _service = Service::start(&settings).await;
    eventually("its days have passed", PATIENCE, async || workspace.count_of(FILES).await == 0).await;
}
