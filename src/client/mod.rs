//! The other side of the API: a client of any server that has it, this service or Rocket.Chat itself.
//!
//! Reads are simply repeated while the server is away. What changes something is not: see [`staging`].

mod check_uploads;
mod error;
mod failed_users;
mod file_imports;
mod foreseeing;
mod leaving;
mod lines;
mod outcomes;
mod reports;
mod retry;
mod staging;
mod status;
mod tls;
mod uploads;

use std::{fmt, time::Duration};

use hmac::{Hmac, Mac as _};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::Sha256;

use crate::domain::sent_list::SentList;

pub(crate) use check_uploads::{CheckUpload, SURE_BYTES};
pub(crate) use error::ClientError;
pub(crate) use failed_users::{FailedUser, FailedUsers};
pub(crate) use file_imports::{FileAccount, FileData, HistoryCheck, LeftStaged, MissingMessages, ReasonCount};
pub(crate) use foreseeing::{CheckedList, ForeseenLine, ForeseenProblem, ForeseenUser};
pub(crate) use leaving::{Leaving, LeftPerson, ReturnedPerson};
pub(crate) use lines::Lines;
pub(crate) use outcomes::{OutcomeCounts, UnsureMatch};
pub(crate) use reports::{Difference, ReceiptForm, VerifyLine, VerifySummary};
pub(crate) use retry::Patience;
pub(crate) use staging::Staging;
pub(crate) use status::{ReportedState, Status, UserCounts};
pub(crate) use uploads::FileToSend;

use retry::Retry;

/// Longer than the service may work on a batch, so that a time-out says it is not worked on any more.
const ANSWER_PATIENCE: Duration = Duration::from_secs(90);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// What to wait after a 429 that does not tell, and the most that is believed of one that does.
const UNTOLD_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// As much of a server's words as is shown.
const REASON_CHARACTERS: usize = 400;

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Stands on every answer of this service's API and on none of Rocket.Chat's.
const SERVICE: &str = "x-import-service";
const RATE_LIMIT_RESET: &str = "x-ratelimit-reset";

/// A login token or personal access token in clear text. Shown by nothing.
#[derive(Debug, Clone)]
pub(crate) struct Token(SecretString);

impl Token {
    /// `None` for a text that cannot be sent in a header.
    pub(crate) fn new(text: String) -> Option<Self> {
        let is_sendable = !text.is_empty() && HeaderValue::from_str(&text).is_ok();
        is_sendable.then(|| Self(text.into()))
    }
}

/// The program at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// It takes idempotency keys, and the operation's id with `import.run`.
    ThisService,
    /// It takes neither, and neither does an older release of this service.
    RocketChat,
}

impl Server {
    fn of(response: &Response) -> Self {
        if response.headers().contains_key(SERVICE) { Self::ThisService } else { Self::RocketChat }
    }
}

/// An answer with success.
struct Answer {
    body: String,
    server: Server,
}

/// The answer of `import.new`.
struct NewImport {
    /// The `_id` of the operation.
    operation: String,
    server: Server,
}

/// Hears of every failure before the next attempt, with the length of the pause.
pub(crate) type Notice = Box<dyn Fn(&ClientError, Duration) + Send + Sync>;

/// A client of one server, as one user.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Token,
    patience: Patience,
    notice: Notice,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// # Errors
    /// When the user id cannot be sent in a header, or TLS cannot be set up.
    pub(crate) fn new(
        base: &Url,
        user_id: &str,
        token: Token,
        patience: Patience,
        notice: Notice,
    ) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        let user_id =
            HeaderValue::from_str(user_id).map_err(|_| "the user id cannot be sent in a header".to_owned())?;
        let mut sent_token =
            HeaderValue::from_str(token.0.expose_secret()).map_err(|_| "the token cannot be sent".to_owned())?;
        sent_token.set_sensitive(true);
        headers.insert(USER_ID, user_id);
        headers.insert(AUTH_TOKEN, sent_token);
        let http = reqwest::Client::builder()
            .default_headers(headers)
            // Wherever a redirect leads, the token would go along.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(ANSWER_PATIENCE)
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self { http, base: base.as_str().trim_end_matches('/').to_owned(), token, patience, notice })
    }

    /// A fingerprint of the text that nobody without the token can find out the text by.
    pub(crate) fn fingerprint(&self, text: &[u8]) -> String {
        // Keys of any length are taken.
        let mac = Hmac::<Sha256>::new_from_slice(self.token.0.expose_secret().as_bytes());
        mac.map(|mac| format!("{:x}", mac.chain_update(text).finalize().into_bytes())).unwrap_or_default()
    }

    /// `import.status`, repeated while the server is away.
    pub(crate) async fn status(&self) -> Result<Status, ClientError> {
        self.repeat(self.patience, async || self.status_once().await).await
    }

    /// `import.status`, repeated for as long as `patience` says.
    pub(crate) async fn status_with(&self, patience: Patience) -> Result<Status, ClientError> {
        self.repeat(patience, async || self.status_once().await).await
    }

    /// `import.status` of one operation, which need not be the newest.
    pub(crate) async fn status_of(&self, operation: &str) -> Result<Status, ClientError> {
        let ask = async || {
            let request = self.request(Method::GET, "import.status").query(&[("operationId", operation)]);
            let body = self.send(request).await?;
            Status::read(body).ok_or_else(|| ClientError::Unreadable("import.status".to_owned()))
        };
        self.repeat(self.patience, ask).await
    }

    async fn status_once(&self) -> Result<Status, ClientError> {
        let body = self.send(self.request(Method::GET, "import.status")).await?;
        Status::read(body).ok_or_else(|| ClientError::Unreadable("import.status".to_owned()))
    }

    /// Whether the server is this service, not Rocket.Chat itself.
    pub(crate) async fn is_this_service(&self) -> Result<bool, ClientError> {
        Ok(self.server().await? == Server::ThisService)
    }

    /// The program at the other end.
    async fn server(&self) -> Result<Server, ClientError> {
        let ask = async || self.send_for_answer(self.request(Method::GET, "import.status")).await;
        Ok(self.repeat(self.patience, ask).await?.server)
    }

    /// `import.new`. Doing it twice does no harm: the first one is empty.
    async fn new_import(&self, list: &SentList) -> Result<NewImport, ClientError> {
        let file = list.file.as_deref().map(|file| format!("&listFile={file}")).unwrap_or_default();
        let endpoint = format!("import.new?list={}&listUsers={}{file}", list.fingerprint, list.users);
        let post = async || self.post(&endpoint, "{}".to_owned(), None).await;
        let Answer { body, server } = self.repeat(self.patience, post).await?;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let id = answer.pointer("/operation/_id").and_then(Value::as_str);
        let operation = id.map(str::to_owned).ok_or_else(|| ClientError::Unreadable("import.new".to_owned()))?;
        Ok(NewImport { operation, server })
    }

    async fn repeat<T>(
        &self,
        patience: Patience,
        send: impl AsyncFn() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut retry = Retry::new(patience);
        loop {
            match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.pause_after(error, &self.notice).await?,
            }
        }
    }

    /// Sends a JSON body, with an idempotency key where the server takes one.
    async fn post(&self, endpoint: &str, body: String, key: Option<&str>) -> Result<Answer, ClientError> {
        let mut request = self.request(Method::POST, endpoint).header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let answer = self.send_for_answer(request.body(body)).await?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if body["success"] == true { Ok(answer) } else { Err(ClientError::Unreadable(endpoint.to_owned())) }
    }

    fn request(&self, method: Method, endpoint: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1/{endpoint}", self.base))
    }

    async fn send(&self, request: RequestBuilder) -> Result<String, ClientError> {
        self.send_for_answer(request).await.map(|answer| answer.body)
    }

    async fn send_for_answer(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let response = self.open(request).await?;
        let server = Server::of(&response);
        let body = response.text().await.map_err(|error| self.unreachable(error))?;
        Ok(Answer { body, server })
    }

    /// Sends the request; an answer with success, whose body is still to be read. A 409 says that the same request is in
    /// work.
    async fn open(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = self.open_strictly(request).await;
        answer.map_err(|error| if error.is_conflict() { ClientError::InWork } else { error })
    }

    /// The same where a 409 is a refusal like others.
    async fn open_strictly(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let Blame { reason, setting } = self.blame_of(response).await;
        Err(match (status, setting) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => ClientError::NotAllowed { status, reason },
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                ClientError::TooManyRequests { wait: told_wait(&headers, &reason).min(LONGEST_WAIT) }
            }
            (status, _) if status.is_server_error() => ClientError::Unavailable { status, reason },
            (_, Some(sentence)) => ClientError::WrongSetting { sentence },
            (status, None) => ClientError::Refused { status, reason },
        })
    }

    fn unreachable(&self, error: reqwest::Error) -> ClientError {
        if let Some(fault) = tls::fault_of(&error) {
            return ClientError::Tls { fault: self.presentable(&fault) };
        }
        let was_sent = !error.is_connect() && !error.is_builder();
        let error = error.without_url();
        let mut reason = error.to_string();
        // The outermost error says nothing but that there is one.
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            reason = inner.to_string();
            cause = inner.source();
        }
        if error.is_timeout() {
            "it does not answer in time".clone_into(&mut reason);
        }
        ClientError::Unreachable { reason: self.presentable(&reason), was_sent }
    }

    /// Why the server refused: its own words where it has some.
    async fn blame_of(&self, response: Response) -> Blame {
        let status = response.status();
        if let Some(target) = response.headers().get(LOCATION).and_then(|target| target.to_str().ok()) {
            let reason = self.presentable(&format!("it redirects to {target}; give the URL it means with --url"));
            return Blame { reason, setting: None };
        }
        let body = response.text().await.unwrap_or_default();
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let words = ["error", "message"].iter().find_map(|name| answer.get(*name)?.as_str());
        let words = words.or(status.canonical_reason()).unwrap_or("no reason given");
        let details = &answer["details"];
        let reason = match blamed(details) {
            Some(blamed) => self.presentable(&format!("{words} {blamed}")),
            None => self.presentable(words),
        };
        Blame { reason, setting: details["setting"].as_str().map(|sentence| self.presentable(sentence)) }
    }

    /// Foreign words made fit to be shown: short, without control characters, and without the token even if the server
    /// repeats it.
    fn presentable(&self, words: &str) -> String {
        let words = words.replace(self.token.0.expose_secret(), "[token]");
        words.chars().filter(|character| !character.is_control()).take(REASON_CHARACTERS).collect()
    }
}

/// Why a server refused.
struct Blame {
    reason: String,
    /// The sentence about a setting that is wrong.
    setting: Option<String>,
}

/// The first user to blame in the details of a refusal.
fn blamed(details: &Value) -> Option<String> {
    let users = details["users"].as_array()?;
    let first = users.first()?;
    let more = users.len() as u64 - 1 + details["more"].as_u64().unwrap_or_default();
    let more = if more == 0 { String::new() } else { format!("; {more} more") };
    let id = first["importId"].as_str().map(|id| format!("import id {id}: ")).unwrap_or_default();
    Some(format!("({id}{}{more})", first["reason"].as_str()?))
}

/// How long a 429 asks to wait: `Retry-After` in seconds, `X-RateLimit-Reset` in milliseconds since 1970, or the number of
/// seconds in Rocket.Chat's sentence.
fn told_wait(headers: &HeaderMap, reason: &str) -> Duration {
    let header = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let until_reset = || {
        let reset = i64::try_from(header(RATE_LIMIT_RESET)?).ok()?;
        let left = reset.saturating_sub(chrono::Utc::now().timestamp_millis());
        Some(Duration::from_millis(u64::try_from(left).unwrap_or_default()))
    };
    let in_words = || {
        let (_, rest) = reason.split_once("wait ")?;
        rest.split_whitespace().next()?.parse().ok().map(Duration::from_secs)
    };
    let after = header(RETRY_AFTER.as_str()).map(Duration::from_secs);
    after.or_else(in_words).or_else(until_reset).unwrap_or(UNTOLD_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_from_header_or_sentence() {
        let sentence =
            "Error, too many requests. Please slow down. You must wait 42 seconds before trying this endpoint again.";
        let mut headers = HeaderMap::new();
        assert_eq!(told_wait(&headers, ""), UNTOLD_WAIT);
        assert_eq!(told_wait(&headers, sentence), Duration::from_secs(42));
        let reset = chrono::Utc::now().timestamp_millis() + 5000;
        headers.insert(RATE_LIMIT_RESET, HeaderValue::from(reset));
        let wait = told_wait(&headers, "slow down");
        assert!(wait > Duration::from_secs(3) && wait <= Duration::from_secs(5), "{wait:?}");
        headers.insert(RETRY_AFTER, HeaderValue::from(7));
        assert_eq!(told_wait(&headers, sentence), Duration::from_secs(7));
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Token::new("s3cret".to_owned()).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
        assert!(Token::new("line\nbreak".to_owned()).is_none());
    }
}
