//! A server that files come from: it redirects, stalls, breaks off and refuses, as the paths of its files say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// How long a server that stalls holds its connection: longer than anybody waits for a byte.
const SILENCE: Duration = Duration::from_secs(120);

/// What a path answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The file, with this `Content-Type`, and none if it is empty.
    File(&'static str, Vec<u8>),
    /// The file in chunks, without a length.
    Chunked(&'static str, Vec<u8>),
    /// The file, a piece at a time, as slowly as this.
    Slow(Vec<u8>, Duration),
    To(String),
    Status(u16),
    /// 429 so often, and then the file.
    BusyFor(usize, Vec<u8>),
    /// A length, and half of it.
    Half(Vec<u8>),
    /// A length, and half of it so often; then the file.
    HalfFor(usize, Vec<u8>),
    /// A length, half of it, and silence.
    Stalls(Vec<u8>),
    /// Chunks without an end.
    TornChunks(Vec<u8>),
    /// Half of the file without a length; the connection just ends.
    EndsEarly(Vec<u8>),
}

/// A server on loopback. It ends with the test.
pub struct FileServer {
    pub port: u16,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    requests: Arc<Mutex<HashMap<String, usize>>>,
}

impl FileServer {
    pub async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    /// A server at this address; port 0 takes a free one.
    pub async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server =
            Self { port: listener.local_addr().unwrap().port(), replies: Arc::default(), requests: Arc::default() };
        let (replies, requests) = (Arc::clone(&server.replies), Arc::clone(&server.requests));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&replies), Arc::clone(&requests)));
            }
        });
        server
    }

    /// Has a path answer so from now on; its URL, with a token.
    pub fn put(&self, path: &str, reply: Reply) -> String {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
        self.url(path)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}?t=xoxe-s3cret", self.port)
    }

    /// How often a path was requested.
    pub fn requests(&self, path: &str) -> usize {
        self.requests.lock().unwrap().get(path).copied().unwrap_or_default()
    }
}

async fn serve(
    mut connection: TcpStream,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    requests: Arc<Mutex<HashMap<String, usize>>>,
) {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&piece[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let nth = {
        let mut requests = requests.lock().unwrap();
        let nth = requests.entry(path.clone()).or_default();
        *nth += 1;
        *nth
    };
    let reply = replies.lock().unwrap().get(&path).cloned().unwrap_or(Reply::Status(404));
    // The other side may be gone, which is its right.
    answer(&mut connection, reply, nth).await.ok();
}

async fn answer(connection: &mut TcpStream, reply: Reply, nth: usize) -> std::io::Result<()> {
    let head = |status: &str, headers: &str| format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n");
    let typed = |kind: &str| if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
    match reply {
        Reply::File(kind, bytes) => {
            let headers = format!("{}content-length: {}\r\n", typed(kind), bytes.len());
            connection.write_all(head("200 OK", &headers).as_bytes()).await?;
            connection.write_all(&bytes).await
        }
        Reply::Chunked(kind, bytes) => {
            let headers = format!("{}transfer-encoding: chunked\r\n", typed(kind));
            connection.write_all(head("200 OK", &headers).as_bytes()).await?;
            chunks(connection, &bytes).await?;
            connection.write_all(b"0\r\n\r\n").await
        }
        Reply::TornChunks(bytes) => {
            connection.write_all(head("200 OK", "transfer-encoding: chunked\r\n").as_bytes()).await?;
            chunks(connection, &bytes).await
        }
        Reply::Slow(bytes, pause) => {
            let headers = format!("content-length: {}\r\n", bytes.len());
            connection.write_all(head("200 OK", &headers).as_bytes()).await?;
            for piece in bytes.chunks(16 * 1024) {
                connection.write_all(piece).await?;
                sleep(pause).await;
            }
            Ok(())
        }
        Reply::To(url) => {
            let headers = format!("location: {url}\r\ncontent-length: 0\r\n");
            connection.write_all(head("302 Found", &headers).as_bytes()).await
        }
        Reply::Status(status) => {
            connection.write_all(head(&format!("{status} No"), "content-length: 0\r\n").as_bytes()).await
        }
        Reply::BusyFor(times, _) if nth <= times => {
            let headers = "retry-after: 1\r\ncontent-length: 0\r\n";
            connection.write_all(head("429 Too Many Requests", headers).as_bytes()).await
        }
        Reply::HalfFor(times, bytes) if nth <= times => half(connection, &bytes).await,
        Reply::BusyFor(_, bytes) | Reply::HalfFor(_, bytes) => {
            let headers = format!("content-length: {}\r\n", bytes.len());
            connection.write_all(head("200 OK", &headers).as_bytes()).await?;
            connection.write_all(&bytes).await
        }
        Reply::Half(bytes) => half(connection, &bytes).await,
        Reply::Stalls(bytes) => {
            half(connection, &bytes).await?;
            sleep(SILENCE).await;
            Ok(())
        }
        Reply::EndsEarly(bytes) => {
            connection.write_all(head("200 OK", "").as_bytes()).await?;
            connection.write_all(&bytes[..bytes.len() / 2]).await
        }
    }
}

/// Announces the file, and sends half of it.
async fn half(connection: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", bytes.len());
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&bytes[..bytes.len() / 2]).await
}

async fn chunks(connection: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for piece in bytes.chunks(50_000) {
        connection.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        connection.write_all(piece).await?;
        connection.write_all(b"\r\n").await?;
    }
    Ok(())
}
