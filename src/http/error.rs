//! Everything that can end a request without success, and the answer Rocket.Chat gives for it.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header::RETRY_AFTER},
};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::answer;
use crate::repository::RepositoryError;

/// Why a request was not answered with success. The one place where errors become HTTP.
#[derive(Debug, Error)]
pub(super) enum ApiError {
    /// No user holds the token that was sent.
    #[error("You must be logged in to do this.")]
    NotLoggedIn,
    /// The user lacks the permission.
    #[error("User does not have the permissions required for this action [error-unauthorized]")]
    Unauthorized,
    /// The caller's address has called this endpoint too often.
    ///
    /// Source: `apps/meteor/server/api/ApiClass.ts` (`enforceRateLimit`).
    #[error(
        "Error, too many requests. Please slow down. You must wait {wait_seconds} seconds before trying this endpoint \
         again. [error-too-many-requests]"
    )]
    TooManyRequests { wait_seconds: u64 },
    /// The body is not what the endpoint takes.
    #[error("{problem}")]
    InvalidBody {
        problem: String,
        /// Where in the body, as a JSON pointer; `None` for the body as a whole.
        path: Option<String>,
    },
    /// The query is not what the endpoint takes.
    #[error("{0}")]
    InvalidQuery(&'static str),
    /// The body is larger than this service takes.
    #[error("The body is larger than {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: usize },
    /// The request cannot be done now. Rocket.Chat tells these without a code.
    #[error("{0}")]
    Rejected(&'static str),
    /// The request cannot be done now. Rocket.Chat tells these with a code and the name of the endpoint.
    #[error("{reason} [{code}]")]
    Coded { reason: String, code: &'static str, endpoint: &'static str },
    /// The body came more slowly than this service waits for one.
    #[error("The body did not come in time")]
    BodyTooSlow,
    /// There is more to do than can be done.
    #[error("The service has too much to do, please try again [{OVERLOADED}]")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database did not answer in time, or there is no primary.
    #[error("The database cannot be reached, please try again [{DATABASE_UNAVAILABLE}]")]
    DatabaseUnavailable,
    /// The database answered, but with something that cannot be used.
    #[error("{0}")]
    Database(RepositoryError),
}

const DATABASE_UNAVAILABLE: &str = "error-database-unavailable";
const OVERLOADED: &str = "error-service-overloaded";

/// A body without success in the order Rocket.Chat writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    success: bool,
    error: &'a str,
    #[serde(flatten)]
    more: Option<Value>,
}

/// The same where Rocket.Chat 8 checks a body or query against its schema: the code comes first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SchemaFailure<'a> {
    success: bool,
    error_type: &'static str,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl From<RepositoryError> for ApiError {
    fn from(error: RepositoryError) -> Self {
        log::warn!("{error}");
        match error {
            RepositoryError::Unavailable(_) | RepositoryError::TimedOut => Self::DatabaseUnavailable,
            RepositoryError::Refused(_) | RepositoryError::Unreadable { .. } => Self::Database(error),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::Unauthorized => StatusCode::FORBIDDEN,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded { .. } | Self::DatabaseUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            // A failing database, too: so Rocket.Chat answers when its driver throws inside an action.
            Self::InvalidBody { .. }
            | Self::InvalidQuery(_)
            | Self::Rejected(_)
            | Self::Coded { .. }
            | Self::Database(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let error = &self.to_string();
        let more = match self {
            Self::InvalidBody { path, .. } => {
                let details = path.as_ref().map(|path| json!({ "path": path }));
                return self.schema_failure("invalid-params", details);
            }
            Self::InvalidQuery(_) => return self.schema_failure("error-invalid-params", None),
            // The body of 7.x and 8.x holds those of the releases before and after it.
            Self::NotLoggedIn => Some(json!({ "status": "error", "message": error })),
            Self::Coded { code, endpoint, .. } => Some(json!({ "errorType": code, "details": endpoint })),
            Self::DatabaseUnavailable => Some(json!({ "errorType": DATABASE_UNAVAILABLE })),
            Self::Overloaded { .. } => Some(json!({ "errorType": OVERLOADED })),
            Self::TooManyRequests { .. }
            | Self::Unauthorized
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow
            | Self::Rejected(_)
            | Self::Database(_) => None,
        };
        let mut response = answer::json(self.status_code(), &Failure { success: false, error, more });
        match self {
            // Rocket.Chat finds out inside its actions, and what they answer is not to be kept.
            Self::TooManyRequests { .. } => answer::not_to_be_kept(response),
            Self::Overloaded { retry_after } => {
                response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
                response
            }
            _ => response,
        }
    }
}

impl ApiError {
    fn schema_failure(&self, error_type: &'static str, details: Option<Value>) -> HttpResponse {
        let error = &self.to_string();
        answer::json(self.status_code(), &SchemaFailure { success: false, error_type, error, details })
    }
}
