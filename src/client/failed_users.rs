//! `import.errors`, this service's own: which users failed, and why.

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Client, ClientError};

const PAGE: u64 = 100;

/// A user that was not created.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedUser {
    #[serde(default)]
    pub(crate) import_ids: Vec<String>,
    #[serde(default)]
    pub(crate) emails: Vec<String>,
    pub(crate) username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    /// The reasons.
    #[serde(default)]
    pub(crate) errors: Vec<String>,
}

/// What the server tells about the users that failed.
#[derive(Debug)]
pub(crate) enum FailedUsers {
    Told(Vec<FailedUser>),
    /// The server has no such endpoint, as Rocket.Chat.
    NotTold,
}

#[derive(Deserialize)]
struct Page {
    errors: Vec<FailedUser>,
    total: u64,
}

impl Client {
    /// Every failed user of the newest import, all pages.
    pub(crate) async fn failed_users(&self) -> Result<FailedUsers, ClientError> {
        let mut failed = Vec::new();
        loop {
            let page = self.repeat(self.patience, async || self.page_from(failed.len()).await).await;
            let page = match page {
                Ok(page) => page,
                Err(ClientError::Refused {
                    status: StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, ..
                }) => {
                    return Ok(FailedUsers::NotTold);
                }
                Err(error) => return Err(error),
            };
            let is_last = page.errors.is_empty();
            failed.extend(page.errors);
            if is_last || u64::try_from(failed.len()).unwrap_or(u64::MAX) >= page.total {
                return Ok(FailedUsers::Told(failed));
            }
        }
    }

    async fn page_from(&self, offset: usize) -> Result<Page, ClientError> {
        let endpoint = format!("import.errors?count={PAGE}&offset={offset}");
        let body = self.send(self.request(Method::GET, &endpoint)).await?;
        serde_json::from_str(&body).map_err(|_| ClientError::Unreadable("import.errors".to_owned()))
    }
}
