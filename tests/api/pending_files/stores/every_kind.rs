//! Files of every kind in each store, read back by the store's own client as wholes and as ranges.

use std::os::unix::fs::FileExt as _;

use super::{
    super::{
        export::every_kind,
        read_back::{StoredFile, assert_read_by, ranges_of, sha256},
    },
    s3::Moto,
    webdav::Dav,
    *,
};

/// Reads the objects whose keys are its input, as [`assert_read_by`] wants it.
const S3_READER: &str = "
for line in sys.stdin:
    key, *ranges = line.split()
    whole, length = hashlib.sha256(), 0
    for piece in s3.get_object(Bucket='files', Key=key)['Body'].iter_chunks(1 << 20):
        whole.update(piece)
        length += len(piece)
    hashes = [whole.hexdigest()]
    for one in ranges:
        first, wanted = map(int, one.split('+'))
        part = s3.get_object(Bucket='files', Key=key, Range=f'bytes={first}-{first + wanted - 1}')
        hashes.append(hashlib.sha256(part['Body'].read()).hexdigest())
    print(key, length, *hashes)
";
/// Reads the files below its argument whose names are its input, with Python's own client of HTTP.
const WEBDAV_READER: &str = "
import sys, base64, hashlib, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
login = 'Basic ' + base64.b64encode(sys.argv[2].encode()).decode()
def read(name, **headers):
    return opener.open(urllib.request.Request(sys.argv[1] + name, headers={'Authorization': login, **headers}))
for line in sys.stdin:
    name, *ranges = line.split()
    whole, length, answer = hashlib.sha256(), 0, read(name)
    while piece := answer.read(1 << 20):
        whole.update(piece)
        length += len(piece)
    hashes = [whole.hexdigest()]
    for one in ranges:
        first, wanted = map(int, one.split('+'))
        part = read(name, Range=f'bytes={first}-{first + wanted - 1}')
        assert part.status == 206, part.status
        hashes.append(hashlib.sha256(part.read()).hexdigest())
    print(name, length, *hashes)
";

fn id_of(file: &StoredFile) -> String {
    file.id().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with moto[server,s3]: STORES_PYTHON names it"]
async fn files_of_every_kind_lie_in_a_bucket_also_as_ranges() {
    let moto = Moto::start().await;
    let server = FileServer::start().await;
    let workspace = s3::workspace_of(&server, &moto.url).await;
    let stored = every_kind(&workspace, &server, &[]).await;
    let reader = format!("{}{S3_READER}", s3::CLIENT);
    let key_of = |file: &StoredFile| {
        let object = file.upload.get_document("AmazonS3").unwrap();
        object.get_str("path").unwrap().to_owned()
    };
    assert_read_by(&moto.python, &reader, &[&moto.url], &stored, key_of);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with WsgiDAV and cheroot: STORES_PYTHON names it"]
async fn files_of_every_kind_lie_on_a_webdav_server_also_as_ranges() {
    let dav = Dav::start().await;
    let server = FileServer::start().await;
    let workspace = dav.workspace(&server).await;
    let stored = every_kind(&workspace, &server, &[]).await;
    let python = std::env::var(PYTHON_VARIABLE).unwrap();
    assert_read_by(&python, WEBDAV_READER, &[&dav.files_url(), Dav::LOGIN], &stored, id_of);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn files_of_every_kind_lie_in_a_folder_also_as_ranges() {
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    workspace.set("FileUpload_Storage_Type", "FileSystem").await;
    let folder = tempfile::tempdir().unwrap();
    let settings = [("FILE_STORE_FOLDER", folder.path().to_str().unwrap())];
    for StoredFile { upload, content } in every_kind(&workspace, &server, &settings).await {
        let path = folder.path().join(upload.get_str("_id").unwrap());
        assert_eq!(sha256(&fs::read(&path).unwrap()), sha256(&content), "{upload}");
        let file = fs::File::open(&path).unwrap();
        for (first, length) in ranges_of(content.len()) {
            let mut part = vec![0; length];
            file.read_exact_at(&mut part, first as u64).unwrap();
            assert_eq!(sha256(&part), sha256(&content[first..first + length]), "{upload}");
        }
    }
}
