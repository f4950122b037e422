//! Clients that ask as fast as they are answered and do little else.

use std::{
    io,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What came of asking for a while.
pub struct Load {
    /// Answers a second.
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub span: Duration,
    /// Processor time a second of the service, of MongoDB and of this process.
    pub cores: [f64; 3],
}

impl Load {
    pub fn of(mut latencies: Vec<Duration>, span: Duration) -> Self {
        latencies.sort_unstable();
        let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1000.0;
        Self {
            rate: latencies.len() as f64 / span.as_secs_f64(),
            p50_ms: at(50),
            p99_ms: at(99),
            span,
            cores: [0.0; 3],
        }
    }

    pub fn median(mut loads: Vec<Self>) -> Self {
        loads.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        loads.swap_remove(loads.len() / 2)
    }
}

/// `GET path` over one connection for each caller, again and again.
pub async fn drive(host: &str, path: &str, callers: &[(String, String)], span: Duration) -> Load {
    let started = Instant::now();
    let clients =
        callers.iter().map(|caller| tokio::spawn(ask(host.to_owned(), get(host, path, caller), started + span)));
    let answered = join_all(clients).await.into_iter().flat_map(Result::unwrap).collect();
    Load::of(answered, started.elapsed())
}

/// `GET path` by this caller, as it is sent.
pub fn get(host: &str, path: &str, (id, token): &(String, String)) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-User-Id: {id}\r\nX-Auth-Token: {token}\r\n\r\n").into_bytes()
}

/// One request after the other, each sent when the last is answered.
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub async fn to(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: vec![0; 16 * 1024] })
    }

    /// The whole answer to `request`.
    ///
    /// # Errors
    /// When the service closes the connection instead.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.stream.write_all(request).await?;
        let mut length = 0;
        while !is_whole(&self.answer[..length]) {
            let read = self.stream.read(&mut self.answer[length..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += read;
        }
        Ok(&self.answer[..length])
    }
}

async fn ask(host: String, request: Vec<u8>, until: Instant) -> Vec<Duration> {
    let mut connection = Connection::to(&host).await.unwrap();
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let asked = Instant::now();
        let answer = connection.exchange(&request).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
        latencies.push(asked.elapsed());
    }
    latencies
}

/// Whether the head and as many bytes as it promises have arrived.
fn is_whole(answer: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let length = answer[..head].windows(LENGTH.len()).position(|window| window.eq_ignore_ascii_case(LENGTH));
    let digits = &answer[length.expect("a length") + LENGTH.len()..head];
    let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= head + 4 + length
}
