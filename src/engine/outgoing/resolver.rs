//! The names of hosts and their addresses.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};

/// Resolves the names of hosts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resolver;

impl Resolver {
    /// Returns the addresses of a host within `patience`; `None` if there are none.
    pub async fn addresses_of(&self, host: &str, port: u16, patience: Duration) -> Option<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, port)]);
        }
        let found = timeout(patience, lookup_host((host, port))).await.ok()?.ok()?;
        Some(found.collect())
    }
}
