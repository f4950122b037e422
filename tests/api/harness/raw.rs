//! Requests that no well-behaved client sends.

use std::time::Duration;

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Answer, Service};

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a body is framed.
#[derive(Debug, Clone, Copy)]
pub enum Framing {
    ContentLength,
    Chunked,
}

impl Service {
    /// `POST path` by the administrator with exactly these bytes, and with this content type or none.
    pub async fn post_body(&self, path: &str, content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let mut request =
            self.request(Method::POST, path).header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        self.send(request.body(body.into())).await
    }

    /// `POST path` with a JSON body of `length` bytes, by the user with this token, over a connection of its own. The
    /// head and the body of the answer, which may come before everything was sent.
    pub async fn post_of_length(&self, user: (&str, &str), path: &str, length: usize, framing: Framing) -> String {
        let stream = TcpStream::connect(self.address.trim_start_matches("http://")).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let framed = match framing {
            Framing::ContentLength => format!("Content-Length: {length}"),
            Framing::Chunked => "Transfer-Encoding: chunked".to_owned(),
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: chat\r\nX-User-Id: {}\r\nX-Auth-Token: {}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n{framed}\r\n\r\n",
            user.0, user.1
        );
        let send = async move {
            writer.write_all(head.as_bytes()).await?;
            let piece = vec![b' '; 64 * 1024];
            let mut left = length;
            while left > 0 {
                let piece = &piece[..piece.len().min(left)];
                if matches!(framing, Framing::Chunked) {
                    writer.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                }
                writer.write_all(piece).await?;
                if matches!(framing, Framing::Chunked) {
                    writer.write_all(b"\r\n").await?;
                }
                left -= piece.len();
            }
            if matches!(framing, Framing::Chunked) {
                writer.write_all(b"0\r\n\r\n").await?;
            }
            writer.flush().await?;
            std::io::Result::Ok(writer)
        };
        let receive = async {
            let mut answer = Vec::new();
            // A service that has answered may close before all was sent.
            let _ = reader.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let (_, answer) = timeout(PATIENCE, async { tokio::join!(send, receive) }).await.expect("an answer");
        answer
    }
}
