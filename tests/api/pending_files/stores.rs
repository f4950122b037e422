//! The stores in which Rocket.Chat keeps files.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
};

use super::*;

/// Names a Python that has moto and boto3.
const PYTHON_VARIABLE: &str = "MOTO_PYTHON";

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
        let python = std::env::var(PYTHON_VARIABLE).expect("MOTO_PYTHON names a Python with moto and boto3");
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
#[ignore = "wants a Python with moto[server,s3]: MOTO_PYTHON names it"]
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
