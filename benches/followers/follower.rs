//! A follower that costs next to nothing: a connection, and a look at what comes over it.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const STREAM: &str = "/api/v1/import.status.stream";
/// Between two events.
const BLANK_LINE: &[u8] = b"\n\n";

/// One open stream.
pub struct Follower {
    connection: TcpStream,
    /// What has come and is not yet a whole event, HTTP's framing included.
    rest: Vec<u8>,
}

/// What a follower saw.
pub struct Followed {
    pub events: u64,
    /// From the beginning of the run to the event of its end.
    pub told_after: Duration,
}

impl Follower {
    /// Follows as this caller. Returns when the first event has come.
    pub async fn join(host: &str, (id, token): &(String, String)) -> Self {
        let mut connection = TcpStream::connect(host).await.unwrap();
        let request =
            format!("GET {STREAM} HTTP/1.1\r\nHost: {host}\r\nX-User-Id: {id}\r\nX-Auth-Token: {token}\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut follower = Self { connection, rest: Vec::new() };
        let first = follower.event().await;
        assert!(contains(&first, b" 200 "), "{}", String::from_utf8_lossy(&first));
        follower
    }

    /// Follows to the end of an import of this many users, whose run began at this moment.
    pub async fn until_the_end(mut self, users: usize, began: Instant) -> Followed {
        let mut events = 0;
        loop {
            let event = self.event().await;
            events += u64::from(contains(&event, b"event: status"));
            if contains(&event, br#""state":"done""#) {
                let all = format!(r#""completed":{users},"#);
                assert!(contains(&event, all.as_bytes()), "{}", String::from_utf8_lossy(&event));
                return Followed { events, told_after: began.elapsed() };
            }
        }
    }

    /// The bytes up to the end of the next event or comment.
    async fn event(&mut self) -> Vec<u8> {
        let mut piece = [0; 4096];
        loop {
            if let Some(end) = self.rest.windows(BLANK_LINE.len()).position(|window| window == BLANK_LINE) {
                let rest = self.rest.split_off(end + BLANK_LINE.len());
                return std::mem::replace(&mut self.rest, rest);
            }
            let length = self.connection.read(&mut piece).await.unwrap();
            assert!(length > 0, "the stream has ended: {}", String::from_utf8_lossy(&self.rest));
            self.rest.extend_from_slice(&piece[..length]);
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
