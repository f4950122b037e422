//! Idempotency keys of calls that stage users, in a collection of our own.
//!
//! A key is stored in the transaction that stages the call's users: both are there or neither. It belongs to one
//! operation, or to the first of those that go on with its records, and lives as long as they do.

use bson::{DateTime, Document, doc};
use mongodb::{ClientSession, Collection, error::Error as DriverError, options::ReadConcern};

use crate::repository::{
    Connection, RepositoryError,
    connection::error::{has_code, is_duplicate_key},
};

pub(in crate::repository) const COLLECTION: &str = "rocketchat_import_service_keys";
/// Another transaction has written the document and has not ended.
const WRITE_CONFLICT: i32 = 112;

/// A call that may be sent several times and is to be done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentCall {
    /// The key that the client gave it.
    pub key: String,
    /// SHA-256 of the body in hexadecimal digits.
    pub body_hash: String,
}

/// The earlier use of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// The same call was done.
    SameBody,
    /// A call with another body was done.
    OtherBody,
}

/// Why a key could not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyConflict {
    /// A call with this key was done before.
    Used,
    /// A call with this key is being done.
    InWork,
}

/// Reads and writes idempotency keys.
#[derive(Debug, Clone)]
pub struct Keys {
    records: Collection<Document>,
}

impl Keys {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { records: connection.collection(COLLECTION) }
    }

    /// Returns how the key of `call` was used for the root operation `operation` before; `None` if it was not. Counts only
    /// what a majority has stored.
    pub async fn find(&self, operation: &str, call: &IdempotentCall) -> Result<Option<KeyUse>, RepositoryError> {
        let id = doc! { "_id": id_of(operation, &call.key) };
        let found = self.records.find_one(id).read_concern(ReadConcern::majority()).await?;
        Ok(found.map(|found| match found.get_str("hash") {
            Ok(hash) if hash == call.body_hash => KeyUse::SameBody,
            _ => KeyUse::OtherBody,
        }))
    }

    /// Stores the key as the first thing that a transaction does, so that of two calls with the same key only one gets
    /// any further.
    ///
    /// # Errors
    /// A custom error with a [`KeyConflict`] if the key is there.
    pub(super) async fn store(
        &self,
        operation: &str,
        call: &IdempotentCall,
        session: &mut ClientSession,
    ) -> mongodb::error::Result<()> {
        let record = doc! { "_id": id_of(operation, &call.key), "hash": &call.body_hash, "at": DateTime::now() };
        let stored = self.records.insert_one(record).session(session).await;
        stored.map(drop).map_err(|error| {
            if is_duplicate_key(&error) {
                DriverError::custom(KeyConflict::Used)
            } else if has_code(&error, &[WRITE_CONFLICT]) {
                // The driver would begin the transaction anew until the other one has ended.
                DriverError::custom(KeyConflict::InWork)
            } else {
                error
            }
        })
    }

    /// Removes the keys of an operation whose staged users are gone.
    pub async fn remove(&self, operation: &str) -> Result<(), RepositoryError> {
        // `;` is the character after `:`.
        let of_operation = doc! { "_id": { "$gte": format!("{operation}:"), "$lt": format!("{operation};") } };
        self.records.delete_many(of_operation).await?;
        Ok(())
    }
}

fn id_of(operation: &str, key: &str) -> String {
    format!("{operation}:{key}")
}
