//! The network between a server and everybody else, which can be cut and healed.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// How late everything is on a slow network.
const SLOWNESS: Duration = Duration::from_millis(250);

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Fine,
    /// Every piece comes late, in each direction.
    Slow,
    /// Nothing arrives before the weather changes; then everything that was sent does.
    Stalled,
    /// Connections are accepted, and nothing ever arrives on those there are, also not later.
    Silent,
    /// Connections are closed as soon as they are made, and those that were open.
    Closed,
}

/// One who makes connections, known by the first message of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The server on this port. A server with test commands names itself to the others, for the same purpose as here.
    Server(u16),
    /// The service whose connection string has this `appName`.
    Service(&'static str),
}

impl Caller {
    fn says(self, first_message: &[u8]) -> bool {
        let (field, end) = match self {
            Self::Server(port) => ("hostInfo", format!(":{port}\0")),
            Self::Service(name) => ("application", format!("{name}\0")),
        };
        let has = |text: &[u8]| first_message.windows(text.len()).any(|part| part == text);
        has(field.as_bytes()) && has(end.as_bytes())
    }
}

/// A port that stands for the one of a server. Ends with the test.
pub struct Proxy {
    pub port: u16,
    weather: watch::Sender<Weather>,
    /// Those who do not reach the server.
    cut_off: watch::Sender<Vec<Caller>>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// Lets every client talk to the server on `port` of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let (weather, report) = watch::channel(Weather::Fine);
        let (cut_off, cuts) = watch::channel(Vec::new());
        let acceptor = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, port, report.clone(), cuts.clone()));
            }
        });
        Self { port: own_port, weather, cut_off, acceptor }
    }

    /// The weather changes.
    pub fn becomes(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Closes the connections of these callers, and all that they make until others are cut off in their place.
    pub fn cuts_off(&self, callers: impl IntoIterator<Item = Caller>) {
        self.cut_off.send_replace(callers.into_iter().collect());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn connect(
    mut client: TcpStream,
    port: u16,
    weather: watch::Receiver<Weather>,
    mut cuts: watch::Receiver<Vec<Caller>>,
) {
    if *weather.borrow() == Weather::Closed {
        return;
    }
    let Some(first) = first_message(&mut client).await else { return };
    let is_cut_off = |cuts: &Vec<Caller>| cuts.iter().any(|caller| caller.says(&first));
    if is_cut_off(&cuts.borrow()) {
        return;
    }
    // A server that is not there is a connection that is closed.
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    if server.write_all(&first).await.is_err() {
        return;
    }
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut closing = weather.clone();
    let carried = async {
        tokio::select! {
            () = pump(from_client, to_server, weather.clone()) => {}
            () = pump(from_server, to_client, weather) => {}
            _ = closing.wait_for(|weather| *weather == Weather::Closed) => {}
        }
    };
    tokio::select! {
        () = carried => {}
        _ = cuts.wait_for(is_cut_off) => {}
    }
}

/// Reads what a caller says first, which begins with its length.
async fn first_message(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = client.read_i32_le().await.ok()?.to_le_bytes().to_vec();
    let length = usize::try_from(i32::from_le_bytes(message[..].try_into().ok()?)).ok()?;
    message.resize(length, 0);
    client.read_exact(message.get_mut(size_of::<i32>()..)?).await.ok()?;
    Some(message)
}

/// Carries bytes in one direction.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let silence = async {
            // A sender that is gone will not fall silent any more.
            if weather.wait_for(|weather| *weather == Weather::Silent).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            () = silence => std::future::pending().await,
        };
        // What a server says last still arrives once the network lets it.
        let ended = !matches!(read, Ok(1..));
        let now = *weather.borrow();
        match now {
            Weather::Slow => sleep(SLOWNESS).await,
            Weather::Stalled if weather.wait_for(|weather| *weather != Weather::Stalled).await.is_err() => return,
            Weather::Fine | Weather::Stalled | Weather::Silent | Weather::Closed => {}
        }
        if ended || to.write_all(&bytes[..read.unwrap_or_default()]).await.is_err() {
            return;
        }
    }
}
