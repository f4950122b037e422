//! What can go wrong between this service and the database.

use mongodb::error::{Error as DriverError, ErrorKind, WriteFailure};
use thiserror::Error;

/// The failure of a database operation. Every method of a repository returns one if the database does not answer or refuses.
///
/// It leaves out the server's message, which quotes the refused command and may hold the hash of a token.
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

/// The database user may not do it.
pub(in crate::repository) const UNAUTHORIZED: i32 = 13;
/// The codes that end a command for good: trying again changes nothing until somebody changes the command, the stored
/// documents, the rights of this service's database user or the disk. Everything else is tried again.
///
/// Source: MongoDB, `src/mongo/base/error_codes.yml`.
const PERMANENT_CODES: [i32; 17] = [
    2, // BadValue
    9, // FailedToParse
    UNAUTHORIZED,
    14,     // TypeMismatch
    18,     // AuthenticationFailed
    20,     // IllegalOperation
    22,     // InvalidBSON
    26,     // NamespaceNotFound
    59,     // CommandNotFound
    72,     // InvalidOptions
    73,     // InvalidNamespace
    115,    // CommandNotSupported
    121,    // DocumentValidationFailure
    166,    // CommandNotSupportedOnView
    10_334, // BSONObjectTooLarge
    11_000, // DuplicateKey
    14_031, // OutOfDiskSpace
];
/// Codes without a name of their own are assertions about what was sent or stored.
const ASSERTION: &str = "Location";
/// Of the permanent codes, those that the documents of a command bring about.
const DOCUMENT_CODES: [i32; 6] = [2, 22, 121, 10_334, 17_280, 17_419];
/// Of the codes that a write error of one document may have, those that have nothing to do with the document.
///
/// Source: MongoDB's driver specification, "Retryable Reads", and the codes of interrupted operations.
const PASSING_CODES: [i32; 24] = [
    6, 7, 24, 43, 46, 50, 64, 89, 91, 112, 134, 175, 189, 211, 237, 262, 8_000, 9_001, 10_058, 10_107, 11_600, 11_601,
    11_602, 13_435,
];
/// The codes with which every document of a command is refused.
const OPERATION_CODES: [i32; 4] = [UNAUTHORIZED, 18, 26, 14_031];

impl RepositoryError {
    /// Whether trying again may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TimedOut)
    }

    /// Whether one of the documents of the command may be to blame, and the others may be stored without it.
    pub fn is_about_documents(&self) -> bool {
        match self {
            Self::Refused(error) => match error.kind.as_ref() {
                ErrorKind::InvalidArgument { .. }
                | ErrorKind::Bson(_)
                | ErrorKind::BsonSerialization(_)
                | ErrorKind::BsonDeserialization(_) => true,
                _ => has_code(error, &DOCUMENT_CODES),
            },
            _ => false,
        }
    }
}

impl From<DriverError> for RepositoryError {
    fn from(error: DriverError) -> Self {
        let may_pass = error.contains_label(mongodb::error::RETRYABLE_WRITE_ERROR);
        if !may_pass && is_permanent(error.kind.as_ref()) { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

fn is_permanent(error: &ErrorKind) -> bool {
    match error {
        ErrorKind::Command(command) => is_permanent_code(command.code, Some(&command.code_name)),
        ErrorKind::Write(WriteFailure::WriteError(write)) => is_permanent_code(write.code, write.code_name.as_deref()),
        ErrorKind::InsertMany(failure) => {
            let errors = failure.write_errors.iter().flatten();
            failure.write_concern_error.is_none() && !errors.clone().any(|error| PASSING_CODES.contains(&error.code))
        }
        // It was done, but the majority that was to confirm it did not.
        ErrorKind::Write(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        // It is up, but not for us until somebody mends our credentials or its own.
        | ErrorKind::Authentication { .. } => false,
        _ => true,
    }
}

fn is_permanent_code(code: i32, name: Option<&str>) -> bool {
    let is_assertion = name.is_some_and(|name| name.starts_with(ASSERTION));
    PERMANENT_CODES.contains(&code) || is_assertion && !PASSING_CODES.contains(&code)
}

/// Whether a write error is one of the command as a whole and not of its document.
pub(in crate::repository) fn is_about_operation(code: i32) -> bool {
    OPERATION_CODES.contains(&code) || PASSING_CODES.contains(&code)
}

/// The code of a document with a unique value that another one has.
pub(in crate::repository) const DUPLICATE_KEY: i32 = 11_000;

const NO_SUCH_TRANSACTION: i32 = 251;
const TRANSACTION_TOO_LONG: i32 = 290;

/// Whether a document with a unique value of this one's is stored already.
pub(in crate::repository) fn is_duplicate_key(error: &DriverError) -> bool {
    has_code(error, &[DUPLICATE_KEY])
}

/// Whether the database has given up the transaction that a command is part of. It does so with those that take too long.
pub(in crate::repository) fn is_cut_short(error: &DriverError) -> bool {
    has_code(error, &[NO_SUCH_TRANSACTION, TRANSACTION_TOO_LONG])
}

/// Whether an insertion of several documents failed for nothing but documents that are stored already, or have a unique value
/// of one that is.
pub(in crate::repository) fn are_only_duplicate_keys(error: &DriverError) -> bool {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(failure) => {
            failure.write_concern_error.is_none()
                && failure.write_errors.iter().flatten().all(|error| error.code == DUPLICATE_KEY)
        }
        _ => false,
    }
}

/// Whether the server answered with one of these codes.
pub(in crate::repository) fn has_code(error: &DriverError, codes: &[i32]) -> bool {
    code_of(error).is_some_and(|code| codes.contains(&code))
}

/// The code of the server's answer.
pub(in crate::repository) fn code_of(error: &DriverError) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        _ => None,
    }
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
