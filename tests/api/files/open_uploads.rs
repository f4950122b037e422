//! Many uploads at once beside everybody else.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{
    FILES, count,
    resumable::{CSV, created, offset},
    served_with,
};
use crate::harness::{Service, eventually};

const UPLOADS: usize = 1024;
const ASKED: usize = 500;
/// An answer that takes no longer than this is within what people notice.
const UNNOTICED: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(120);

/// The time within which 99 of 100 answers of `import.status` come.
async fn p99(service: &Service) -> Duration {
    let mut took = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let asked = Instant::now();
        assert_eq!(service.status().await.status, 200);
        took.push(asked.elapsed());
    }
    took.sort_unstable();
    took[ASKED * 99 / 100]
}

/// Begins to send bytes and stops in the middle.
async fn open(service: &Service, path: &str) -> TcpStream {
    let mut connection = service.connect().await.unwrap();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: chat\r\nX-User-Id: admin\r\nX-Auth-Token: admin-token\r\n\
         Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n\
         Content-Length: 1000\r\n\r\nhalf"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a quiet machine"]
async fn a_thousand_open_uploads_keep_nobody_waiting() {
    let (workspace, service) = served_with(&[]).await;
    let idle = p99(&service).await;
    let paths: Vec<String> =
        stream::iter(0..UPLOADS).map(|_| created(&service, 1000, &CSV)).buffer_unordered(8).collect().await;
    assert_eq!(count(&workspace, FILES).await, UPLOADS as u64);
    let mut connections = Vec::with_capacity(UPLOADS);
    for path in &paths {
        connections.push(open(&service, path).await);
    }
    // What came is stored after a while, though the rest does not come.
    eventually("all of them are under way", PATIENCE, async || {
        let begun = workspace.collection(FILES).count_documents(bson::doc! { "length": 4 }).await.unwrap();
        begun == UPLOADS as u64
    })
    .await;
    let beside = p99(&service).await;
    println!("p99 of import.status: {idle:?} alone, {beside:?} beside {UPLOADS} open uploads");
    assert!(beside < (idle * 3).max(UNNOTICED), "{beside:?} in place of {idle:?}");
    for mut connection in connections.drain(..8) {
        connection.shutdown().await.ok();
    }
    assert_eq!(offset(&service, &paths[100]).await, 4);
}
