//! The addresses from which a file may be fetched.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Networks that nobody outside reaches, or that mean something else than a server.
///
/// Source: `packages/server-fetch/src/checkForSsrfHelpers.ts`.
const NOT_PUBLIC: [&str; 32] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "3fff::/20",
    "5f00::/16",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:20::/28",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Rocket.Chat's setting `SSRF_Allowlist`: hosts, addresses and networks, with a port or without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowlist(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    who: Who,
    /// `None` for every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Host(String),
    Network(IpNet),
}

impl Allowlist {
    /// Reads the list. Entries stand between commas or white space.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let entries = text.split(|character: char| character == ',' || character.is_whitespace());
        Self(entries.filter(|entry| !entry.is_empty()).map(entry_of).collect())
    }

    /// Whether a file may be fetched from this address, which the name `host` led to.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16, address: IpAddr) -> bool {
        is_public(address) || self.names(host, port, address)
    }

    fn names(&self, host: &str, port: u16, address: IpAddr) -> bool {
        self.0.iter().any(|entry| {
            let is_meant = match &entry.who {
                Who::Host(name) => name.eq_ignore_ascii_case(host),
                Who::Network(network) => network.contains(&address.to_canonical()),
            };
            is_meant && entry.port.is_none_or(|named| named == port)
        })
    }
}

fn entry_of(text: &str) -> Entry {
    if let Some(network) = network_in(text) {
        return Entry { who: Who::Network(network), port: None };
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse().ok()),
        _ => (text, None),
    };
    let who = network_in(name).map_or_else(|| Who::Host(name.to_owned()), Who::Network);
    Entry { who, port }
}

fn network_in(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether the address is one of a server that everybody can reach.
fn is_public(address: IpAddr) -> bool {
    let is_listed = |address: IpAddr| {
        NOT_PUBLIC.iter().any(|network| network.parse().is_ok_and(|network: IpNet| network.contains(&address)))
    };
    // An address of the old kind that is written in the new one is no other place.
    let canonical = address.to_canonical();
    !is_listed(canonical) && (canonical != address || !is_listed(address)) && !is_compatible(address)
}

/// Whether it is an address of the old kind in the new one's first, abandoned way of writing.
fn is_compatible(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if Ipv6Addr::segments(&address)[..6] == [0; 6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_list_is_one() {
        for network in NOT_PUBLIC {
            assert!(network.parse::<IpNet>().is_ok(), "{network}");
        }
    }

    #[test]
    fn private_and_link_local_addresses_are_refused_however_they_are_written() {
        let none = Allowlist::default();
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.0.1",
            "172.31.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!none.allows("files.example", 443, address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8"] {
            assert!(none.allows("files.example", 443, address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_list_names_hosts_addresses_and_networks_with_a_port_or_without() {
        let list = Allowlist::read("files.corp, 10.0.0.0/8\n192.168.1.5:8080 [fd00::1]:9000,minio:9000");
        for (host, port, address, expected) in [
            ("FILES.corp", 80, "192.168.7.7", true),
            ("other.corp", 80, "192.168.7.7", false),
            ("other.corp", 80, "10.9.9.9", true),
            ("x", 8080, "192.168.1.5", true),
            ("x", 80, "192.168.1.5", false),
            ("x", 9000, "fd00::1", true),
            ("minio", 9000, "172.18.0.2", true),
            ("minio", 80, "172.18.0.2", false),
        ] {
            assert_eq!(list.allows(host, port, address.parse().unwrap()), expected, "{host}:{port} {address}");
        }
    }
}
