//! Requests to addresses that come from outside.
//!
//! The service stands inside a network, and a URL may name what nobody outside reaches. So the name is resolved here, every
//! address it leads to is looked at, and the connection goes to those addresses and no other; the same again after each
//! redirect. No proxy of the environment is used: it would resolve the name anew.

mod resolver;

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use parking_lot::Mutex;
use reqwest::{
    Client, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{LOCATION, RETRY_AFTER},
    redirect,
};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::domain::api::outgoing::Allowlist;

pub use resolver::Resolver;

/// Redirects that are followed.
const REDIRECTS: usize = 5;
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const HTTP_PORT: u16 = 80;
/// How long the addresses of a host are kept, and with them its connections.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Hosts whose addresses are kept.
const KEPT_HOSTS: usize = 64;

/// Fetches from hosts that everybody reaches, and from those that the list allows.
#[derive(Debug)]
pub struct Outgoing {
    allowlist: Allowlist,
    resolver: Resolver,
    clients: Mutex<HashMap<(String, u16), (Instant, Client)>>,
}

/// Why something was not fetched, in a sentence without the path and the query of its URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotFetched {
    /// It is never fetched.
    #[error("{0}")]
    Refused(String),
    #[error("Unexpected response status {status}")]
    Status {
        status: u16,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It may go well another time.
    #[error("{0}")]
    Broken(String),
}

/// A resolver that knows the addresses that were looked at, and no others.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Outgoing {
    /// Fetches under this list, with the names of hosts resolved by `resolver`.
    pub fn new(allowlist: Allowlist, resolver: Resolver) -> Self {
        Self { allowlist, resolver, clients: Mutex::default() }
    }

    /// Follows the URL to a successful answer, whose head has to be there within `patience`.
    ///
    /// # Errors
    /// When there is no such answer.
    pub async fn get(&self, url: &str, patience: Duration) -> Result<Response, NotFetched> {
        let mut url = Url::parse(url).map_err(|_| refused("The URL cannot be understood"))?;
        let until = Instant::now() + patience;
        for _ in 0..=REDIRECTS {
            let answer = self.ask(&url, until).await?;
            let status = answer.status();
            if status.is_success() {
                return Ok(answer);
            }
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            if !status.is_redirection() {
                return Err(NotFetched::Status { status: status.as_u16(), retry_after: retry_after(&answer) });
            }
            url = to.and_then(|to| url.join(to).ok()).ok_or_else(|| broken("The server redirects to nowhere"))?;
        }
        Err(broken("The server redirects too often"))
    }

    async fn ask(&self, url: &Url, until: Instant) -> Result<Response, NotFetched> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("Only http and https URLs are fetched"));
        }
        let host = url.host_str().ok_or_else(|| refused("The URL names no host"))?;
        let port = url.port_or_known_default().unwrap_or(HTTP_PORT);
        let client = self.client(host, port).await?;
        let asked = timeout_at(until, client.get(url.clone()).send()).await;
        let answer = asked.map_err(|_| broken("The server did not answer in time"))?;
        answer.map_err(|_| broken(&format!("{host} cannot be reached")))
    }

    /// The client whose connections go to the addresses of this host, all of which were looked at.
    async fn client(&self, host: &str, port: u16) -> Result<Client, NotFetched> {
        let key = (host.to_owned(), port);
        if let Some((kept_until, client)) = self.clients.lock().get(&key)
            && *kept_until > Instant::now()
        {
            return Ok(client.clone());
        }
        let addresses = self.addresses_of(host, port).await?;
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_PATIENCE)
            .dns_resolver(std::sync::Arc::new(Pinned(addresses)))
            .build()
            .map_err(|error| broken(&error.without_url().to_string()))?;
        let mut clients = self.clients.lock();
        if clients.len() >= KEPT_HOSTS {
            clients.clear();
        }
        clients.insert(key, (Instant::now() + KEPT_FOR, client.clone()));
        Ok(client)
    }

    /// Returns the addresses of a host, all of which have to be allowed.
    async fn addresses_of(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NotFetched> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.resolver.addresses_of(bare, port, CONNECT_PATIENCE).await;
        let addresses = addresses.ok_or_else(|| broken(&format!("{host} was not found")))?;
        let is_allowed = |address: &SocketAddr| self.allowlist.allows(bare, port, address.ip());
        if addresses.is_empty() || !addresses.iter().all(is_allowed) {
            return Err(refused(&format!(
                "{host} is not fetched from: it is a private address. Name it in Rocket.Chat's setting SSRF_Allowlist to allow it"
            )));
        }
        Ok(addresses)
    }
}

/// How long the server wants to be left alone, in the seconds of its `Retry-After`; a date there is passed over.
pub(super) fn retry_after(answer: &Response) -> Option<Duration> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

impl NotFetched {
    /// Whether the server has too much to do or is broken for the moment.
    pub fn is_overload(&self) -> bool {
        let Self::Status { status, .. } = self else { return false };
        *status == StatusCode::TOO_MANY_REQUESTS.as_u16() || (500..600).contains(status)
    }

    /// Whether nothing is there any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }
}

fn refused(reason: &str) -> NotFetched {
    NotFetched::Refused(reason.to_owned())
}

fn broken(reason: &str) -> NotFetched {
    NotFetched::Broken(reason.to_owned())
}
