//! Telling somebody else that an import is over, by a `POST` to a URL of theirs.
//!
//! Nothing is kept here: the ends to report and those reported stand in the database (`repository::Webhooks`), so an
//! instance may die at any moment, and several may be at it.

mod backoff;
mod dispatcher;
mod signature;

pub(crate) use dispatcher::WebhookDispatcher;
use reqwest::Url;
use secrecy::SecretString;

/// Where to, and what to sign with.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    url: Url,
    secret: Option<SecretString>,
}

impl Webhook {
    /// # Errors
    /// With the reason why the URL is wrong, without showing it.
    pub(crate) fn new(url: &str, secret: Option<SecretString>) -> Result<Self, String> {
        let url: Url = url.parse().map_err(|error| format!("{error}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err("it must begin with http:// or https://".to_owned());
        }
        Ok(Self { url, secret })
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
        let webhook = Webhook::new("http://a", Some(SecretString::from("s3cret"))).unwrap();
        assert!(!format!("{webhook:?}").contains("s3cret"));
    }
}
