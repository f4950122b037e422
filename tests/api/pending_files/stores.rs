//! The stores in which Rocket.Chat keeps files.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
};

use super::*;

/// How long a store is away.
const AWAY_FOR: Duration = Duration::from_secs(30);
/// Names a Python that has moto and boto3, or `WsgiDAV`.
const PYTHON_VARIABLE: &str = "STORES_PYTHON";

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

/// Reads every object of the bucket with Amazon's own client, and prints key, length, type and SHA-256.
const READER: &str = "
import sys, hashlib, boto3
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-north-1', aws_access_key_id='key', aws_secret_access_key='secret')
for entry in s3.list_objects_v2(Bucket='files').get('Contents', []):
    found = s3.get_object(Bucket='files', Key=entry['Key'])
    body = found['Body'].read()
    print(entry['Key'], len(body), found['ContentType'], hashlib.sha256(body).hexdigest())
print('unfinished', len(s3.list_multipart_uploads(Bucket='files').get('Uploads', [])))
";
const MAKER: &str = "
import sys, boto3
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-north-1', aws_access_key_id='key', aws_secret_access_key='secret')
s3.create_bucket(Bucket='files', CreateBucketConfiguration={'LocationConstraint': 'eu-north-1'})
";

/// A store that speaks S3.
struct Moto {
    process: Child,
    python: String,
    url: String,
}

impl Moto {
    async fn start() -> Self {
        let python = std::env::var(PYTHON_VARIABLE).expect("STORES_PYTHON names a Python with moto and boto3");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(&python)
            .args(["-m", "moto.server", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { process, python, url: format!("http://127.0.0.1:{port}") };
        eventually("the store answers", PATIENCE, async || reqwest::get(&moto.url).await.is_ok()).await;
        moto.run(MAKER);
        moto
    }

    fn run(&self, program: &str) -> String {
        let ended = Command::new(&self.python).args(["-c", program, &self.url]).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with moto[server,s3]: STORES_PYTHON names it"]
async fn a_workspace_that_keeps_files_in_a_bucket_gets_them_there() {
    let moto = Moto::start().await;
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    for (setting, value) in [
        ("FileUpload_Storage_Type", "AmazonS3"),
        ("FileUpload_S3_Bucket", "files"),
        ("FileUpload_S3_AWSAccessKeyId", "key"),
        ("FileUpload_S3_AWSSecretAccessKey", "secret"),
        ("FileUpload_S3_Region", "eu-north-1"),
        ("FileUpload_S3_BucketURL", &moto.url),
        ("FileUpload_S3_Acl", "private"),
        ("uniqueID", "unique"),
    ] {
        workspace.set(setting, value).await;
    }
    workspace.set("FileUpload_S3_ForcePathStyle", true).await;
    let files = [("small.pdf", noise(9_000, 1)), ("large.mp4", noise(12_000_001, 2)), ("empty.txt", Vec::new())];
    let mut messages: Vec<Document> = files
        .iter()
        .map(|(name, bytes)| {
            let kind = if *name == "large.mp4" { "video/mp4" } else { "text/plain" };
            let url = server.put(&format!("/{name}"), Reply::File(kind, bytes.clone()));
            waiting(name, "open", &url, name, bytes.len())
        })
        .collect();
    let half = server.put("/half", Reply::Half(noise(14_000_000, 3)));
    messages.push(waiting("half", "open", &half, "half.bin", 14_000_000));
    let photo = server.put("/photo", Reply::File("image/jpeg", picture(900, 600, ImageFormat::Jpeg)));
    messages.push(waiting("photo", "open", &photo, "photo.jpg", 0));
    workspace.add_messages(messages).await;
    let service = workspace.serve().await;
    let operation = service.fetch_files(5).await;
    assert_eq!(operation["count"]["completed"], 4, "{operation}");
    let found = moto.run(READER);
    for (name, bytes) in &files {
        let upload = workspace.upload_of(name).await;
        assert_eq!(upload.get_str("store").unwrap(), "AmazonS3:Uploads");
        let key = upload.get_document("AmazonS3").unwrap().get_str("path").unwrap();
        assert_eq!(key, format!("unique/uploads/open/ann/{}", upload.get_str("_id").unwrap()));
        let kind = upload.get_str("type").unwrap();
        let hash = rocketchat_import::domain::stable_hash::hex(&Sha256::digest(bytes));
        let line = format!("{key} {} {kind} {hash}", bytes.len());
        assert!(found.lines().any(|found| found == line), "{line} is not among {found}");
    }
    assert_eq!(found.lines().count(), 3 + 2 + 1, "three files, a picture, its smaller copy: {found}");
    assert!(found.ends_with("unfinished 0\n"), "{found}");
    assert!(workspace.message_of("photo").await.to_string().contains("image_preview"));
}

/// A server that speaks `WebDAV` over a folder.
struct Dav {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Dav {
    const PROGRAM: &str = "
import sys, logging
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp
users = {'*': {'ann': {'password': 's3cret dav'}}}
app = WsgiDAVApp({'provider_mapping': {'/dav files': sys.argv[2]}, 'simple_dc': {'user_mapping': users}, 'http_authenticator': {'accept_digest': False, 'default_to_digest': False}, 'logging': {'enable': False}})
wsgi.Server(('127.0.0.1', int(sys.argv[1])), app).start()
";

    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dav = Self { process: Self::process(port, &folder), port, folder };
        dav.answers().await;
        dav
    }

    fn process(port: u16, folder: &tempfile::TempDir) -> Child {
        let python = std::env::var(PYTHON_VARIABLE).expect("STORES_PYTHON names a Python with WsgiDAV");
        let mut command = Command::new(python);
        command.args(["-c", Self::PROGRAM, &port.to_string()]).arg(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    async fn answers(&self) {
        let url = format!("http://127.0.0.1:{}", self.port);
        eventually("the store answers", PATIENCE, async || reqwest::get(&url).await.is_ok()).await;
    }

    fn stop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }

    async fn start_again(&mut self) {
        self.process = Self::process(self.port, &self.folder);
        self.answers().await;
    }

    async fn workspace(&self, server: &FileServer) -> Workspace {
        let workspace = workspace_for(server).await;
        for (setting, value) in [
            ("FileUpload_Storage_Type", "Webdav"),
            ("FileUpload_Webdav_Server_URL", &format!("http://127.0.0.1:{}/dav files", self.port)),
            ("FileUpload_Webdav_Upload_Folder_Path", "/chat/files of ours"),
            ("FileUpload_Webdav_Username", "ann"),
            ("FileUpload_Webdav_Password", "s3cret dav"),
        ] {
            workspace.set(setting, value).await;
        }
        workspace
    }

    /// The bytes of a file as a plain client finds them, all or a range of them.
    async fn bytes_of(&self, upload: &Document, range: Option<&str>) -> Vec<u8> {
        let path = upload.get_document("Webdav").unwrap().get_str("path").unwrap();
        assert_eq!(path, format!("/chat/files of ours/{}", upload.get_str("_id").unwrap()));
        let url = format!("http://127.0.0.1:{}/dav files{path}", self.port);
        let mut request = reqwest::Client::new().get(url).basic_auth("ann", Some("s3cret dav"));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path().join("chat/files of ours")).map_or(0, Iterator::count)
    }
}

impl Drop for Dav {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with WsgiDAV and cheroot: STORES_PYTHON names it"]
async fn a_workspace_that_keeps_files_on_a_webdav_server_gets_them_there() {
    let dav = Dav::start().await;
    let server = FileServer::start().await;
    let workspace = dav.workspace(&server).await;
    let files = [("small.pdf", noise(9_000, 1)), ("large.bin", noise(12_000_001, 2)), ("empty.txt", Vec::new())];
    let mut messages = Vec::new();
    for (name, bytes) in &files {
        let kind = "application/octet-stream";
        // Nothing says how long the large one is.
        let reply = if *name == "large.bin" { Reply::Chunked } else { Reply::File };
        let url = server.put(&format!("/{name}"), reply(kind, bytes.clone()));
        messages.push(waiting(name, "open", &url, name, 0));
    }
    let half = server.put("/half", Reply::Half(noise(14_000_000, 3)));
    messages.push(waiting("half", "open", &half, "half.bin", 14_000_000));
    let photo = server.put("/photo", Reply::File("image/jpeg", picture(900, 600, ImageFormat::Jpeg)));
    messages.push(waiting("photo", "open", &photo, "photo.jpg", 0));
    workspace.add_messages(messages).await;
    let service = workspace.serve().await;
    let operation = service.fetch_files(5).await;
    assert_eq!(operation["count"]["completed"], 4, "{operation}");
    for (name, bytes) in &files {
        let upload = workspace.upload_of(name).await;
        assert_eq!(upload.get_str("store").unwrap(), "Webdav:Uploads");
        assert!(dav.bytes_of(&upload, None).await == *bytes, "{name}");
    }
    let large = workspace.upload_of("large.bin").await;
    assert!(dav.bytes_of(&large, Some("bytes=7000000-7999999")).await == files[1].1[7_000_000..8_000_000]);
    assert_eq!(dav.files(), 3 + 2, "three files, a picture, its smaller copy; nothing of the half one");
    assert!(workspace.message_of("photo").await.to_string().contains("image_preview"));

    // A picture of a person.
    let url = server.put("/ann", Reply::File("image/png", picture(300, 400, ImageFormat::Png)));
    workspace.add_user(user("ann").with("_pendingAvatarUrl", url.as_str())).await;
    assert_eq!(service.post("/api/v1/downloadPendingAvatars", &json!({})).await.status, 200);
    service.wait_for_state("done").await;
    let avatars = workspace.collection("rocketchat_avatars");
    let avatar: Document = avatars.find_one(doc! { "userId": "ann" }).await.unwrap().unwrap();
    assert_eq!(avatar.get_str("store").unwrap(), "Webdav:Avatars");
    let avatar = image::load_from_memory(&dav.bytes_of(&avatar, None).await).unwrap();
    assert_eq!((avatar.width(), avatar.height()), (200, 200));
    assert_eq!(service.log_lines("s3cret"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with WsgiDAV and cheroot: STORES_PYTHON names it"]
async fn a_webdav_server_that_is_away_for_a_while_costs_no_file() {
    let mut dav = Dav::start().await;
    let server = FileServer::start().await;
    let workspace = dav.workspace(&server).await;
    let content = noise(6_000_000, 7);
    let names: Vec<String> = (0..12).map(|number| format!("f{number}.bin")).collect();
    let messages = names.iter().map(|name| {
        let reply = Reply::Slow(content.clone(), Duration::from_millis(5));
        waiting(name, "open", &server.put(&format!("/{name}"), reply), name, content.len())
    });
    workspace.add_messages(messages.collect()).await;
    let settings = [("MONGO_URL", workspace.url.as_str()), ("DOWNLOADS_AT_ONCE", "4")];
    let service = Service::start(&settings).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    eventually("a file is stored", PATIENCE, async || workspace.count_of(UPLOADS).await > 0).await;
    dav.stop();
    service.logged("The store Webdav").await;
    tokio::time::sleep(AWAY_FOR).await;
    assert_eq!(service.status().await.json()["state"], "importing");
    dav.start_again().await;
    let done = service.wait_for_state("done").await;
    assert_eq!(done["operation"]["count"]["completed"], 12, "{done}");
    assert_eq!(workspace.count_of(UPLOADS).await, 12);
    assert_eq!(dav.files(), 12);
    for name in &names {
        assert!(dav.bytes_of(&workspace.upload_of(name).await, None).await == content, "{name}");
    }
}
