//! Many uploads at once beside everybody else.

use std::time::{Duration, Instant};

use bson::doc;
use futures::{StreamExt as _, stream};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::sleep};

use super::{
    FILES, count,
    resumable::{CSV, created},
    served_with,
};
use crate::harness::{Service, eventually};

const UPLOADS: usize = 1024;
const ASKED: usize = 500;
/// An answer that takes no longer than this is within what people notice.
const UNNOTICED: Duration = Duration::from_millis(50);
/// The size of each, and what of it is sent at first.
const BYTES: usize = 1000;
const BEGINNING: &str = "half";
/// Time between two beginnings, and for the service to read what was sent last.
const BETWEEN: Duration = Duration::from_millis(5);
const SETTLING: Duration = Duration::from_secs(1);
const ATTEMPTS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);

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
         Content-Length: {BYTES}\r\n\r\n{BEGINNING}"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// An upload on each path that waits for the rest of its bytes. Those that the service has no time for at first come again.
async fn open_all(service: &Service, paths: &[String]) -> Vec<TcpStream> {
    let mut connections = Vec::with_capacity(paths.len());
    for path in paths {
        connections.push(open(service, path).await);
        sleep(BETWEEN).await;
    }
    for _ in 0..ATTEMPTS {
        sleep(SETTLING).await;
        let mut refused = 0;
        for (connection, path) in connections.iter_mut().zip(paths) {
            let mut answer = [0; 12];
            if connection.try_read(&mut answer).is_ok() {
                assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 503");
                *connection = open(service, path).await;
                sleep(BETWEEN).await;
                refused += 1;
            }
        }
        if refused == 0 {
            return connections;
        }
    }
    panic!("some uploads are refused again and again");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a quiet machine"]
async fn a_thousand_open_uploads_keep_nobody_waiting() {
    let (workspace, service) = served_with(&[]).await;
    let idle = p99(&service).await;
    let paths: Vec<String> =
        stream::iter(0..UPLOADS).map(|_| created(&service, BYTES, &CSV)).buffer_unordered(8).collect().await;
    assert_eq!(count(&workspace, FILES).await, UPLOADS as u64);
    let connections = open_all(&service, &paths).await;
    let beside = p99(&service).await;
    println!("p99 of import.status: {idle:?} alone, {beside:?} beside {UPLOADS} open uploads");
    assert!(beside < (idle * 3).max(UNNOTICED), "{beside:?} in place of {idle:?}");

    drop(connections);
    eventually("what came of each is stored", PATIENCE, async || {
        let stored = workspace
            .collection(FILES)
            .count_documents(doc! { "length": u32::try_from(BEGINNING.len()).unwrap() })
            .await;
        stored.unwrap() == UPLOADS as u64
    })
    .await;
}
