//! Telling somebody else that an import is over, by a `POST` to a URL of theirs.
//!
//! Nothing is kept here: what is to be told and what was told stands in the database (`repository::Webhooks`), so an
//! instance may die at any moment, and several may be at it.

mod announcer;
mod backoff;
mod signature;

use std::fmt;

pub(crate) use announcer::Announcer;
use reqwest::Url;

/// Where to, and what to sign with.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    url: Url,
    secret: Option<Secret>,
}

impl Webhook {
    /// # Errors
    /// With what is wrong with the URL, without showing it.
    pub(crate) fn new(url: &str, secret: Option<Secret>) -> Result<Self, String> {
        let url: Url = url.parse().map_err(|error| format!("{error}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err("it must begin with http:// or https://".to_owned());
        }
        Ok(Self { url, secret })
    }
}

/// What both sides know and nobody else. Shown by nothing.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_the_web_are_taken_and_secrets_are_not_shown() {
        for url in ["http://a", "https://user:pass@a.b:8443/c?d=e"] {
            assert!(Webhook::new(url, None).is_ok(), "{url}");
        }
        for url in ["", "a.b/c", "ftp://a", "file:///a", "http://", "http://a:b", "mailto:a@b.c"] {
            assert!(Webhook::new(url, None).is_err(), "{url}");
        }
        assert!(!format!("{:?}", Secret::from("s3cret".to_owned())).contains("s3cret"));
    }
}
