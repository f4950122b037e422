//! Why a request to a server's import API was not answered with success.

use std::time::Duration;

use reqwest::StatusCode;
use thiserror::Error;

/// The server's word for an operation that it does not have.
const UNKNOWN_OPERATION: &str = "error-operation-not-found";

/// A request failed. No message holds the token.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// The server does not know the token, or its user may not run imports (401, 403).
    #[error("the server refuses the user id and token ({}): {reason}", status.as_u16())]
    NotAllowed { status: StatusCode, reason: String },
    /// No whole answer came: the network, a time-out, a connection that broke.
    #[error("the server cannot be reached: {reason}")]
    Unreachable {
        reason: String,
        /// Whether the request may have reached the server all the same.
        was_sent: bool,
    },
    /// TLS with the server came to nothing, and would again.
    #[error("{fault}")]
    Tls { fault: String },
    /// The server or a proxy before it cannot do its work now (5xx).
    #[error("the server cannot answer ({}): {reason}", status.as_u16())]
    Unavailable { status: StatusCode, reason: String },
    /// Too many requests (429); the server says how long to wait.
    #[error("the server asks to wait for {} s", wait.as_secs())]
    TooManyRequests { wait: Duration },
    /// The same request is still in work (409).
    #[error("the server still works on the same request")]
    InWork,
    /// The server understood the request and refuses it (the other statuses).
    #[error("the server refuses this ({}): {reason}", status.as_u16())]
    Refused { status: StatusCode, reason: String },
    /// A setting of the workspace is wrong, so that it takes nobody.
    #[error("the server refuses this: {sentence}")]
    WrongSetting { sentence: String },
    /// The answer is not one of this API: perhaps the URL is another server's.
    #[error("the answer is not that of an import API: {0}")]
    Unreadable(String),
    /// Somebody else began an import or staged users meanwhile.
    #[error("{0}")]
    Interfered(String),
}

impl ClientError {
    /// Whether the same request may well succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooManyRequests { .. } | Self::InWork => true,
            Self::Unavailable { status, .. } => matches!(
                *status,
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            ),
            Self::NotAllowed { .. }
            | Self::Tls { .. }
            | Self::Refused { .. }
            | Self::WrongSetting { .. }
            | Self::Unreadable(_)
            | Self::Interfered(_) => false,
        }
    }

    /// Whether the server has no such operation.
    pub(crate) fn is_unknown_operation(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason.contains(UNKNOWN_OPERATION))
    }

    /// Whether it is a 409.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::CONFLICT, .. })
    }

    /// Whether the server may have done the work although no success was heard of.
    pub(crate) fn leaves_open_what_was_done(&self) -> bool {
        match self {
            Self::Unreachable { was_sent, .. } => *was_sent,
            Self::Unavailable { .. } | Self::Unreadable(_) | Self::InWork => true,
            Self::NotAllowed { .. }
            | Self::Tls { .. }
            | Self::TooManyRequests { .. }
            | Self::Refused { .. }
            | Self::WrongSetting { .. }
            | Self::Interfered(_) => false,
        }
    }
}
