//! The servers that resolve the names of hosts.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use thiserror::Error;

/// The port of a server whose entry names none.
const PORT: u16 = 53;

/// The servers that resolve names, in the order of the list. An empty list means those of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameServers(Vec<SocketAddr>);

/// An entry that is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not the address of a name server, such as 10.0.0.53 or 10.0.0.53:5353")]
pub struct NoNameServer(String);

impl NameServers {
    /// Returns the addresses of the servers.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl FromStr for NameServers {
    type Err = NoNameServer;

    /// Reads addresses with commas between them, with a port or without. Host names are refused: something would have to
    /// resolve them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| server_in(entry).ok_or_else(|| NoNameServer(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn server_in(entry: &str) -> Option<SocketAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    entry.parse().ok().or_else(|| bare.parse().ok().map(|address: IpAddr| SocketAddr::new(address, PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_addresses_with_a_port_or_without() {
        let servers: NameServers = "10.0.0.53, 127.0.0.1:5353,fd00::53,[fd00::54],[fd00::55]:54,".parse().unwrap();
        let expected = ["10.0.0.53:53", "127.0.0.1:5353", "[fd00::53]:53", "[fd00::54]:53", "[fd00::55]:54"];
        assert_eq!(servers.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        for empty in ["", " ", ","] {
            assert_eq!(empty.parse(), Ok(NameServers::default()));
        }
        for wrong in ["dns.corp", "dns.corp:53", "10.0.0.53:none", "10.0.0", "10.0.0.1;10.0.0.2"] {
            assert_eq!(wrong.parse::<NameServers>(), Err(NoNameServer(wrong.to_owned())));
        }
    }
}
