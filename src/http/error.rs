//! Everything that can end a request without success, and the answer Rocket.Chat gives for it.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::{
    answer,
    refused_users::{RefusedUser, RefusedUsers},
};
use crate::{
    domain::{operation::State, shown_value::shown},
    engine::{Refusal, UploadRefusal},
    repository::{RepositoryError, setup::MissingPrivilege},
};

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
    /// A check of a file by the same caller has not ended yet.
    #[error(
        "A check of yours is still in work, and a caller has one at a time. You must wait {wait_seconds} seconds before \
         trying this endpoint again. [error-too-many-requests]"
    )]
    CheckInWork { wait_seconds: u64 },
    /// The body is not what the endpoint takes.
    #[error("{problem}")]
    InvalidBody {
        problem: String,
        /// Where in the body, as a JSON pointer; `None` for the body as a whole.
        path: Option<String>,
    },
    /// The same, with a sentence of ours that says which value it is and the way out.
    #[error("{problem}")]
    UnfitBody { problem: String, path: String, reason: String },
    /// Users of a call are not what the endpoint takes. The sentence is Rocket.Chat's and about the first of them, the users
    /// to blame are ours.
    #[error("{problem}")]
    InvalidUser { problem: String, path: String, users: RefusedUsers },
    /// Users of a call cannot be staged. The sentence is Rocket.Chat's, the users to blame are ours.
    #[error("{reason}")]
    RefusedUsers { reason: &'static str, details: RefusedUsers },
    /// The query is not what the endpoint takes.
    #[error("{0}")]
    InvalidQuery(&'static str),
    /// A parameter of the query cannot be used.
    #[error("{parameter}: {reason}")]
    InvalidParameter { parameter: String, reason: String },
    /// A header is not one that the endpoint takes.
    #[error("{0}")]
    InvalidHeader(&'static str),
    /// The idempotency key of the call was used for another body.
    #[error("This Idempotency-Key was used with another body before; give each body a key of its own [{KEY_REUSED}]")]
    KeyReused,
    /// A call with the same idempotency key has not ended yet.
    #[error("A call with this Idempotency-Key is still in work, please send it again in a moment [{KEY_IN_WORK}]")]
    KeyInWork,
    /// The body is larger than this service takes.
    #[error("The body is larger than {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: usize },
    /// The request cannot be done now. Rocket.Chat tells these without a code.
    #[error("{0}")]
    Rejected(&'static str),
    /// The operation that is to be run is not the newest one.
    #[error("{OTHER_OPERATION}")]
    OtherOperation { wanted: String, newest: String },
    /// The request cannot be done now. Rocket.Chat tells these with a code and the name of the endpoint.
    #[error("{reason} [{code}]")]
    Coded { reason: String, code: &'static str, endpoint: &'static str },
    /// The file of the operation cannot be loaded. Rocket.Chat answers the importer's own words without a code.
    #[error("{problem}")]
    FileNotLoaded { problem: String },
    /// A file is not taken.
    #[error("{0}")]
    Upload(UploadRefusal),
    /// The body is of a kind that the endpoint does not take.
    #[error("{0}")]
    UnsupportedBody(&'static str),
    /// The client speaks another version of tus.
    #[error("The header Tus-Resumable must be 1.0.0")]
    OtherProtocol,
    /// The body came more slowly than this service waits for one.
    #[error("The body did not come in time")]
    BodyTooSlow,
    /// There is more to do than can be done.
    #[error("The service has too much to do, please try again [{OVERLOADED}]")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The workspace would remove messages soon after they are imported.
    #[error("{0}. Change the retention policy, or start with `acceptRetention: true` [{RETENTION}]")]
    Retention(Refusal),
    /// The database user of this service may not do what the request takes.
    #[error(
        "The database user of this service may not {}: run `rocketchat-import create-database-user{}` \
         [{DATABASE_PRIVILEGES}]",
        listed(.missing),
        if .missing.iter().any(MissingPrivilege::is_for_files) { " --for files" } else { "" }
    )]
    MissingPrivileges { missing: Vec<MissingPrivilege> },
    /// The database did not answer in time, or there is no primary.
    #[error("The database cannot be reached, please try again [{DATABASE_UNAVAILABLE}]")]
    DatabaseUnavailable,
    /// The database answered, but with something that cannot be used.
    #[error("{0}")]
    Database(RepositoryError),
}

/// Source: `apps/meteor/server/services/import/service.ts` (`addUsers`).
pub(super) const MISSING_DATA: &str = "Users are missing required data.";
pub(super) const UNKNOWN_ROLE: &str = "One or more of the users have been assigned invalid roles.";

const OTHER_OPERATION: &str = "The newest import operation is not the one in operationId.";

const DATABASE_UNAVAILABLE: &str = "error-database-unavailable";
const DATABASE_PRIVILEGES: &str = "error-database-privileges";
const RETENTION: &str = "error-retention-policy";
const KEY_REUSED: &str = "error-idempotency-key-reused";
const KEY_IN_WORK: &str = "error-idempotency-key-in-work";
const OVERLOADED: &str = "error-service-overloaded";

const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
/// When to try again while other files are on their way.
const UPLOAD_RETRY: Duration = Duration::from_secs(10);

fn status_of(refusal: &UploadRefusal) -> StatusCode {
    match refusal {
        UploadRefusal::TooLarge { .. } | UploadRefusal::OverQuota { .. } | UploadRefusal::BeyondTheEnd { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        UploadRefusal::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
        UploadRefusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        UploadRefusal::NoSuchUpload | UploadRefusal::NotForCheck | UploadRefusal::NotComplete { .. } => {
            StatusCode::NOT_FOUND
        }
        UploadRefusal::OtherOffset { .. }
        | UploadRefusal::Outpaced
        | UploadRefusal::ImportInTheWay(_)
        | UploadRefusal::InUse => StatusCode::CONFLICT,
        UploadRefusal::OtherContent => StatusCode::UNPROCESSABLE_ENTITY,
        UploadRefusal::UnknownImporter(_)
        | UploadRefusal::Path(_)
        | UploadRefusal::NoSuchPath(_)
        | UploadRefusal::Fetch(_)
        | UploadRefusal::Operation(_) => StatusCode::BAD_REQUEST,
    }
}

fn listed(missing: &[MissingPrivilege]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The body of an answer without success, with its fields in Rocket.Chat's order.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ErrorBody {
    Failure(Failure),
    NotLoggedIn(NotLoggedIn),
    Coded(CodedFailure),
    RefusedUsers(UsersFailure),
    OtherOperation(OperationFailure),
    Service(ServiceFailure),
    Invalid(InvalidParameters),
}

/// The reason alone.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    success: bool,
    error: String,
}

/// The body of 7.x and 8.x, which holds those of the releases before and after it.
#[derive(Serialize)]
pub(super) struct NotLoggedIn {
    success: bool,
    error: String,
    status: &'static str,
    message: String,
}

/// The reason with a code and the name of the endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodedFailure {
    success: bool,
    error: String,
    error_type: &'static str,
    details: &'static str,
}

/// The reason with the users to blame.
#[derive(Serialize, ToSchema)]
pub(super) struct UsersFailure {
    success: bool,
    error: String,
    details: RefusedUsers,
}

/// The reason with the operation that is the newest.
#[derive(Serialize, ToSchema)]
pub(super) struct OperationFailure {
    success: bool,
    error: String,
    details: NewestOperation,
}

/// The newest operation, in the place of the one that was wanted.
#[derive(Serialize, ToSchema)]
pub(super) struct NewestOperation {
    /// A sentence for a person, with both ids and the way out.
    reason: String,
    /// The `_id` of the newest operation.
    newest: String,
}

/// The reason with a code of this service.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceFailure {
    success: bool,
    error: String,
    error_type: &'static str,
}

/// The problem of a query or body that Rocket.Chat 8 checks against its schema: the code comes first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InvalidParameters {
    success: bool,
    error_type: &'static str,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<PlaceInBody>,
}

/// A place in the body, as a JSON pointer, and the users who are wrong: the first of them stands there.
#[derive(Serialize, ToSchema)]
pub(super) struct PlaceInBody {
    path: String,
    /// A sentence for a person: the value or the name, and the way out. Missing where `users` have one each.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    reason: Option<String>,
    /// The first twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    users: Vec<RefusedUser>,
    /// Further users who are wrong; missing where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    more: Option<u64>,
}

impl PlaceInBody {
    fn new(path: &str, reason: Option<String>) -> Self {
        Self { path: path.to_owned(), reason, users: Vec::new(), more: None }
    }
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

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected(match refusal {
            Refusal::NotInitialized => "Import operation not initialized.",
            Refusal::Finished => "The current import operation is already finished.",
            Refusal::TakesNoData => "The current import operation can not receive new data.",
            Refusal::TooMany => {
                "The database does not store so many users at once: it cut the transaction short, and none is staged. Send \
                 fewer at once."
            }
            Refusal::MissingData => MISSING_DATA,
            Refusal::UnknownRole { .. } => UNKNOWN_ROLE,
            Refusal::NotFound => "error-operation-not-found",
            Refusal::OtherOperation => OTHER_OPERATION,
            Refusal::NotReady => "error-invalid-operation-status",
            Refusal::NoImporter => "error-importer-not-defined",
            Refusal::NotFinished => "The current import operation is not finished.",
            Refusal::NotEnded(State::New) => {
                "The current import operation is not finished: it waits for users. Add them, or clear it."
            }
            Refusal::NotEnded(State::Loading) => {
                "The current import operation is not finished: its file is being read. Follow it with import.status, or \
                 clear it."
            }
            Refusal::NotEnded(State::Ready) => {
                "The current import operation is not finished: it is ready. Run it, or clear it."
            }
            Refusal::NotEnded(_) => {
                "The current import operation is not finished: it is running. Follow it with import.status, or clear it."
            }
            Refusal::ResumedMeanwhile => {
                "The current import operation is not finished: another call has resumed it just now."
            }
            Refusal::NothingStaged => {
                "There are no staged users to go on with: all were imported, or the import was cleared. Begin a new one."
            }
            Refusal::StillTidyingUp => "The import before is still being tidied up. Please try again in a few seconds.",
            Refusal::KeyReused => return Self::KeyReused,
            Refusal::KeyInWork => return Self::KeyInWork,
            Refusal::Retention { .. } => return Self::Retention(refusal),
            Refusal::MissingPrivileges(missing) => return Self::MissingPrivileges { missing },
            Refusal::Database(error) => return error.into(),
        })
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::Unauthorized => StatusCode::FORBIDDEN,
            Self::TooManyRequests { .. } | Self::CheckInWork { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upload(refusal) => status_of(refusal),
            Self::UnsupportedBody(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OtherProtocol => StatusCode::PRECONDITION_FAILED,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::KeyInWork => StatusCode::CONFLICT,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded { .. } | Self::DatabaseUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            // A failing database, too: so Rocket.Chat answers when its driver throws inside an action.
            Self::InvalidBody { .. }
            | Self::UnfitBody { .. }
            | Self::OtherOperation { .. }
            | Self::InvalidUser { .. }
            | Self::InvalidQuery(_)
            | Self::InvalidParameter { .. }
            | Self::InvalidHeader(_)
            | Self::Rejected(_)
            | Self::RefusedUsers { .. }
            | Self::Coded { .. }
            | Self::FileNotLoaded { .. }
            | Self::Retention(_)
            | Self::MissingPrivileges { .. }
            | Self::Database(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = answer::json(self.status_code(), &self.body());
        match self {
            // Rocket.Chat finds out inside its actions, and what they answer is not to be kept.
            Self::TooManyRequests { .. } | Self::CheckInWork { .. } => answer::not_to_be_kept(response),
            Self::Upload(UploadRefusal::Busy) => {
                response.headers_mut().insert(RETRY_AFTER, UPLOAD_RETRY.as_secs().into());
                response
            }
            Self::OtherProtocol => {
                response.headers_mut().insert(TUS_VERSION, HeaderValue::from_static("1.0.0"));
                response
            }
            Self::Overloaded { retry_after } => {
                response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
                response
            }
            _ => response,
        }
    }
}

impl ApiError {
    /// Returns the body of the answer.
    pub(super) fn body(&self) -> ErrorBody {
        let (success, error) = (false, self.to_string());
        let service = |error, error_type| ErrorBody::Service(ServiceFailure { success, error, error_type });
        let invalid = |error, error_type, path: Option<&String>| {
            let details = path.map(|path| PlaceInBody::new(path, None));
            ErrorBody::Invalid(InvalidParameters { success, error_type, error, details })
        };
        match self {
            Self::InvalidBody { path, .. } => invalid(error, "invalid-params", path.as_ref()),
            Self::UnfitBody { path, reason, .. } => {
                let details = Some(PlaceInBody::new(path, Some(reason.clone())));
                ErrorBody::Invalid(InvalidParameters { success, error_type: "invalid-params", error, details })
            }
            Self::OtherOperation { wanted, newest } => {
                let reason = format!(
                    "operationId is \"{}\", and the newest operation is \"{newest}\": give that one, or leave \
                     operationId out",
                    shown(wanted)
                );
                let details = NewestOperation { reason, newest: newest.clone() };
                ErrorBody::OtherOperation(OperationFailure { success, error, details })
            }
            Self::InvalidUser { path, users, .. } => {
                let (named, more) = users.named();
                let more = Some(more);
                let details = Some(PlaceInBody { users: named.to_vec(), more, ..PlaceInBody::new(path, None) });
                ErrorBody::Invalid(InvalidParameters { success, error_type: "invalid-params", error, details })
            }
            Self::InvalidQuery(_) | Self::InvalidParameter { .. } | Self::InvalidHeader(_) => {
                invalid(error, "error-invalid-params", None)
            }
            Self::NotLoggedIn => {
                ErrorBody::NotLoggedIn(NotLoggedIn { success, message: error.clone(), error, status: "error" })
            }
            Self::Coded { code, endpoint, .. } => {
                ErrorBody::Coded(CodedFailure { success, error, error_type: code, details: endpoint })
            }
            Self::RefusedUsers { details, .. } => {
                ErrorBody::RefusedUsers(UsersFailure { success, error, details: details.clone() })
            }
            Self::DatabaseUnavailable => service(error, DATABASE_UNAVAILABLE),
            Self::MissingPrivileges { .. } => service(error, DATABASE_PRIVILEGES),
            Self::Retention(_) => service(error, RETENTION),
            Self::KeyReused => service(error, KEY_REUSED),
            Self::KeyInWork => service(error, KEY_IN_WORK),
            Self::Overloaded { .. } => service(error, OVERLOADED),
            Self::TooManyRequests { .. }
            | Self::CheckInWork { .. }
            | Self::Unauthorized
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow
            | Self::FileNotLoaded { .. }
            | Self::Rejected(_)
            | Self::Upload(_)
            | Self::UnsupportedBody(_)
            | Self::OtherProtocol
            | Self::Database(_) => ErrorBody::Failure(Failure { success, error }),
        }
    }
}
