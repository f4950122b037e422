//! Tokens for Google's interfaces, in exchange for a claim that a service account signs.
//!
//! Source: Google's "Using OAuth 2.0 for Server to Server Applications"; RFC 7523.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use reqwest::{Client, RequestBuilder, Url};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use super::NAME;
use crate::{
    engine::pending::store::{StoreError, over_http::away},
    repository::GoogleSettings,
};

/// Objects are read, written and removed; the bucket itself is left alone.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a claim holds, which is the most that Google allows.
const CLAIM_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// A token is renewed so long before it ends.
const MARGIN: Duration = Duration::from_secs(60);

/// The way of a service account to its tokens.
#[derive(Debug)]
pub(super) struct Access {
    client: Client,
    /// The address of the account, as of a mail.
    account: String,
    key: RsaKeyPair,
    address: Url,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    token: SecretString,
    until: Instant,
    number: TokenNumber,
}

/// Which of the tokens of this process a request was sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenNumber(u64);

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

impl Access {
    /// The access of the account in the workspace's settings.
    ///
    /// # Errors
    /// With a sentence, when its key cannot be used.
    pub(super) fn new(client: Client, settings: &GoogleSettings, address: Url) -> Result<Self, String> {
        // A key that was copied out of the file of an account has its lines joined so.
        let pem = SecretString::from(settings.key.expose_secret().replace("\\n", "\n"));
        let key = match PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
            Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
            _ => None,
        };
        let key = key.ok_or_else(|| {
            "The workspace keeps files in GoogleCloudStorage, but FileUpload_GoogleStorage_Secret holds no private key."
                .to_owned()
        })?;
        Ok(Self { client, account: settings.account.clone(), key, address, held: Mutex::new(None) })
    }

    /// Gives a request the token that admits it.
    pub(super) async fn admit(&self, request: RequestBuilder) -> Result<(RequestBuilder, TokenNumber), StoreError> {
        let mut held = self.held.lock().await;
        let now = Instant::now();
        let held = match held.take() {
            Some(token) if token.until > now => held.insert(token),
            earlier => {
                let Granted { access_token, expires_in } = self.ask().await?;
                let lifetime = Duration::from_secs(expires_in).min(CLAIM_LIFETIME).saturating_sub(MARGIN);
                let number = TokenNumber(earlier.map_or(0, |earlier| earlier.number.0 + 1));
                held.insert(Held { token: SecretString::from(access_token), until: now + lifetime, number })
            }
        };
        Ok((request.bearer_auth(held.token.expose_secret()), held.number))
    }

    /// Gives up a token that the store does not take, unless there is a newer one already.
    pub(super) async fn forget(&self, number: TokenNumber) {
        if let Some(held) = self.held.lock().await.as_mut().filter(|held| held.number == number) {
            held.until = Instant::now();
        }
    }

    async fn ask(&self) -> Result<Granted, StoreError> {
        let claim =
            self.claim().ok_or_else(|| away(NAME, "cannot be reached: the claim of the account cannot be signed"))?;
        let form = [("grant_type", GRANT), ("assertion", claim.expose_secret())];
        let sent = self.client.post(self.address.clone()).form(&form).send().await;
        let answer = sent.map_err(|_| away(NAME, "cannot be reached: nothing gives tokens"))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(away(NAME, &format!("gave no token, and answered with status {}", status.as_u16())));
        }
        answer.json().await.map_err(|_| away(NAME, "gave no token"))
    }

    /// A claim to act for the account, signed with its key. Like a password, it admits everybody who has it.
    fn claim(&self) -> Option<SecretString> {
        let now = Utc::now().timestamp();
        let until = now + i64::try_from(CLAIM_LIFETIME.as_secs()).unwrap_or_default();
        let head = json!({ "alg": "RS256", "typ": "JWT" });
        let claims =
            json!({ "iss": self.account, "scope": SCOPE, "aud": self.address.as_str(), "iat": now, "exp": until });
        let encoded = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encoded(head.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(SecretString::from(format!("{signed}.{}", encoded(&signature))))
    }
}
