//! Why a file is not stored.

use super::store::StoreError;
use crate::{
    engine::{attempts::Stop, outgoing::NotFetched},
    repository::RepositoryError,
};

/// Why a file is not stored.
#[derive(Debug)]
pub(super) enum Problem {
    /// It cannot be had. The reason is a sentence for people, without any part of an address that is secret.
    Failed {
        reason: String,
        /// Whether another try is worth while.
        may_pass: bool,
        /// Whether its source has it no more.
        is_gone: bool,
    },
    /// The work cannot go on.
    Stop(Stop),
}

impl Problem {
    pub(super) fn final_one(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), may_pass: false, is_gone: false }
    }

    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), may_pass: true, is_gone: false }
    }
}

impl From<NotFetched> for Problem {
    fn from(error: NotFetched) -> Self {
        let reason = match &error {
            NotFetched::Status { status, .. } => format!("the server answered with status {status}."),
            other => format!("{other}."),
        };
        let may_pass = !matches!(error, NotFetched::Refused(_));
        Self::Failed { reason, may_pass, is_gone: error.is_gone() }
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Stop(error.into())
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        Self::Stop(error.into())
    }
}
