//! Open connections.
//!
//! Each costs a descriptor, and a process that has none left can neither take a health check nor reach its database. So
//! the bound follows from what the system allows.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    thread::available_parallelism,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;

/// As many as are taken on whatever the system allows: each takes some 20 KB.
const MOST_CONNECTIONS: usize = 20_000;
/// For the database, the metrics and the program itself.
const OTHER_DESCRIPTORS: usize = 200;
/// How many connections may wait to be accepted: many clients that come at once must not have to knock again.
const BACKLOG: u32 = 1024;

/// Takes the address. Port 0 takes a free one.
///
/// # Errors
/// When the address cannot be had.
pub(in crate::http) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a restart need not wait until the connections of the last run are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// How many threads serve connections, and how many connections each may hold.
pub(in crate::http) struct Workers {
    pub(in crate::http) count: usize,
    /// How many sockets each may have open, those it is about to close among them.
    pub(in crate::http) connections_each: usize,
    /// How many connections each holds before it cuts silent ones.
    pub(in crate::http) open_each: usize,
}

/// Has the system allow as many descriptors as it may, and divides the connections among the workers.
pub(in crate::http) fn workers() -> Workers {
    let count = available_parallelism().map_or(1, NonZeroUsize::get);
    let connections = most_connections(descriptors());
    log::debug!("{connections} connections at most");
    let connections_each = connections.div_ceil(count);
    Workers { count, connections_each, open_each: open_each(connections_each) }
}

/// Descriptors this process may have open.
fn descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            log::warn!("the limit of open files cannot be raised: {error}");
            limit.current
        }
    };
    allowed.and_then(|allowed| usize::try_from(allowed).ok()).unwrap_or(usize::MAX)
}

/// Leaves room to accept a connection for which another is cut.
fn open_each(connections_each: usize) -> usize {
    (connections_each - connections_each / 8).max(1)
}

fn most_connections(descriptors: usize) -> usize {
    // Half of few is left for what else there is.
    descriptors.saturating_sub(OTHER_DESCRIPTORS).max(descriptors / 2).clamp(1, MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_database() {
        assert_eq!(most_connections(usize::MAX), MOST_CONNECTIONS);
        assert_eq!(most_connections(1024), 824);
        assert_eq!(most_connections(256), 128);
        assert_eq!(most_connections(0), 1);
    }
}
