//! The address that a request counts as coming from.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;
use thiserror::Error;

/// The proxies between clients and service.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Proxies whose headers are believed.
    pub trusted: TrustedProxies,
    /// Number of proxies a request passes through; 0 if unset.
    pub count: usize,
}

/// Addresses and networks of trusted proxies; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// An entry of the list is neither an address nor a network.
#[derive(Debug, Error)]
#[error("`{0}` is neither an address nor a network such as 10.0.0.0/8")]
pub struct NoNetwork(String);

impl Proxies {
    /// The address that a request from `peer` counts as coming from, by the headers `X-Forwarded-For` and `X-Real-IP`.
    ///
    /// Without settings it is `peer` itself. With a count, and no list or `peer` on it, it is as in Rocket.Chat the
    /// count-th of `X-Forwarded-For` from the right, where the proxies have written, not the client. With a list alone it
    /// is the last one there that is not on the list. Anything else than an address is not believed.
    ///
    /// Source: `apps/meteor/server/api/v1/middlewares/remoteAddressMiddleware.ts`.
    #[must_use]
    pub fn client(&self, peer: IpAddr, forwarded_for: &str, real_ip: &str) -> IpAddr {
        let peer = peer.to_canonical();
        let is_listed = self.trusted.contains(peer);
        let is_believed = is_listed || (self.trusted.0.is_empty() && self.count > 0);
        if !is_believed {
            return peer;
        }
        let mut hops = forwarded_for.rsplit(',').map(str::trim);
        if self.count > 0 {
            return hops.nth(self.count - 1).and_then(address_in).unwrap_or(peer);
        }
        if forwarded_for.trim().is_empty() {
            return address_in(real_ip.trim()).unwrap_or(peer);
        }
        let mut client = peer;
        for hop in hops {
            let Some(address) = address_in(hop) else { break };
            client = address;
            if !self.trusted.contains(address) {
                break;
            }
        }
        client
    }
}

impl TrustedProxies {
    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = NoNetwork;

    /// Reads a list with commas.
    fn from_str(list: &str) -> Result<Self, NoNetwork> {
        let network = |entry: &str| {
            let address = || entry.parse().ok().map(|address: IpAddr| address.to_canonical().into());
            let network = || entry.parse().ok();
            address().or_else(network).ok_or_else(|| NoNetwork(entry.to_owned()))
        };
        list.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// An address, with or without a port. An IPv4 address in IPv6 clothes is the IPv4 address.
fn address_in(text: &str) -> Option<IpAddr> {
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(in_brackets).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.1";

    fn proxies(trusted: &str, count: usize) -> Proxies {
        Proxies { trusted: trusted.parse().unwrap(), count }
    }

    fn client(proxies: &Proxies, peer: &str, forwarded_for: &str, real_ip: &str) -> String {
        proxies.client(peer.parse().unwrap(), forwarded_for, real_ip).to_string()
    }

    #[test]
    fn without_settings_no_header_is_believed() {
        let none = Proxies::default();
        assert_eq!(client(&none, PEER, "1.1.1.1", "2.2.2.2"), PEER);
        assert_eq!(client(&none, "::ffff:10.0.0.1", "1.1.1.1", ""), PEER);
    }

    #[test]
    fn a_count_takes_the_entry_that_so_many_proxies_have_written() {
        for (count, forwarded_for, expected) in [
            (1, "1.1.1.1", "1.1.1.1"),
            (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
            (2, "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            (2, "1.1.1.1", PEER),
            (1, "", PEER),
            (1, "1.1.1.1, unknown", PEER),
            (1, "1.1.1.1,", PEER),
            (1, "1.1.1.1:4711", "1.1.1.1"),
            (1, "[2001:db8::1]:4711", "2001:db8::1"),
            (1, "[2001:db8::1]", "2001:db8::1"),
            (1, "::ffff:1.1.1.1", "1.1.1.1"),
        ] {
            assert_eq!(
                client(&proxies("", count), PEER, forwarded_for, "2.2.2.2"),
                expected,
                "{count}: {forwarded_for}"
            );
        }
    }

    #[test]
    fn a_list_takes_the_last_entry_that_is_not_on_it() {
        let trusted = proxies("10.0.0.0/8, 192.0.2.7, fd00::/8", 0);
        for (forwarded_for, real_ip, expected) in [
            ("1.1.1.1", "", "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1, 10.9.9.9, 192.0.2.7", "", "1.1.1.1"),
            ("1.1.1.1, fd00::5", "", "1.1.1.1"),
            ("10.3.3.3, 10.2.2.2", "", "10.3.3.3"),
            ("1.1.1.1, nonsense, 10.2.2.2", "", "10.2.2.2"),
            ("nonsense", "2.2.2.2", PEER),
            ("", "2.2.2.2", "2.2.2.2"),
            ("", "nonsense", PEER),
            ("", "", PEER),
            ("1.1.1.1", "2.2.2.2", "1.1.1.1"),
        ] {
            assert_eq!(client(&trusted, PEER, forwarded_for, real_ip), expected, "{forwarded_for} {real_ip}");
        }
        assert_eq!(client(&trusted, "::ffff:10.0.0.1", "1.1.1.1", ""), "1.1.1.1");
    }

    #[test]
    fn who_is_not_on_the_list_is_not_believed_whatever_the_count() {
        for count in 0..3 {
            let trusted = proxies("10.0.0.0/8", count);
            assert_eq!(client(&trusted, "11.0.0.1", "1.1.1.1, 2.2.2.2", "3.3.3.3"), "11.0.0.1");
        }
        assert_eq!(client(&proxies("10.0.0.0/8", 2), PEER, "1.1.1.1, 2.2.2.2", ""), "1.1.1.1");
    }

    #[test]
    fn a_list_holds_addresses_and_networks() {
        for list in ["", " ", "127.0.0.1", "10.0.0.0/8,::1 , fd00::/8,", "::ffff:10.0.0.1"] {
            assert!(list.parse::<TrustedProxies>().is_ok(), "{list}");
        }
        for list in ["proxy", "10.0.0.0/33", "10.0.0", "10.0.0.1;10.0.0.2", "*"] {
            assert!(list.parse::<TrustedProxies>().is_err(), "{list}");
        }
    }
}
