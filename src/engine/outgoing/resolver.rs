//! The names of hosts and their addresses.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};
use tokio::{net::lookup_host, time::timeout};

use crate::domain::api::name_servers::NameServers;

/// Answers that are kept, for as long as the server lets them.
const KEPT_ANSWERS: u64 = 256;

/// Resolves the names of hosts. Cheap to clone; all clones share what they keep.
#[derive(Clone)]
pub struct Resolver(Way);

#[derive(Clone)]
enum Way {
    /// As the machine does it.
    Machine,
    /// Through the servers of the setting.
    Servers(Arc<TokioResolver>),
    /// The servers of the setting cannot be used. Others would resolve names as nobody wanted.
    Nowhere,
}

impl Resolver {
    /// Resolves through these servers, or as the machine does it if there are none.
    pub fn new(servers: &NameServers) -> Self {
        if servers.addresses().is_empty() {
            return Self(Way::Machine);
        }
        let servers = servers.addresses().iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = KEPT_ANSWERS;
        Self(builder.build().map_or_else(
            |error| {
                log::error!("DNS_SERVERS cannot be used: {error}");
                Way::Nowhere
            },
            |servers| Way::Servers(Arc::new(servers)),
        ))
    }

    /// Returns the addresses of a host within `patience`; `None` if there are none.
    pub async fn addresses_of(&self, host: &str, port: u16, patience: Duration) -> Option<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, port)]);
        }
        let found: Vec<SocketAddr> = match &self.0 {
            Way::Machine => timeout(patience, lookup_host((host, port))).await.ok()?.ok()?.collect(),
            Way::Servers(servers) => {
                // With the dot at its end the name is a whole one.
                let name = format!("{}.", host.trim_end_matches('.'));
                let found = timeout(patience, servers.lookup_ip(name)).await.ok()?.ok()?;
                found.iter().map(|address| SocketAddr::new(address, port)).collect()
            }
            Way::Nowhere => Vec::new(),
        };
        Some(found).filter(|found| !found.is_empty())
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = match self.0 {
            Way::Machine => "machine",
            Way::Servers(_) => "servers",
            Way::Nowhere => "nowhere",
        };
        formatter.debug_tuple("Resolver").field(&way).finish()
    }
}
