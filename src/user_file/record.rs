//! One user of a file, and what may be wrong about a line.

use serde::Serialize;

use super::fields::User;

/// A user and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The line it begins on, from 1 on.
    pub(crate) line: u64,
    pub(crate) user: User,
}

/// A line that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// From 1 on.
    pub(crate) line: u64,
    pub(crate) reason: String,
}

impl Problem {
    pub(super) fn new(line: u64, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}
