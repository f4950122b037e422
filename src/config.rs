//! Settings: their names, defaults and units.
//!
//! Each is a flag and an environment variable, with the name Rocket.Chat itself uses where it has one.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU16,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    domain::client_address::{Proxies, TrustedProxies},
    webhook::{Secret, Webhook},
};

/// Where the workspace's database is.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArgs {
    /// Connection string of Rocket.Chat's MongoDB; the database is the one in its path, else `rocketchat`
    #[arg(long, env = "MONGO_URL", hide_env_values = true, value_name = "URL")]
    mongo_url: Option<String>,

    /// File that holds the connection string, for those who keep secrets in files
    #[arg(long, env = "MONGO_URL_FILE", value_name = "FILE", conflicts_with = "mongo_url")]
    mongo_url_file: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The connection string; `None` when none was given, or an empty one as an unset variable in a compose file gives.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn mongo_url(&self) -> io::Result<Option<String>> {
        secret(self.mongo_url.as_deref(), self.mongo_url_file.as_deref())
    }
}

/// Who may make users in the workspace's database.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdministratorArgs {
    /// Connection string of somebody who may make users and roles, such as `root`
    #[arg(long, env = "ADMIN_MONGO_URL", hide_env_values = true, value_name = "URL")]
    admin_mongo_url: Option<String>,

    /// File that holds that connection string
    #[arg(long, env = "ADMIN_MONGO_URL_FILE", value_name = "FILE", conflicts_with = "admin_mongo_url")]
    admin_mongo_url_file: Option<PathBuf>,

    /// First make that administrator, on a server without users that this connection string reaches over loopback
    #[arg(long, env = "CREATE_ADMINISTRATOR")]
    pub(crate) create_administrator: bool,
}

impl AdministratorArgs {
    /// The connection string; `None` when none was given.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn mongo_url(&self) -> io::Result<Option<String>> {
        secret(self.admin_mongo_url.as_deref(), self.admin_mongo_url_file.as_deref())
    }
}

/// What was given, or what the file holds that was named.
fn secret(given: Option<&str>, file: Option<&Path>) -> io::Result<Option<String>> {
    let named = file.filter(|file| !file.as_os_str().is_empty()).map(fs::read_to_string).transpose()?;
    let secret = given.map(str::to_owned).or(named);
    Ok(secret.map(|secret| secret.trim().to_owned()).filter(|secret| !secret.is_empty()))
}

/// Where the service listens.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ListenArgs {
    /// TCP port of the API; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub(crate) port: u16,

    /// Address the API listens on
    #[arg(long, env = "BIND_IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "IP")]
    pub(crate) bind_ip: IpAddr,
}

/// What the service takes on at once.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LimitArgs {
    /// Requests of the API that may be in work at once; more wait for a moment, and many more are refused with 503
    #[arg(long, env = "MAX_REQUESTS_IN_WORK", default_value_t = Self::default().max_requests_in_work, value_name = "NUMBER")]
    pub(crate) max_requests_in_work: NonZeroU16,
}

impl Default for LimitArgs {
    fn default() -> Self {
        // Enough to keep the database busy and for callers to share their reads. More would only make each take longer.
        Self { max_requests_in_work: NonZeroU16::MIN.saturating_add(63) }
    }
}

/// What stands between the clients and this service.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProxyArgs {
    /// Addresses and networks (`10.0.0.0/8`) of proxies, with commas; of others no `X-Forwarded-For` and `X-Real-IP` counts
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", hide_default_value = true, value_name = "NETWORKS")]
    trusted_proxies: TrustedProxies,

    /// Number of proxies a request passes through, as in Rocket.Chat: the client is so many from the right in
    /// `X-Forwarded-For`
    #[arg(long, env = "HTTP_FORWARDED_COUNT", default_value = "0", value_name = "NUMBER", value_parser = forwarded_count)]
    http_forwarded_count: usize,
}

impl ProxyArgs {
    pub(crate) fn proxies(&self) -> Proxies {
        Proxies { trusted: self.trusted_proxies.clone(), count: self.http_forwarded_count }
    }
}

/// As for any setting that Rocket.Chat has too, what a compose file gives for an unset variable is no mistake.
fn forwarded_count(text: &str) -> Result<usize, std::num::ParseIntError> {
    if text.is_empty() { Ok(0) } else { text.parse() }
}

/// Where the numbers for Prometheus are.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct MetricsArgs {
    /// TCP port of the metrics, on the same address as the API; 0 takes a free one. Off unless it is given
    #[arg(long, env = "METRICS_PORT", value_name = "PORT")]
    pub(crate) metrics_port: Option<u16>,
}

/// Who is told when an import is over.
#[derive(Debug, Clone, Args)]
pub(crate) struct WebhookArgs {
    /// Where to send the status of every import that is over, with `POST`
    #[arg(long, env = "IMPORT_WEBHOOK_URL", hide_env_values = true, value_name = "URL")]
    webhook_url: Option<String>,

    /// What deliveries are signed with; on the command line other users of the machine can see it
    #[arg(long, env = "IMPORT_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    webhook_secret: Option<Secret>,
}

impl WebhookArgs {
    /// `None` when no URL was given, or an empty one.
    ///
    /// # Errors
    /// With what is wrong with the URL, without showing it: there may be a password in it.
    pub(crate) fn webhook(&self) -> Result<Option<Webhook>, String> {
        let Some(url) = self.webhook_url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let secret = self.webhook_secret.clone().filter(|secret| !secret.is_empty());
        let webhook = Webhook::new(url, secret);
        webhook.map(Some).map_err(|reason| format!("IMPORT_WEBHOOK_URL cannot be used: {reason}"))
    }
}

/// What is done to the database before the service is ready.
#[derive(Debug, Clone, Args)]
pub(crate) struct PreparationArgs {
    /// Make a replica set of one out of the MongoDB server at this `host:port`, if it belongs to none yet
    #[arg(long, env = "INITIATE_REPLICA_SET", value_name = "HOST:PORT")]
    initiate_replica_set: Option<String>,

    /// Load the documentation's example workspace into a database that holds no users
    #[arg(long, env = "LOAD_EXAMPLE_WORKSPACE")]
    pub(crate) load_example_workspace: bool,
}

impl PreparationArgs {
    pub(crate) fn initiate_replica_set(&self) -> Option<&str> {
        self.initiate_replica_set.as_deref().filter(|member| !member.is_empty())
    }
}
