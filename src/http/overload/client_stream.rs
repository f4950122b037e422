//! The connection of one client, and how long it may say nothing or take nothing.
//!
//! The HTTP library waits for the first head of a connection with a timer, for later ones with none, and for a client that
//! takes no bytes of its answer with none. So the stream under it keeps the time: between requests a client is *silent*, however
//! many bytes of a head or of an unread body it drips, and a silent client is cut after [`SILENCE_PATIENCE`]. When all connections are
//! taken, those that have been silent longest are cut at once to make room.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_http::Extensions;
use actix_web::HttpRequest;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// How long a client may go without completing the head of a request.
const SILENCE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may go without taking a byte of an answer. A follower on a line that is lost for a moment stays.
const STALL_PATIENCE: Duration = Duration::from_secs(60);
/// How often a connection is looked at. A client is cut this much late at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The part of all connections that is cut when all are taken: looking through them for one at a time would take too long.
const PART_CUT_AT_ONCE: usize = 16;

/// The open connections of one worker.
#[derive(Debug)]
pub(in crate::http) struct OpenConnections {
    open: RefCell<BTreeMap<u64, Rc<Activity>>>,
    accepted: Cell<u64>,
    most: usize,
}

/// The connection of one client. Reading and writing fail once it is cut.
#[derive(Debug)]
pub(in crate::http) struct ClientStream {
    stream: TcpStream,
    number: u64,
    activity: Rc<Activity>,
    connections: Rc<OpenConnections>,
    next_check: Pin<Box<Sleep>>,
    /// Since when the client has taken no byte of what waits to be sent.
    stalled_since: Option<Instant>,
}

/// Whether a request of the connection is in work.
#[derive(Debug)]
pub(in crate::http) struct Activity {
    /// Since when no request is in work; `None` while one is.
    silent_since: Cell<Option<Instant>>,
    is_cut: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

/// A request in work, from its complete head to the last byte of its answer. The client is silent again when this is dropped.
#[derive(Debug)]
pub(super) struct Exchange(Rc<Activity>);

impl OpenConnections {
    /// At most so many connections.
    pub(in crate::http) fn new(most: usize) -> Self {
        Self { open: RefCell::default(), accepted: Cell::default(), most }
    }

    /// The stream of an accepted connection, for which others are cut if there are too many.
    pub(in crate::http) fn accept(self: &Rc<Self>, stream: TcpStream) -> ClientStream {
        if self.open.borrow().len() >= self.most {
            self.cut_the_most_silent();
        }
        let activity = Rc::new(Activity {
            silent_since: Cell::new(Some(Instant::now())),
            is_cut: Cell::default(),
            task: RefCell::default(),
        });
        let number = self.accepted.replace(self.accepted.get() + 1);
        self.open.borrow_mut().insert(number, Rc::clone(&activity));
        let next_check = Box::pin(sleep(CHECK_INTERVAL));
        ClientStream { stream, number, activity, connections: Rc::clone(self), next_check, stalled_since: None }
    }

    fn cut_the_most_silent(&self) {
        let mut open = self.open.borrow_mut();
        let mut silent: Vec<(Instant, u64)> =
            open.iter().filter_map(|(number, activity)| Some((activity.silent_since.get()?, *number))).collect();
        silent.sort_unstable();
        silent.truncate((self.most / PART_CUT_AT_ONCE).max(1));
        log::debug!("all connections are taken: {} silent ones are cut", silent.len());
        for (_, number) in silent {
            if let Some(activity) = open.remove(&number) {
                activity.cut();
            }
        }
    }
}

impl ClientStream {
    pub(in crate::http) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Lets the requests of this connection find their [`Activity`].
    pub(in crate::http) fn introduce(&self, to_requests: &mut Extensions) {
        to_requests.insert(Rc::clone(&self.activity));
    }

    /// # Errors
    /// When the client has had all the patience there is for it, or was cut.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.activity.wake_when_cut(context.waker());
        while !self.activity.is_cut.get() && self.next_check.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let silence_ends = self.activity.silent_since.get().map(|since| since + SILENCE_PATIENCE);
            let stall_ends = self.stalled_since.map(|since| since + STALL_PATIENCE);
            let due = silence_ends.into_iter().chain(stall_ends).min();
            if due.is_some_and(|due| due <= now) {
                self.activity.is_cut.set(true);
            }
            let next = now + CHECK_INTERVAL;
            self.next_check.as_mut().reset(due.map_or(next, |due| due.min(next)));
        }
        if self.activity.is_cut.get() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        self.connections.open.borrow_mut().remove(&self.number);
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.stalled_since =
            if written.is_pending() { self.stalled_since.or_else(|| Some(Instant::now())) } else { None };
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Activity {
    /// That of the connection of `request`; `None` for a request without one, as tests make them.
    pub(in crate::http) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.conn_data::<Rc<Self>>().cloned()
    }

    /// Ends the connection, whatever its client still sends.
    pub(in crate::http) fn cut(&self) {
        self.is_cut.set(true);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    fn wake_when_cut(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }
}

impl Exchange {
    pub(super) fn begin(activity: Rc<Activity>) -> Self {
        activity.silent_since.set(None);
        Self(activity)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.silent_since.set(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    async fn accepted(connections: &Rc<OpenConnections>, listener: &TcpListener) -> (TcpStream, ClientStream) {
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.unwrap(), connections.accept(accepted.unwrap().0))
    }

    #[tokio::test]
    async fn the_client_that_has_been_silent_longest_makes_room_and_one_whose_request_is_in_work_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connections = Rc::new(OpenConnections::new(2));
        let (_first, mut first) = accepted(&connections, &listener).await;
        let (_second, mut second) = accepted(&connections, &listener).await;
        let exchange = Exchange::begin(Rc::clone(&first.activity));
        let (_third, _stream) = accepted(&connections, &listener).await;
        assert_eq!(second.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(exchange);
        first.activity.silent_since.set(Instant::now().checked_sub(Duration::from_secs(1)));
        let (_fourth, _another) = accepted(&connections, &listener).await;
        assert_eq!(first.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop((first, second));
        assert_eq!(connections.open.borrow().len(), 2);
    }

    #[tokio::test]
    async fn a_client_that_has_been_silent_for_half_a_minute_is_cut_at_the_next_check() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connections = Rc::new(OpenConnections::new(2));
        let (_client, mut stream) = accepted(&connections, &listener).await;
        stream.activity.silent_since.set(Instant::now().checked_sub(SILENCE_PATIENCE));
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
