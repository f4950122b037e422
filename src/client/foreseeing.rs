//! `import.check` against the workspace, this service's own: what a run would do with users.

use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::IgnoredAny};

use super::{CheckUpload, Client, ClientError, Server, lines::Lines, reports::REPORT_PATIENCE};

const CHECK: &str = "import.check";

/// Users to be checked, a JSON object a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CheckedList<'a> {
    Body(&'a [u8]),
    Upload(&'a CheckUpload),
}

/// A line of the answer: one of these.
#[derive(Debug, Deserialize)]
pub(crate) struct ForeseenLine {
    pub(crate) record: Option<ForeseenUser>,
    pub(crate) problem: Option<ForeseenProblem>,
    /// The last line.
    pub(crate) end: Option<IgnoredAny>,
    /// Why the answer ends before it is whole.
    pub(crate) error: Option<String>,
}

/// The fate of a user.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForeseenUser {
    pub(crate) line: u64,
    #[serde(default)]
    pub(crate) import_ids: Vec<String>,
    pub(crate) outcome: String,
    pub(crate) account: Option<String>,
    pub(crate) found_by: Option<String>,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) twins: Vec<String>,
    #[serde(default)]
    pub(crate) warnings: Vec<ForeseenWarning>,
}

/// A value that nobody could sign up with.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ForeseenWarning {
    pub(crate) kind: String,
    pub(crate) reason: String,
}

/// A problem that the server sees in a line.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ForeseenProblem {
    /// `None` where a setting of the workspace is wrong.
    pub(crate) line: Option<u64>,
    pub(crate) severity: String,
    pub(crate) reason: String,
}

impl Client {
    /// What a run would do with the users under the rules of the parameters; `None` from a server that cannot say.
    pub(crate) async fn foresee(
        &self,
        users: CheckedList<'_>,
        parameters: &[(String, String)],
    ) -> Result<Option<Lines<'_>>, ClientError> {
        let fixed = [("workspace", "true"), ("format", "jsonl"), ("from", "own")];
        let send = async || {
            let request = self.request(Method::POST, CHECK).query(&fixed).query(parameters);
            let request = match users {
                CheckedList::Body(users) => request.body(users.to_vec()),
                CheckedList::Upload(upload) => request.query(&[("upload", upload.id.as_str())]),
            };
            self.open(request.timeout(REPORT_PATIENCE)).await
        };
        match self.repeat(self.patience, send).await {
            Ok(response) if Server::of(&response) == Server::ThisService => {
                Ok(Some(Lines::new(self.reading(response), CHECK)))
            }
            Ok(_) => Ok(None),
            // An older release of this service has no such parameter.
            Err(ClientError::Refused { status: StatusCode::BAD_REQUEST, reason })
                if reason.starts_with("workspace:") =>
            {
                Ok(None)
            }
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
