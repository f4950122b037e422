//! What can go wrong between this service and the database.

use mongodb::error::{Error as DriverError, ErrorKind, WriteFailure};
use thiserror::Error;

/// A database operation did not succeed.
///
/// The server's own words are left out: it quotes the commands it refuses, and in one of them stands the hash of the
/// caller's token.
#[derive(Debug, Clone, Error)]
pub enum RepositoryError {
    /// No primary could be reached, or it stopped answering. Trying again later may help.
    #[error("the database cannot be reached: {}", summary(.0))]
    Unavailable(#[source] DriverError),
    /// It did not answer in the time it was given.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The database answered that it will not do it.
    #[error("the database refused: {}", summary(.0))]
    Refused(#[source] DriverError),
    /// A stored document is not valid BSON.
    #[error("a document of {collection} cannot be read: {reason}")]
    Unreadable { collection: &'static str, reason: bson::error::Error },
}

/// What a server answers while it is not, or no longer, the primary, or is shutting down.
const NO_PRIMARY_CODES: [i32; 9] = [91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436, 211];

/// What a server answers that was started anew since a read began on it, or that ended the read: it begins again.
const CURSOR_GONE_CODES: [i32; 2] = [43, 237];

/// What a server answers whose collection was dropped under a read, or that was deposed and takes back what it has stored.
const READ_ENDED_CODE: i32 = 175;

impl RepositoryError {
    /// Whether a read that had begun was ended. Reading anew may help, unless the collection is gone.
    #[must_use]
    pub fn ended_the_read(&self) -> bool {
        matches!(self, Self::Refused(error) if has_code(error, &[READ_ENDED_CODE]))
    }
}

impl From<DriverError> for RepositoryError {
    fn from(error: DriverError) -> Self {
        let unavailable = match error.kind.as_ref() {
            ErrorKind::ServerSelection { .. }
            | ErrorKind::Io(_)
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
            // It is up, but not for us until somebody mends our credentials or its own.
            | ErrorKind::Authentication { .. }
            // It was done, but the majority that was to confirm it did not.
            | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
            ErrorKind::InsertMany(failure) if failure.write_concern_error.is_some() => true,
            ErrorKind::Command(command) => {
                NO_PRIMARY_CODES.contains(&command.code) || CURSOR_GONE_CODES.contains(&command.code)
            }
            _ => error.contains_label(mongodb::error::RETRYABLE_WRITE_ERROR),
        };
        if unavailable { Self::Unavailable(error) } else { Self::Refused(error) }
    }
}

const DUPLICATE_KEY: i32 = 11_000;

/// Whether a document with a unique value of this one's is stored already.
pub(super) fn is_duplicate_key(error: &DriverError) -> bool {
    has_code(error, &[DUPLICATE_KEY])
}

/// Whether the server answered with one of these codes.
pub(super) fn has_code(error: &DriverError, codes: &[i32]) -> bool {
    let code = match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code,
        _ => return false,
    };
    codes.contains(&code)
}

fn summary(error: &DriverError) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => format!("{} ({})", command.code_name, command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => {
            format!("{} ({})", write.code_name.as_deref().unwrap_or("write error"), write.code)
        }
        // It quotes the values that were refused.
        ErrorKind::InsertMany(_) => "not every document was stored".to_owned(),
        kind => kind.to_string(),
    }
}
