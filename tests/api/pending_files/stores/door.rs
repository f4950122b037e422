//! A way to a server that can be shut.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A port that leads to another one of this machine.
pub(super) struct Door {
    port: u16,
    to: u16,
    /// Ends, with every connection, when it is shut.
    way: JoinHandle<()>,
}

impl Door {
    pub(super) async fn to(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { port, to, way: tokio::spawn(lead(listener, to)) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Breaks every connection, and takes no further ones.
    pub(super) async fn shut(&mut self) {
        self.way.abort();
        assert!((&mut self.way).await.unwrap_err().is_cancelled());
    }

    pub(super) async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.way = tokio::spawn(lead(listener, self.to));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.way.abort();
    }
}

async fn lead(listener: TcpListener, to: u16) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
                copy_bidirectional(&mut client, &mut server).await.ok();
            }
        });
    }
}
