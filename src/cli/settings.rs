//! Settings: their names, defaults and units.
//!
//! Each is a flag and an environment variable, with the name Rocket.Chat itself uses where it has one.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr},
    num::{NonZeroU16, NonZeroU64},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    domain::{
        api::{
            client_address::{Proxies, TrustedProxies},
            name_servers::NameServers,
        },
        pace::Pace,
    },
    repository::setup::preparation::Preparation,
    service::{AvatarApi, EngineSettings, FetchSettings, GoogleEndpoints, UploadSettings},
    webhook::Webhook,
};

/// The workspace's database.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArgs {
    /// Connection string of Rocket.Chat's MongoDB; the database is the one in its path, else `rocketchat`
    #[arg(long, env = "MONGO_URL", hide_env_values = true, value_name = "URL")]
    mongo_url: Option<String>,

    /// File that holds the connection string
    #[arg(long, env = "MONGO_URL_FILE", value_name = "FILE", conflicts_with = "mongo_url")]
    mongo_url_file: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Returns the connection string; `None` if it is missing or empty (an unset variable in compose).
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn mongo_url(&self) -> io::Result<Option<String>> {
        secret(self.mongo_url.as_deref(), self.mongo_url_file.as_deref())
    }
}

/// The administrator of the workspace's database.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdministratorArgs {
    /// Connection string of a user who may create users and roles, such as `root`
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
    /// Returns the connection string; `None` if it is missing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn mongo_url(&self) -> io::Result<Option<String>> {
        secret(self.admin_mongo_url.as_deref(), self.admin_mongo_url_file.as_deref())
    }
}

/// Returns the given value, or the content of the named file.
fn secret(given: Option<&str>, file: Option<&Path>) -> io::Result<Option<String>> {
    let named = file.filter(|file| !file.as_os_str().is_empty()).map(fs::read_to_string).transpose()?;
    let secret = given.map(str::to_owned).or(named);
    Ok(secret.map(|secret| secret.trim().to_owned()).filter(|secret| !secret.is_empty()))
}

/// The address of the API.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ListenArgs {
    /// TCP port of the API; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub(crate) port: u16,

    /// Address the API listens on
    #[arg(long, env = "BIND_IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "IP")]
    pub(crate) bind_ip: IpAddr,
}

/// The work accepted at once.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LimitArgs {
    /// API requests in work at once; more wait for a moment, and many more are refused with 503
    #[arg(long, env = "MAX_REQUESTS_IN_WORK", default_value_t = Self::default().max_requests_in_work, value_name = "NUMBER")]
    pub(crate) max_requests_in_work: NonZeroU16,
}

impl Default for LimitArgs {
    fn default() -> Self {
        // Enough to keep the database busy and for callers to share their reads. More would only make each take longer.
        Self { max_requests_in_work: NonZeroU16::MIN.saturating_add(63) }
    }
}

/// The settings of runs and receipts.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ImportArgs {
    /// Seconds for which transient errors of the database are retried before an import fails
    #[arg(long, env = "RETRY_FOR", default_value = "600", value_name = "SECONDS", value_parser = number_or(RETRY_SECONDS))]
    retry_for: u32,

    /// Days for which the receipts of an import are kept
    #[arg(long, env = "RECEIPT_DAYS", default_value = "90", value_name = "DAYS", value_parser = number_or(RECEIPT_DAYS))]
    receipt_days: u32,

    /// Hours for which the clear-text passwords of users who failed stay in the staging area
    #[arg(long, env = "FAILED_PASSWORD_HOURS", default_value = "72", value_name = "HOURS", value_parser = number_or(FAILED_PASSWORD_HOURS))]
    failed_password_hours: u32,

    /// Go on by itself with the import of a file that a start of Rocket.Chat ended, five times at most
    #[arg(long, env = "RESUME_AFTER_INVALIDATION", default_value = "true", value_name = "BOOL", value_parser = yes_unless_said, action = clap::ArgAction::Set)]
    resume_after_invalidation: bool,

    /// Records that a run writes in a second, at most; 0 for as many as the database takes
    #[arg(long, env = "IMPORT_PACE", default_value = "0", value_name = "RECORDS", value_parser = number_or(NO_PACE))]
    import_pace: u32,
}

/// Runs have no bound of their own unless one is set.
const NO_PACE: u32 = 0;
const RETRY_SECONDS: u32 = 600;
const RECEIPT_DAYS: u32 = 90;
const FAILED_PASSWORD_HOURS: u32 = 72;
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl ImportArgs {
    pub(crate) fn engine(self) -> EngineSettings {
        EngineSettings {
            retry_for: Duration::from_secs(self.retry_for.into()),
            receipt_lifetime: DAY * self.receipt_days,
            failed_passwords_for: HOUR * self.failed_password_hours,
            resume_after_invalidation: self.resume_after_invalidation,
            pace: Pace::new(self.import_pace),
        }
    }
}

/// The settings of import files.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileArgs {
    /// MiB of the largest file that comes as Base64 or from a URL; resumable uploads may be larger
    #[arg(long, env = "UPLOAD_LIMIT_MB", default_value = "4096", value_name = "MIB", value_parser = number_or(UPLOAD_LIMIT_MEBIBYTES))]
    upload_limit_mb: u32,

    /// MiB that all import files in the database may have together
    #[arg(long, env = "UPLOAD_QUOTA_MB", default_value = "65536", value_name = "MIB", value_parser = number_or(UPLOAD_QUOTA_MEBIBYTES))]
    upload_quota_mb: u32,

    /// MiB of import files, and of files fetched into `GridFS`, that are written in a second; 0 for as many as the database takes
    #[arg(long, env = "UPLOAD_RATE", default_value = "32", value_name = "MIB", value_parser = number_or(UPLOAD_RATE_MEBIBYTES))]
    upload_rate: u32,

    /// Days for which a file is kept whose import nobody goes on with
    #[arg(long, env = "FILE_DAYS", default_value = "14", value_name = "DAYS", value_parser = number_or(FILE_DAYS))]
    file_days: u32,

    /// Folder of this machine below which import files may be read where they are
    #[arg(long, env = "IMPORT_FOLDER", value_name = "FOLDER")]
    import_folder: Option<PathBuf>,
}

const UPLOAD_LIMIT_MEBIBYTES: u32 = 4096;
const UPLOAD_QUOTA_MEBIBYTES: u32 = 64 * 1024;
const UPLOAD_RATE_MEBIBYTES: u32 = 32;
const FILE_DAYS: u32 = 14;
const MEBIBYTE: u64 = 1024 * 1024;

impl FileArgs {
    pub(crate) fn uploads(&self) -> UploadSettings {
        UploadSettings {
            limit_bytes: u64::from(self.upload_limit_mb) * MEBIBYTE,
            quota_bytes: u64::from(self.upload_quota_mb) * MEBIBYTE,
            bytes_per_second: NonZeroU64::new(u64::from(self.upload_rate) * MEBIBYTE),
            kept_for: DAY * self.file_days,
            folder: self.import_folder.clone().filter(|folder| !folder.as_os_str().is_empty()),
        }
    }
}

/// The settings of files of messages and pictures of people.
#[derive(Debug, Clone, Args)]
pub(crate) struct FetchArgs {
    /// Files of imported messages that are fetched at once, 16 at most
    #[arg(long, env = "DOWNLOADS_AT_ONCE", default_value = "10", value_name = "NUMBER", value_parser = number_or(DOWNLOADS_AT_ONCE))]
    downloads_at_once: u32,

    /// Files of imported messages that are fetched from one host at once
    #[arg(long, env = "DOWNLOADS_PER_HOST", default_value = "10", value_name = "NUMBER", value_parser = number_or(DOWNLOADS_PER_HOST))]
    downloads_per_host: u32,

    /// Show a note in a message whose file could not be fetched
    #[arg(long, env = "MISSING_FILE_NOTES", default_value = "true", value_name = "BOOL", value_parser = yes_unless_said, action = clap::ArgAction::Set)]
    missing_file_notes: bool,

    /// Fetch the files of messages and the pictures of people by itself after the import of a file
    #[arg(long, env = "FETCH_AFTER_IMPORT", default_value = "true", value_name = "BOOL", value_parser = yes_unless_said, action = clap::ArgAction::Set)]
    fetch_after_import: bool,

    /// Where this machine sees the folder in which Rocket.Chat keeps files, for the store `FileSystem`
    #[arg(long, env = "FILE_STORE_FOLDER", value_name = "FOLDER")]
    file_store_folder: Option<PathBuf>,

    /// Addresses of the name servers (`10.0.0.53`, `10.0.0.53:5353`), with commas, for everything that is fetched; those of the
    /// machine if unset
    #[arg(long, env = "DNS_SERVERS", default_value = "", hide_default_value = true, value_name = "ADDRESSES")]
    dns_servers: NameServers,

    /// Where Google keeps objects, for the store `GoogleCloudStorage`
    #[arg(long, env = "GOOGLE_STORAGE_URL", default_value = GoogleEndpoints::STORAGE, value_name = "URL", value_parser = web_address_or(GoogleEndpoints::STORAGE))]
    google_storage_url: String,

    /// Where Google gives tokens for it
    #[arg(long, env = "GOOGLE_TOKEN_URL", default_value = GoogleEndpoints::TOKENS, value_name = "URL", value_parser = web_address_or(GoogleEndpoints::TOKENS))]
    google_token_url: String,

    /// Address of Rocket.Chat, if its own API is to set the pictures of people: then open clients show them at once
    #[arg(long, env = "AVATAR_API_URL", value_name = "URL")]
    avatar_api_url: Option<String>,

    /// Who sets them, with the permission `edit-other-user-avatar`
    #[arg(long, env = "AVATAR_API_USER_ID", value_name = "ID")]
    avatar_api_user_id: Option<String>,

    /// Token of that user; on the command line other users of the machine can see it
    #[arg(long, env = "AVATAR_API_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    avatar_api_token: Option<SecretString>,

    /// File that holds the token
    #[arg(long, env = "AVATAR_API_TOKEN_FILE", value_name = "FILE", conflicts_with = "avatar_api_token")]
    avatar_api_token_file: Option<PathBuf>,
}

const DOWNLOADS_AT_ONCE: u32 = 10;
const DOWNLOADS_PER_HOST: u32 = 10;
const MOST_DOWNLOADS: u32 = 16;

impl FetchArgs {
    /// Returns the settings of fetching.
    ///
    /// # Errors
    /// Says which setting is wrong, without any secret.
    pub(crate) fn fetch(&self) -> Result<FetchSettings, String> {
        let number = |wanted: u32| usize::try_from(wanted.clamp(1, MOST_DOWNLOADS)).unwrap_or(1);
        Ok(FetchSettings {
            at_once: number(self.downloads_at_once),
            per_host: number(self.downloads_per_host),
            notes: self.missing_file_notes,
            after_import: self.fetch_after_import,
            folder: self.file_store_folder.clone().filter(|folder| !folder.as_os_str().is_empty()),
            name_servers: self.dns_servers.clone(),
            google: GoogleEndpoints { storage: self.google_storage_url.clone(), tokens: self.google_token_url.clone() },
            avatar_api: self.avatar_api()?,
        })
    }

    fn avatar_api(&self) -> Result<Option<AvatarApi>, String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let Some(url) = given(&self.avatar_api_url) else { return Ok(None) };
        let user_id = given(&self.avatar_api_user_id)
            .ok_or("AVATAR_API_USER_ID is not set: AVATAR_API_URL needs a user who may change pictures")?;
        let token = self.avatar_api_token.as_ref().map(SecretString::expose_secret);
        let token = secret(token, self.avatar_api_token_file.as_deref())
            .map_err(|error| format!("AVATAR_API_TOKEN_FILE cannot be used: {error}"))?;
        let token = token.ok_or("AVATAR_API_TOKEN is not set: AVATAR_API_URL needs the token of its user")?;
        let api = AvatarApi::new(&url, &user_id, SecretString::from(token));
        api.map(Some).map_err(|reason| format!("AVATAR_API_URL cannot be used: {reason}"))
    }
}

/// An address of the web; an empty text means the default.
fn web_address_or(
    default: &'static str,
) -> impl Fn(&str) -> Result<String, &'static str> + Clone + Send + Sync + 'static {
    move |text| match text {
        "" => Ok(default.to_owned()),
        address if is_web_address(address) => Ok(address.to_owned()),
        _ => Err("it is no address of the web"),
    }
}

fn is_web_address(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A number; an empty text, as a compose file gives for an unset variable, means the default.
fn number_or(default: u32) -> impl Fn(&str) -> Result<u32, std::num::ParseIntError> + Clone + Send + Sync + 'static {
    move |text| if text.is_empty() { Ok(default) } else { text.parse() }
}

/// `true` or `false`; an empty text, as a compose file gives for an unset variable, means `true`.
fn yes_unless_said(text: &str) -> Result<bool, std::str::ParseBoolError> {
    if text.is_empty() { Ok(true) } else { text.parse() }
}

/// The proxies between clients and service.
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

/// An empty value (an unset variable in compose) means the default.
fn forwarded_count(text: &str) -> Result<usize, std::num::ParseIntError> {
    if text.is_empty() { Ok(0) } else { text.parse() }
}

/// The port of the metrics.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct MetricsArgs {
    /// TCP port of the metrics, on the same address as the API; 0 takes a free one. Off unless it is given
    #[arg(long, env = "METRICS_PORT", value_name = "PORT")]
    pub(crate) metrics_port: Option<u16>,
}

/// The receiver of the final status of each import.
#[derive(Debug, Clone, Args)]
pub(crate) struct WebhookArgs {
    /// URL that receives the final status of each import, by `POST`
    #[arg(long, env = "IMPORT_WEBHOOK_URL", hide_env_values = true, value_name = "URL")]
    webhook_url: Option<String>,

    /// HMAC secret of the deliveries; on the command line other users of the machine can see it
    #[arg(long, env = "IMPORT_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    webhook_secret: Option<SecretString>,
}

impl WebhookArgs {
    /// Returns the webhook; `None` if the URL is missing or empty.
    ///
    /// # Errors
    /// Says why the URL is wrong without showing it: it may contain a password.
    pub(crate) fn webhook(&self) -> Result<Option<Webhook>, String> {
        let Some(url) = self.webhook_url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let secret = self.webhook_secret.clone().filter(|secret| !secret.expose_secret().is_empty());
        let webhook = Webhook::new(url, secret);
        webhook.map(Some).map_err(|reason| format!("IMPORT_WEBHOOK_URL cannot be used: {reason}"))
    }
}

/// The preparation of the database.
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

    /// Returns the wanted steps.
    pub(crate) fn preparation(&self) -> Preparation {
        Preparation {
            initiate_replica_set: self.initiate_replica_set().map(str::to_owned),
            load_example_workspace: self.load_example_workspace,
        }
    }
}
