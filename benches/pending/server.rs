//! A server of files on loopback. It has no more of a file in memory than a piece.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const PIECE_BYTES: usize = 256 * 1024;

/// The server. It ends with the program.
pub struct FileServer {
    port: u16,
    bytes: usize,
}

impl FileServer {
    /// Has a file of so many bytes under every path.
    pub async fn start(bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let piece: Vec<u8> = (0..PIECE_BYTES).map(|at| u8::try_from((at * 31 + at / 251) % 251).unwrap()).collect();
        let piece = Arc::new(piece);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let piece = Arc::clone(&piece);
                // A client that goes away is no fault of the server.
                tokio::spawn(async move { serve(connection, &piece, bytes).await.ok() });
            }
        });
        Self { port, bytes }
    }

    /// The bytes of a file.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// `host:port`
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.host())
    }
}

async fn serve(mut connection: TcpStream, piece: &[u8], bytes: usize) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {bytes}\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(answer.as_bytes()).await?;
    let mut left = bytes;
    while left > 0 {
        let length = left.min(piece.len());
        connection.write_all(&piece[..length]).await?;
        left -= length;
    }
    Ok(())
}
