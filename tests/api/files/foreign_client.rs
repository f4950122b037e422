//! An upload by a client that others have made: tuspy.

use std::{io::Write as _, process::Stdio};

use bson::doc;
use rocketchat_import::domain::stable_hash::hex;
use sha2::{Digest as _, Sha256};

use super::{FILES, PATIENCE, bytes, count, newest};
use crate::{
    command_line::files::breaking_way,
    harness::{Service, eventually, workspace},
};

/// Names a Python that has tuspy.
const PYTHON_VARIABLE: &str = "TUSPY_PYTHON";
/// The size of the file in MiB.
const SIZE_VARIABLE: &str = "TUSPY_MIB";

const CLIENT: &str = "
import sys
from tusclient import client
url, path, sha256 = sys.argv[1:]
headers = {'X-User-Id': 'admin', 'X-Auth-Token': 'admin-token'}
metadata = {'filename': 'export.zip', 'importerKey': 'csv', 'sha256': sha256}
uploads = client.TusClient(url + '/api/v1/import.upload', headers=headers)
uploads.uploader(path, chunk_size=4 * 1024 * 1024, retries=60, retry_delay=1, metadata=metadata).upload()
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with tuspy: TUSPY_PYTHON names it, TUSPY_MIB the size of the file"]
async fn a_client_of_others_uploads_through_two_broken_connections_and_a_restart() {
    let python = std::env::var(PYTHON_VARIABLE).expect("TUSPY_PYTHON names a Python with tuspy");
    let mebibytes = std::env::var(SIZE_VARIABLE).map_or(40, |size| size.parse().unwrap());
    let content = bytes(mebibytes * 1024 * 1024);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content).unwrap();
    let workspace = workspace().await.ready_for_imports().await;
    let settings = [("MONGO_URL", workspace.url.as_str()), ("UPLOAD_RATE", "16")];
    let service = Service::start(&settings).await;
    service.ready().await;
    let port = service.address.rsplit(':').next().unwrap().to_owned();
    let way = breaking_way(&service.address, 3_000_000, 2).await;
    let hash = hex(&Sha256::digest(&content));
    let begun = std::time::Instant::now();
    let mut client = std::process::Command::new(python)
        .args(["-c", CLIENT, &way, file.path().to_str().unwrap(), &hash])
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let files = workspace.collection(FILES);
    let stored = async || {
        let file = files.find_one(doc! {}).await.unwrap();
        file.map_or(0, |file| usize::try_from(file.get_i64("length").unwrap_or_default()).unwrap())
    };
    eventually("half of it is there", PATIENCE * 3, async || stored().await > content.len() / 2).await;
    let before = stored().await;
    service.kill();
    let service = Service::start(&[&settings[..], &[("PORT", &port)]].concat()).await;
    service.ready().await;
    let ended = tokio::task::spawn_blocking(move || client.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{ended}");
    println!("{mebibytes} MiB in {:.1} s; the service was killed after {before} bytes", begun.elapsed().as_secs_f64());
    // The last byte begins the import only if the hash is that of the file.
    let operation = newest(&workspace).await;
    assert_eq!(operation.get_str("importerKey").unwrap(), "csv");
    assert_eq!((count(&workspace, "rocketchat_import").await, stored().await), (1, content.len()));
    let again = service.log_lines("method=PATCH");
    assert!(!again.is_empty(), "the second process got the rest");
}
