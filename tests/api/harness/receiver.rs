//! A receiver of webhooks over HTTP.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::eventually;

/// How long a request may take to come. A claim of a dead instance runs out after 15 seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Answers with this status line, such as `204 No Content`.
    Status(&'static str),
    /// Sends the client elsewhere: to the receiver itself.
    Redirect,
    /// Says nothing and keeps the connection.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request line.
    pub line: String,
    /// Names in small letters.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Listens on a port of its own.
pub struct Receiver {
    /// `http://host:port/hook`
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// One that gives these replies in turn and the last of them from then on.
    pub fn start(replies: &[Reply]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        Self::on(socket.listen(64).unwrap(), address, replies)
    }

    /// One on a port that refuses connections until now.
    pub fn on(listener: TcpListener, address: SocketAddr, replies: &[Reply]) -> Self {
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let replies = Arc::new(Mutex::new(replies.iter().copied().rev().collect::<Vec<_>>()));
        let this = Self { url: format!("http://{address}/hook"), received: Arc::clone(&received) };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&received), Arc::clone(&replies)));
            }
        });
        this
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until this many requests have come; all of them.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} requests have come"), PATIENCE, async || self.received().len() >= count).await;
        self.received()
    }
}

async fn serve(mut connection: TcpStream, received: Arc<Mutex<Vec<Received>>>, replies: Arc<Mutex<Vec<Reply>>>) {
    let mut bytes = Vec::new();
    loop {
        let Some((request, length)) = parse(&bytes) else {
            let mut piece = [0; 4096];
            match connection.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(length) => bytes.extend_from_slice(&piece[..length]),
            }
            continue;
        };
        bytes.drain(..length);
        let host = request.header("host").to_owned();
        received.lock().unwrap().push(request);
        let reply = {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 { replies.pop().unwrap() } else { replies[0] }
        };
        let answer = match reply {
            Reply::Status(line) => format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"),
            Reply::Redirect => {
                format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{host}/other\r\nContent-Length: 0\r\n\r\n")
            }
            Reply::Silence => continue,
        };
        connection.write_all(answer.as_bytes()).await.ok();
    }
}

/// The first request and its length, if all of it has come.
fn parse(bytes: &[u8]) -> Option<(Received, usize)> {
    let head_length = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..head_length].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let body_length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let body = bytes.get(head_length..head_length + body_length)?;
    let body = String::from_utf8(body.to_vec()).unwrap();
    Some((Received { line, headers, body }, head_length + body_length))
}
