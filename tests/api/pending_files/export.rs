//! A whole export: from the upload of the archive to files that another language's driver reads back.

use std::io::Write as _;

use zip::{ZipWriter, write::SimpleFileOptions};

use super::{
    archived::{fetched_within, import, message_id},
    read_back::{StoredFile, assert_read_by, sha256},
    *,
};

/// Kinds of files and of servers. Each number of a file stands for one of them.
const KINDS: usize = 16;
/// A file so large that it is never in memory as a whole.
const LARGE_BYTES: usize = 200 * 1024 * 1024;

/// How long a file may take on an average, beside the others.
const PER_FILE: Duration = Duration::from_millis(500);

/// What becomes of a file.
enum Fate {
    Stored(Vec<u8>),
    /// It fails with a reason that holds this.
    Named(&'static str),
}

struct SharedFile {
    name: String,
    size: usize,
    reply: Reply,
    /// Where its address leads instead of to its own path.
    by_way_of: Option<&'static str>,
    fate: Fate,
}

fn file(name: String, content: Vec<u8>, reply: Reply) -> SharedFile {
    SharedFile { name, size: content.len(), reply, by_way_of: None, fate: Fate::Stored(content) }
}

fn failing(name: String, size: usize, reply: Reply, reason: &'static str) -> SharedFile {
    SharedFile { name, size, reply, by_way_of: None, fate: Fate::Named(reason) }
}

/// The JPEG with a note in its head that the camera was held on its side.
fn on_its_side(jpeg: &[u8]) -> Vec<u8> {
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", tiff, &jpeg[2..]].concat()
}

/// The file with this number. Contents differ, and sizes lie on both sides of the size of a chunk.
fn shared_file(number: usize) -> SharedFile {
    let seed = u8::try_from(number % 251).unwrap();
    let head = format!("{number:08}").into_bytes();
    let bytes = |magic: &[u8], length: usize| [magic, &head, &noise(length + number, seed)].concat();
    let name = |ending: &str| format!("file {number}.{ending}");
    let page = || b"<!DOCTYPE html><html><body>Sign in to Slack</body></html>".to_vec();
    match number % KINDS {
        0 => {
            let width = 120 + u32::from(seed % 100);
            let photo = on_its_side(&picture(width, 90, ImageFormat::Jpeg));
            file(name("jpg"), photo.clone(), Reply::File("image/jpeg", photo))
        }
        1 => {
            let icon = picture(40 + u32::from(seed), 30, ImageFormat::Png);
            file(name("png"), icon.clone(), Reply::Chunked("application/octet-stream", icon))
        }
        2 => {
            let song = bytes(b"ID3", 70_000);
            file(name("mp3"), song.clone(), Reply::File("audio/mpeg", song))
        }
        3 => {
            let film = bytes(b"\0\0\0\x18ftypmp42", 700_000);
            file(name("mp4"), film.clone(), Reply::Chunked("video/mp4", film))
        }
        4 => {
            let report = bytes(b"%PDF-1.7", 261_120 - 200);
            file(name("pdf"), report.clone(), Reply::File("application/pdf", report))
        }
        5 => {
            let archive = bytes(b"PK\x03\x04", 90_000);
            file(name("zip"), archive.clone(), Reply::File("", archive))
        }
        6 => failing(name("bin"), 5000, Reply::File("text/html; charset=utf-8", page()), "a page in place of the file"),
        7 => file(name("txt"), Vec::new(), Reply::File("text/plain", Vec::new())),
        8 => {
            let text = bytes(b"", 20_000);
            let stored = file(name("csv"), text.clone(), Reply::File("text/csv", text));
            SharedFile { by_way_of: Some("/by-way-of"), ..stored }
        }
        9 => {
            let slow = bytes(b"", 60_000);
            file(name("log"), slow.clone(), Reply::Slow(slow, Duration::from_millis(60)))
        }
        10 => failing(name("half"), 50_000, Reply::Half(bytes(b"", 50_000)), "broke before the file was whole"),
        11 => failing(name("gone"), 4000, Reply::Status(404), "answered with status 404"),
        12 => {
            let late = bytes(b"", 3000);
            let times = usize::from(number % (KINDS * 4) == 12);
            file(name("busy"), late.clone(), Reply::BusyFor(times, late))
        }
        13 => {
            let mended = bytes(b"", 30_000);
            file(name("torn"), mended.clone(), Reply::HalfFor(1, mended))
        }
        14 => {
            let trap = failing(name("docx"), 9000, Reply::File("text/html", page()), "a page in place of the file");
            SharedFile { by_way_of: Some("/sign-in"), ..trap }
        }
        _ if number == KINDS - 1 => failing(name("down"), 9000, Reply::Status(503), "answered with status 503"),
        _ => {
            let table = bytes(b"", 1000);
            file(name("dat"), table.clone(), Reply::File("application/octet-stream", table))
        }
    }
}

fn large_file() -> SharedFile {
    let content = noise(LARGE_BYTES, 9);
    file("large.bin".to_owned(), content.clone(), Reply::File("application/octet-stream", content))
}

/// A Slack export whose only room has a message for each file, served by `server`.
fn export(server: &FileServer, files: &[SharedFile]) -> Vec<u8> {
    let ann = json!({ "id": "U1", "name": "ann", "profile": { "email": "ann@corp.example" } });
    let room = json!({ "id": "C1", "name": "plans", "created": 1_500_000_000, "creator": "U1", "members": ["U1"] });
    let message = |(number, file): (usize, &SharedFile)| {
        let path = format!("/files/{number}");
        let url = server.put(&path, file.reply.clone());
        let url = match file.by_way_of {
            None => url,
            Some(way) => server.put(&format!("{way}/{number}"), Reply::To(url)),
        };
        json!({
            "type": "message", "user": "U1", "ts": format!("{}.000100", 1_600_000_000 + number), "text": "",
            "files": [{ "id": format!("F{number}"), "name": file.name, "mode": "hosted", "size": file.size,
                "url_private_download": url }],
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

/// The outcome and the reason of each record of the operation, by message.
async fn outcomes(service: &Service, operation: &str) -> std::collections::BTreeMap<String, (String, String)> {
    let mut found = std::collections::BTreeMap::new();
    loop {
        let query = format!("operationId={operation}&count=100&offset={}", found.len());
        let page = service.get_as_admin(&format!("/api/v1/import.receipt?{query}")).await.json();
        let records = page["records"].as_array().unwrap();
        if records.is_empty() {
            return found;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        found.extend(
            records.iter().map(|record| (text(&record["_id"]), (text(&record["outcome"]), text(&record["reason"])))),
        );
    }
}

/// Fetches the files of an export with these settings of the service, and fails unless each is stored, or named with its
/// reason, and reading them back finds no difference. Returns the stored ones.
async fn fetch(
    workspace: &Workspace,
    server: &FileServer,
    files: Vec<SharedFile>,
    settings: &[(&str, &str)],
) -> Vec<StoredFile> {
    let patience = PATIENCE + PER_FILE * u32::try_from(files.len()).unwrap();
    let archive = export(server, &files);
    let always = [("MONGO_URL", workspace.url.as_str()), ("FETCH_AFTER_IMPORT", "true")];
    let service = Service::start(&[&always, settings].concat()).await;
    let imported = import(&service, &archive).await;
    let operation = fetched_within(patience, workspace, &imported).await;
    let id = operation.get_str("_id").unwrap();
    let found = outcomes(&service, id).await;
    assert_eq!(found.len(), files.len(), "each file has an outcome");
    let mut stored = Vec::new();
    let mut failed = 0;
    for (number, file) in files.into_iter().enumerate() {
        let id = message_id(number);
        let (outcome, reason) = &found[&id];
        match file.fate {
            Fate::Named(expected) => {
                failed += 1;
                assert!(outcome == "failed" && reason.starts_with(&file.name), "{}: {outcome} {reason}", file.name);
                assert!(reason.contains(expected), "{}: {reason}", file.name);
                let message = workspace.message_of(&id).await;
                assert!(!message.contains_key("file") && message.to_string().contains(expected), "{message}");
            }
            Fate::Stored(content) => {
                assert_eq!(outcome, "created", "{}: {reason}", file.name);
                let upload = workspace.upload_of(&id).await;
                let message = workspace.message_of(&id).await;
                assert!(!message.contains_key("_hidden") && !message.to_string().contains(TOKEN), "{message}");
                if number % KINDS == 0 {
                    let attachment = message.get_array("attachments").unwrap()[0].as_document().unwrap();
                    let shown = attachment.get_document("image_dimensions").unwrap();
                    assert_eq!(shown.get_i32("width").unwrap(), 90, "it stands upright: {shown}");
                }
                stored.push(StoredFile { upload, content });
            }
        }
    }
    let count = operation.get_document("count").unwrap();
    let counted = |name: &str| usize::try_from(count.get_i32(name).unwrap()).unwrap();
    assert_eq!((counted("completed"), counted("error")), (stored.len(), failed), "{count}");
    assert_eq!(service.verified(id).await.last().unwrap()["summary"]["differences"], 0);
    assert_eq!(service.log_lines(TOKEN), [""; 0]);
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_export_of_200_files_every_one_is_stored_or_named() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let stored = fetch(&workspace, &server, (0..200).map(shared_file).collect(), &[]).await;
    assert!(stored.len() > 140, "{}", stored.len());
    for file in &stored {
        let bytes = workspace.bytes_of(file.id()).await;
        assert!(sha256(&bytes) == sha256(&file.content), "{}: {} bytes", file.upload, bytes.len());
    }
}

/// Fetches files of every kind, and one that is large, into the store of the workspace. Fails unless each is stored or
/// named. Returns the stored ones.
pub(super) async fn every_kind(
    workspace: &Workspace,
    server: &FileServer,
    settings: &[(&str, &str)],
) -> Vec<StoredFile> {
    workspace.set("FileUpload_MaxFileSize", -1).await;
    let mut files: Vec<SharedFile> = (0..2 * KINDS).map(shared_file).collect();
    files[KINDS * 2 - 1] = large_file();
    let stored = fetch(workspace, server, files, settings).await;
    assert_eq!(stored.iter().map(|file| file.content.len()).max(), Some(LARGE_BYTES));
    stored
}

/// Reads the uploads whose ids are its input with the driver of another language. It prints the hash of each as a whole and
/// of the ranges that [`ranges_of`] names.
const READER: &str = "
import sys, hashlib, gridfs, pymongo
files = gridfs.GridFS(pymongo.MongoClient(sys.argv[1]).get_default_database(), 'rocketchat_uploads')
for line in sys.stdin:
    identifier, *ranges = line.split()
    found = files.get(identifier)
    whole = hashlib.sha256()
    while piece := found.read(1 << 20):
        whole.update(piece)
    hashes = [whole.hexdigest()]
    for one in ranges:
        first, length = map(int, one.split('+'))
        found.seek(first)
        hashes.append(hashlib.sha256(found.read(length)).hexdigest())
    print(identifier, found.length, *hashes)
";

/// Fails unless the driver of another language reads the same bytes.
fn read_back(workspace: &Workspace, stored: &[StoredFile]) {
    let python = std::env::var(FETCHING_PYTHON).expect("FETCHING_PYTHON names a Python with dnslib and pymongo");
    assert_read_by(&python, READER, &[&workspace.url], stored, |file| file.id().to_owned());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with pymongo: FETCHING_PYTHON names it"]
async fn another_driver_reads_the_same_bytes_also_as_ranges() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let stored = fetch(&workspace, &server, (0..60).map(shared_file).collect(), &[]).await;
    read_back(&workspace, &stored);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and wants a Python with pymongo: FETCHING_PYTHON names it"]
async fn of_an_export_of_2000_files_every_one_is_stored_or_named() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("FileUpload_MaxFileSize", -1).await;
    let mut files: Vec<SharedFile> = (0..2000).map(shared_file).collect();
    files[KINDS * 2 - 1] = large_file();
    files[KINDS * 3 - 1] =
        failing("stalls.bin".to_owned(), 90_000, Reply::Stalls(noise(90_000, 5)), "the server stopped sending");
    let stored = fetch(&workspace, &server, files, &[]).await;
    read_back(&workspace, &stored);
}
