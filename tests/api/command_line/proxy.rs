//! A proxy between a client and the service that loses the answers a test names, or takes no large bodies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

const SERVICE: &[u8; 16] = b"x-import-service";
/// As nginx answers a body above its `client_max_body_size`.
const TOO_LARGE_FOR_NGINX: &str = "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: text/html\r\n\
                                   Content-Length: 63\r\nConnection: close\r\n\r\n\
                                   <html><body><h1>413 Request Entity Too Large</h1></body></html>";

/// As a release without uploads for a check answers one.
const NO_IMPORTER: &str = "HTTP/1.1 400 Bad Request\r\nX-Import-Service: 1\r\nContent-Type: application/json\r\n\
                           Content-Length: 70\r\nConnection: close\r\n\r\n\
                           {\"success\":false,\"error\":\"Upload-Metadata must hold importerKey now.\"}";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on and answered.
    Passed,
    /// It is passed on, but the connection breaks before the answer.
    AnswerLost,
    /// The connection breaks before it is passed on.
    RequestLost,
    /// The connection breaks, and only then it is passed on.
    Late(Duration),
    /// It is answered so by the proxy itself.
    Answered(&'static str),
}

/// The server that the program believes to speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seems {
    ThisService,
    /// A server whose answers lack the header that this service puts on them, and that sees no idempotency key.
    RocketChat,
}

/// A running proxy; ends with the test's runtime.
pub struct Proxy {
    /// `http://host:port`
    pub address: String,
    troubled: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy that asks `fate` about the `n`-th request (from 0 on) to `path`; all else is passed on.
    pub async fn before(
        service: &str,
        path: &'static str,
        fate: impl Fn(usize) -> Fate + Send + Sync + 'static,
    ) -> Self {
        Self::disguised(service, Seems::ThisService, path, fate).await
    }

    /// The same before a service that seems to be another server.
    pub async fn disguised(
        service: &str,
        seems: Seems,
        path: &'static str,
        fate: impl Fn(usize) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let seen = AtomicUsize::new(0);
        let decide = move |head: &str| {
            let target = head.split(' ').nth(1).unwrap_or_default();
            if target.split('?').next().is_some_and(|target| target.ends_with(path)) {
                fate(seen.fetch_add(1, Ordering::SeqCst))
            } else {
                Fate::Passed
            }
        };
        Self::deciding(service, seems, decide).await
    }

    /// A proxy that takes bodies of so many bytes at most, as nginx does with that `client_max_body_size`.
    pub async fn narrow(service: &str, most: usize) -> Self {
        let decide = move |head: &str| {
            if length_of_body(head) > most { Fate::Answered(TOO_LARGE_FOR_NGINX) } else { Fate::Passed }
        };
        Self::deciding(service, Seems::ThisService, decide).await
    }

    /// The same before a release of this service that knows no uploads for a check.
    pub async fn narrow_before_older(service: &str, most: usize) -> Self {
        let decide = move |head: &str| {
            if length_of_body(head) > most {
                Fate::Answered(TOO_LARGE_FOR_NGINX)
            } else if head.starts_with("POST /api/v1/import.upload") {
                Fate::Answered(NO_IMPORTER)
            } else {
                Fate::Passed
            }
        };
        Self::deciding(service, Seems::ThisService, decide).await
    }

    /// A proxy that asks `decide` about the head of every request.
    async fn deciding(service: &str, seems: Seems, decide: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = service.trim_start_matches("http://").to_owned();
        let (decide, troubled) = (Arc::new(decide), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&troubled);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (service, decide, counter) = (service.clone(), Arc::clone(&decide), Arc::clone(&counter));
                tokio::spawn(async move {
                    let is_troubled = AtomicBool::new(false);
                    let decide = |head: &str| {
                        let fate = decide(head);
                        is_troubled.store(fate != Fate::Passed, Ordering::SeqCst);
                        fate
                    };
                    // A client or service that goes away is what this is about.
                    let _ = relay(connection, &service, seems, decide).await;
                    counter.fetch_add(usize::from(is_troubled.into_inner()), Ordering::SeqCst);
                });
            }
        });
        Self { address, troubled }
    }

    /// How many requests were not simply passed on, once all was done about them that was going to be.
    pub fn troubled(&self) -> usize {
        self.troubled.load(Ordering::SeqCst)
    }
}

/// One request of a connection, which is closed after it.
async fn relay(
    mut client: TcpStream,
    service: &str,
    seems: Seems,
    decide: impl FnOnce(&str) -> Fate,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let head_length = loop {
        if let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&request[..head_length]).into_owned();
    let whole = head_length + 4 + length_of_body(&head);
    while request.len() < whole {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    if seems == Seems::RocketChat {
        assert!(!head.to_ascii_lowercase().contains("idempotency-key"), "Rocket.Chat takes no key: {head}");
    }
    request.splice(..head_length, closing(&head).into_bytes());
    match decide(&head) {
        Fate::Passed if seems == Seems::ThisService => {
            let mut connection = TcpStream::connect(service).await?;
            connection.write_all(&request).await?;
            tokio::io::copy(&mut connection, &mut client).await.map(drop)
        }
        Fate::Passed => {
            let mut answer = forward(service, &request).await?;
            disguise(&mut answer);
            client.write_all(&answer).await
        }
        Fate::AnswerLost => forward(service, &request).await.map(drop),
        Fate::RequestLost => Ok(()),
        Fate::Late(delay) => {
            drop(client);
            sleep(delay).await;
            forward(service, &request).await.map(drop)
        }
        Fate::Answered(answer) => client.write_all(answer.as_bytes()).await,
    }
}

/// The head of a request whose connection ends with the answer.
fn closing(head: &str) -> String {
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    kept.chain(["Connection: close"]).collect::<Vec<_>>().join("\r\n")
}

fn length_of_body(head: &str) -> usize {
    let mut lines = head.lines().map(str::to_ascii_lowercase);
    lines.find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0)
}

/// Renames the header that tells this service from Rocket.Chat.
fn disguise(answer: &mut [u8]) {
    let position = answer.windows(SERVICE.len()).position(|bytes| bytes.eq_ignore_ascii_case(SERVICE));
    let position = position.expect("every answer of the API has the header");
    answer[position..position + SERVICE.len()].copy_from_slice(b"x-other-header--");
}

async fn forward(service: &str, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(service).await?;
    connection.write_all(request).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(answer)
}
