//! `import.source` and `import.deactivateMissing`, this service's own: who came from a source, and who is missing.

use reqwest::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Client, ClientError};

const KEEP: &str = "import.source";
const DEACTIVATE: &str = "import.deactivateMissing";
const OPERATION: &str = "operationId";

/// A source after a file of it was kept.
#[derive(Debug, Deserialize)]
pub(crate) struct KeptSource {
    pub(crate) added: u64,
    pub(crate) people: u64,
    pub(crate) returned: Vec<ReturnedPerson>,
}

/// What became of the accounts of those who are missing, or would.
#[derive(Debug, Deserialize)]
pub(crate) struct Leaving {
    pub(crate) people: u64,
    pub(crate) limit: u64,
    pub(crate) left: Vec<LeftPerson>,
    pub(crate) remaining: u64,
    pub(crate) returned: Vec<ReturnedPerson>,
}

/// Somebody who had left and is in the file again, with an account that is inactive.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReturnedPerson {
    pub(crate) import_ids: Vec<String>,
    pub(crate) account: String,
    pub(crate) username: Option<String>,
}

/// Somebody who has left.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftPerson {
    pub(crate) import_ids: Vec<String>,
    pub(crate) account: String,
    pub(crate) username: Option<String>,
    /// `deactivated`, `same` or `refused`.
    pub(crate) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) new_owners: Vec<Value>,
    pub(crate) left_rooms: Vec<String>,
}

impl Client {
    /// Keeps that these import ids came from the source; `None` from a server that keeps no sources.
    pub(crate) async fn keep_source(
        &self,
        source: &str,
        import_ids: &[String],
    ) -> Result<Option<KeptSource>, ClientError> {
        self.post_for(KEEP, json!({ "source": source, "importIds": import_ids })).await
    }

    /// Deactivates who is missing, which the receipt of the operation then says, or says who would be; `None` from a server that keeps no sources.
    pub(crate) async fn deactivate_missing(
        &self,
        source: &str,
        import_ids: &[String],
        limit: Option<&str>,
        is_check: bool,
        operation: Option<&str>,
    ) -> Result<Option<Leaving>, ClientError> {
        let mut body = json!({ "source": source, "importIds": import_ids, "check": is_check });
        if let Some(limit) = limit {
            body["limit"] = limit.into();
        }
        if let Some(operation) = operation {
            body[OPERATION] = operation.into();
        }
        match self.post_for(DEACTIVATE, body.clone()).await {
            // A release before this one has no room for it.
            Err(ClientError::Refused { reason, .. }) if operation.is_some() && reason.contains(OPERATION) => {
                body.as_object_mut().map(|body| body.remove(OPERATION));
                self.post_for(DEACTIVATE, body).await
            }
            answer => answer,
        }
    }

    /// Doing it twice does no harm.
    async fn post_for<A: DeserializeOwned>(&self, endpoint: &str, body: Value) -> Result<Option<A>, ClientError> {
        let body = body.to_string();
        let post = async || self.post(endpoint, body.clone(), None).await;
        match self.repeat(self.patience, post).await {
            Ok(answer) => {
                let answer = serde_json::from_str(&answer.body);
                answer.map(Some).map_err(|_| ClientError::Unreadable(endpoint.to_owned()))
            }
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
