//! Rocket.Chat's own API, for pictures that open clients are to see at once: only Rocket.Chat tells them of a new one.
//!
//! Source: `apps/meteor/app/api/server/v1/users.ts` (`users.setAvatar`), `apps/meteor/app/api/server/ApiClass.ts` (its rate
//! limit).

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{
    Client, Response, StatusCode, Url,
    multipart::{Form, Part},
    redirect::Policy,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::{sync::Mutex, time::sleep};

use super::{problem::Problem, store::StoreError};
use crate::engine::{attempts::Stop, outgoing::retry_after};

const PATH: &str = "api/v1/users.setAvatar";
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long Rocket.Chat may take for one picture, which it makes smaller and stores.
const PATIENCE: Duration = Duration::from_secs(60);
/// When the rate limit lets the next request in, in milliseconds of the epoch.
const LIMIT_RESET: &str = "x-ratelimit-reset";
/// The rest after a request too many where nothing says how long, and the longest.
const REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(70);
/// Requests for one picture that may be one too many.
const ATTEMPTS: u32 = 20;

/// Rocket.Chat's API, and the user who sets pictures.
#[derive(Debug, Clone)]
pub struct AvatarApi {
    client: Client,
    address: Url,
    user_id: String,
    token: SecretString,
    /// One picture at a time: the chat goes on beside it.
    turn: Arc<Mutex<()>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    error: String,
    error_type: String,
}

impl AvatarApi {
    /// Rocket.Chat below `site`, and a user who may change the pictures of others.
    ///
    /// # Errors
    /// With the reason, when the address cannot be used.
    pub fn new(site: &str, user_id: &str, token: SecretString) -> Result<Self, String> {
        let mut address = Url::parse(site).map_err(|error| error.to_string())?;
        if !matches!(address.scheme(), "http" | "https") {
            return Err("it is no address of the web".to_owned());
        }
        address.set_path(&format!("{}/{PATH}", address.path().trim_end_matches('/')));
        let client = Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT_PATIENCE);
        let client = client.timeout(PATIENCE).build().map_err(|error| error.without_url().to_string())?;
        Ok(Self { client, address, user_id: user_id.to_owned(), token, turn: Arc::default() })
    }

    /// Has Rocket.Chat give an account this picture.
    ///
    /// # Errors
    /// When Rocket.Chat refuses the picture, or cannot be reached.
    pub(super) async fn set(&self, account: &str, media_type: &str, bytes: &[u8]) -> Result<(), Problem> {
        let _turn = self.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let answer = self.send(account, media_type, bytes.to_vec()).await?;
            match answer.status() {
                status if status.is_success() => return Ok(()),
                StatusCode::TOO_MANY_REQUESTS => sleep(rest(&answer)).await,
                StatusCode::UNAUTHORIZED => {
                    return Err(Problem::Stop(Stop::Failed(
                        "Rocket.Chat does not take AVATAR_API_USER_ID and AVATAR_API_TOKEN.".to_owned(),
                    )));
                }
                status if status.is_client_error() => return Err(refused(status, answer).await),
                status => return Err(away(&format!("answered with status {}", status.as_u16()))),
            }
        }
        Err(away("has too much to do"))
    }

    async fn send(&self, account: &str, media_type: &str, bytes: Vec<u8>) -> Result<Response, Problem> {
        let name = format!("picture.{}", media_type.rsplit('/').next().unwrap_or_default());
        let image = Part::bytes(bytes).file_name(name).mime_str(media_type);
        let image = image.map_err(|_| Problem::final_one("The type of the picture cannot be sent."))?;
        let request = self
            .client
            .post(self.address.clone())
            .header("X-User-Id", &self.user_id)
            .header("X-Auth-Token", self.token.expose_secret())
            .multipart(Form::new().text("userId", account.to_owned()).part("image", image));
        request.send().await.map_err(|_| away("cannot be reached"))
    }
}

fn away(what: &str) -> Problem {
    StoreError::Away(format!("Rocket.Chat, which sets the pictures (AVATAR_API_URL), {what}.")).into()
}

async fn refused(status: StatusCode, answer: Response) -> Problem {
    let refusal: Refusal = answer.json().await.unwrap_or_default();
    let reason = [refusal.error, refusal.error_type].into_iter().find(|reason| !reason.is_empty());
    let reason = reason.unwrap_or_else(|| format!("status {}", status.as_u16()));
    Problem::final_one(format!("Rocket.Chat refused the picture: {reason}."))
}

/// How long to wait after a request too many.
fn rest(answer: &Response) -> Duration {
    let reset = || {
        let reset: i64 = answer.headers().get(LIMIT_RESET)?.to_str().ok()?.trim().parse().ok()?;
        let millis = reset.saturating_sub(Utc::now().timestamp_millis()).max(0);
        u64::try_from(millis).ok().map(Duration::from_millis)
    };
    retry_after(answer).or_else(reset).unwrap_or(REST).min(LONGEST_REST)
}
