//! A bucket of a server that speaks S3.

use std::process::{Child, Command, Stdio};

use super::{door::Door, outage::Outage, *};

/// Amazon's own client, with which the programs after it read and write.
pub(super) const CLIENT: &str = "
import sys, hashlib, boto3
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-north-1', aws_access_key_id='key', aws_secret_access_key='secret')
";
/// Reads every object of the bucket, and prints key, length, type and SHA-256.
const READER: &str = "
for entry in s3.list_objects_v2(Bucket='files').get('Contents', []):
    found = s3.get_object(Bucket='files', Key=entry['Key'])
    body = found['Body'].read()
    print(entry['Key'], len(body), found['ContentType'], hashlib.sha256(body).hexdigest())
print('unfinished', len(s3.list_multipart_uploads(Bucket='files').get('Uploads', [])))
";
const MAKER: &str = "
s3.create_bucket(Bucket='files', CreateBucketConfiguration={'LocationConstraint': 'eu-north-1'})
";
/// Changes a byte of an object. Its length stays.
const CHANGER: &str = "
def change(key):
    body = bytearray(s3.get_object(Bucket='files', Key=key)['Body'].read())
    body[7] ^= 1
    s3.put_object(Bucket='files', Key=key, Body=bytes(body))
";

/// A store that speaks S3.
pub(super) struct Moto {
    process: Child,
    pub(super) python: String,
    port: u16,
    pub(super) url: String,
}

impl Moto {
    pub(super) async fn start() -> Self {
        let python = std::env::var(PYTHON_VARIABLE).expect("STORES_PYTHON names a Python with moto and boto3");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(&python)
            .args(["-m", "moto.server", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { process, python, port, url: format!("http://127.0.0.1:{port}") };
        eventually("the store answers", PATIENCE, async || reqwest::get(&moto.url).await.is_ok()).await;
        moto.run(MAKER);
        moto
    }

    fn run(&self, program: &str) -> String {
        let program = format!("{CLIENT}{program}");
        let ended = Command::new(&self.python).args(["-c", &program, &self.url]).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    }
}

/// A workspace that keeps files in the bucket behind this address.
pub(super) async fn workspace_of(server: &FileServer, url: &str) -> Workspace {
    let workspace = workspace_for(server).await;
    for (setting, value) in [
        ("FileUpload_Storage_Type", "AmazonS3"),
        ("FileUpload_S3_Bucket", "files"),
        ("FileUpload_S3_AWSAccessKeyId", "key"),
        ("FileUpload_S3_AWSSecretAccessKey", "secret"),
        ("FileUpload_S3_Region", "eu-north-1"),
        ("FileUpload_S3_BucketURL", url),
        ("FileUpload_S3_Acl", "private"),
        ("uniqueID", "unique"),
    ] {
        workspace.set(setting, value).await;
    }
    workspace.set("FileUpload_S3_ForcePathStyle", true).await;
    workspace
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
    let workspace = workspace_of(&server, &moto.url).await;
    let files = FiveFiles::waiting_in(&workspace, &server).await;
    let service = workspace.serve().await;
    let uploads = files.fetched(&workspace, &service, "AmazonS3").await;
    let found = moto.run(READER);
    for (upload, bytes) in &uploads {
        let (key, kind) = (object_key(upload, "AmazonS3"), upload.get_str("type").unwrap());
        let hash = rocketchat_import::domain::stable_hash::hex(&Sha256::digest(bytes));
        let line = format!("{key} {} {kind} {hash}", bytes.len());
        assert!(found.lines().any(|found| found == line), "{line} is not among {found}");
    }
    assert_eq!(found.lines().count(), FiveFiles::STORED + 1, "{found}");
    assert!(found.ends_with("unfinished 0\n"), "{found}");
    let changed = &uploads[1].0;
    moto.run(&format!("{CHANGER}change('{}')", object_key(changed, "AmazonS3")));
    assert_found_changed(&service, changed).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with moto[server,s3]: STORES_PYTHON names it"]
async fn a_bucket_that_is_away_for_a_while_costs_no_file() {
    let moto = Moto::start().await;
    let mut door = Door::to(moto.port).await;
    let server = FileServer::start().await;
    let workspace = workspace_of(&server, &door.url()).await;
    let outage = Outage::of(&workspace, &server).await;
    let service = Service::start(&Outage::settings(&workspace)).await;
    outage.begins(&workspace, &service).await;
    door.shut().await;
    outage.lasts(&service, "The store AmazonS3 cannot be reached.").await;
    door.open().await;
    outage.is_over(&workspace, &service).await;
    let found = moto.run(READER);
    assert_eq!(found.lines().count(), Outage::FILES + 1, "{found}");
    assert!(found.ends_with("unfinished 0\n"), "{found}");
    let hash = rocketchat_import::domain::stable_hash::hex(&Sha256::digest(&outage.content));
    for name in Outage::names() {
        let key = object_key(&workspace.upload_of(&name).await, "AmazonS3");
        assert!(found.lines().any(|line| line.starts_with(&key) && line.ends_with(&hash)), "{name} is not in {found}");
    }
}
