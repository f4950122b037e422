//! Everything that can end a request without success, and the answer Rocket.Chat gives for it.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;
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
    /// The database did not answer in time, or there is no primary.
    #[error("The database cannot be reached, please try again [{DATABASE_UNAVAILABLE}]")]
    DatabaseUnavailable,
    /// The database answered, but with something that cannot be used.
    #[error("{0}")]
    Database(RepositoryError),
}

const DATABASE_UNAVAILABLE: &str = "error-database-unavailable";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    success: bool,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl From<RepositoryError> for ApiError {
    fn from(error: RepositoryError) -> Self {
        log::warn!("{error}");
        match error {
            RepositoryError::Unavailable(_) => Self::DatabaseUnavailable,
            RepositoryError::Refused(_) | RepositoryError::Unreadable { .. } => Self::Database(error),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::Unauthorized => StatusCode::FORBIDDEN,
            Self::DatabaseUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            // What Rocket.Chat answers when its driver throws inside an action.
            Self::Database(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let error = self.to_string();
        let mut failure = Failure { success: false, error: &error, error_type: None, status: None, message: None };
        match self {
            // The body of 7.x and 8.x holds those of the releases before and after it.
            Self::NotLoggedIn => {
                failure.status = Some("error");
                failure.message = Some(&error);
            }
            Self::DatabaseUnavailable => failure.error_type = Some(DATABASE_UNAVAILABLE),
            Self::Unauthorized | Self::Database(_) => {}
        }
        answer::json(self.status_code(), &failure)
    }
}
