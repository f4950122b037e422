//! Records out of a file on their way into the staging area.
//!
//! Their ids follow from the file, so a batch that is stored once more meets itself. No transaction is needed, and none is
//! used: messages come by the million.

use std::collections::BTreeMap;

use bson::{DateTime, RawDocumentBuf};
use serde::Serialize;

use super::{staged_id::StagedId, staging::Staging};
use crate::{
    domain::{field_value::Fields, record_type::RecordType},
    repository::{RepositoryError, bson::write::AsDocument, connection::error::are_only_duplicate_keys},
};

/// What a record may have. The database takes 16 MiB, and a run leaves a reason on a record that fails.
const RECORD_BYTES: usize = 15 * 1024 * 1024;

/// A record that a file gave.
#[derive(Debug)]
pub struct NewRecord {
    pub data: Fields,
    /// Where in the file it is, for people.
    pub place: String,
}

/// How Rocket.Chat's own process is to insert staged messages.
///
/// Source: `apps/meteor/server/lib/import/classes/converters/MessageConverter.ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuickInsert {
    Yes,
    NotSaid,
}

/// What became of records that were to be staged.
#[derive(Debug, Default)]
pub struct Filled {
    /// Records that are in the staging area now.
    pub staged: u64,
    /// The positions of records that the database cannot hold, and why.
    pub refused: Vec<(usize, &'static str)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredRecord<'a> {
    #[serde(rename = "_id")]
    id: &'a StagedId,
    data: AsDocument<'a>,
    data_type: &'static str,
    options: &'a BTreeMap<&'static str, Option<bool>>,
    #[serde(rename = "_updatedAt")]
    updated_at: DateTime,
    operation: &'a str,
    place: &'a str,
}

impl Staging {
    /// Stages records of a file by a majority. The first gets the ordinal `first`; a record that the database cannot hold
    /// gets none.
    ///
    /// # Errors
    /// Some records may have been staged all the same. The same call again completes them.
    pub async fn fill(
        &self,
        root: &str,
        kind: RecordType,
        quick_insert: QuickInsert,
        first: u64,
        records: &[NewRecord],
    ) -> Result<Filled, RepositoryError> {
        let now = DateTime::now();
        let mut options = BTreeMap::new();
        if kind == RecordType::Message {
            options.insert("useQuickInsert", (quick_insert == QuickInsert::Yes).then_some(true));
        }
        let (mut filled, mut documents) = (Filled::default(), Vec::with_capacity(records.len()));
        for (position, record) in records.iter().enumerate() {
            let id = StagedId::in_file(root, kind, first + filled.staged);
            let stored = StoredRecord {
                id: &id,
                data: AsDocument(&record.data),
                data_type: kind.data_type(),
                options: &options,
                updated_at: now,
                operation: root,
                place: &record.place,
            };
            match encoded(&stored) {
                Ok(document) => {
                    documents.push(document);
                    filled.staged += 1;
                }
                Err(reason) => filled.refused.push((position, reason)),
            }
        }
        if documents.is_empty() {
            return Ok(filled);
        }
        match self.records.insert_many(&documents).ordered(false).await {
            Err(error) if !are_only_duplicate_keys(&error) => Err(error.into()),
            _ => Ok(filled),
        }
    }
}

fn encoded(record: &StoredRecord<'_>) -> Result<RawDocumentBuf, &'static str> {
    let unfit = "The record holds a name that the database cannot store.";
    let bytes = bson::serialize_to_vec(record).map_err(|_| unfit)?;
    if bytes.len() > RECORD_BYTES {
        return Err("The record is larger than the database can hold.");
    }
    RawDocumentBuf::from_bytes(bytes).map_err(|_| unfit)
}
