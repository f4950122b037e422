//! Inserting many documents at once, each on its own.

use std::ops::Range;

use bson::{Document, RawDocumentBuf};
use futures::TryStreamExt as _;
use mongodb::{
    Collection,
    error::{Error as DriverError, ErrorKind},
};

use crate::{
    domain::{
        document::FieldChange,
        field_value::{FieldValue, Fields},
    },
    repository::{
        RepositoryError,
        bson::{
            read::read_fields,
            write::{AsDocument, document_of},
        },
        connection::{
            commands::commands_for,
            error::{DUPLICATE_KEY, is_about_operation},
        },
    },
};

/// A document that the database did not take.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its place in the list that was handed over.
    pub position: usize,
    pub because: RefusedBecause,
}

/// Why the database did not take a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedBecause {
    /// Another document has the same `_id`.
    SameId,
    /// Another document has the same value in a unique index, which has this name.
    Taken(String),
    /// In words, without any value.
    Other(String),
}

/// Inserts documents, some in each command; those that were refused. A command that is refused as a whole is halved until
/// the document to blame is alone.
///
/// # Errors
/// Some may have been stored all the same.
pub(super) async fn insert_each(
    collection: &Collection<Document>,
    documents: &[&Fields],
) -> Result<Vec<Refused>, RepositoryError> {
    let mut refused = Vec::new();
    let mut parts: Vec<Range<usize>> = commands_for(documents.len()).rev().collect();
    while let Some(part) = parts.pop().filter(|part| !part.is_empty()) {
        let documents: Vec<AsDocument<'_>> = documents[part.clone()].iter().map(|fields| AsDocument(fields)).collect();
        let collection = collection.clone_with_type::<AsDocument<'_>>();
        let Err(error) = collection.insert_many(documents).ordered(false).await else { continue };
        if let Some(errors) = of_single_documents(&error) {
            let moved = |one: Refused| Refused { position: part.start + one.position, ..one };
            refused.extend(errors.into_iter().map(moved));
            continue;
        }
        let error = RepositoryError::from(error);
        if !error.is_about_documents() {
            return Err(error);
        }
        if part.len() > 1 {
            let middle = part.start + part.len() / 2;
            parts.extend([middle..part.end, part.start..middle]);
        } else {
            let because = RefusedBecause::Other(format!("The document cannot be stored: {error}."));
            refused.push(Refused { position: part.start, because });
        }
    }
    Ok(refused)
}

/// The refusals of single documents; `None` if the command failed for another reason.
fn of_single_documents(error: &DriverError) -> Option<Vec<Refused>> {
    let ErrorKind::InsertMany(failure) = error.kind.as_ref() else { return None };
    let errors = || failure.write_errors.iter().flatten();
    if failure.write_concern_error.is_some() || errors().any(|error| is_about_operation(error.code)) {
        return None;
    }
    let refused = errors().map(|error| Refused { position: error.index, because: because(error.code, &error.message) });
    Some(refused.collect())
}

/// The database's words quote the value; the name of the index is enough.
fn because(code: i32, message: &str) -> RefusedBecause {
    if code != DUPLICATE_KEY {
        return RefusedBecause::Other(format!("The database refused the document (code {code})."));
    }
    let index = message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next());
    match index {
        Some("_id_") => RefusedBecause::SameId,
        index => RefusedBecause::Taken(index.unwrap_or_default().to_owned()),
    }
}

/// The documents that a cursor gives.
pub(super) async fn read_all(
    cursor: mongodb::Cursor<RawDocumentBuf>,
    collection: &'static str,
) -> Result<Vec<Fields>, RepositoryError> {
    let read = |document: RawDocumentBuf| {
        read_fields(&document).map_err(|reason| RepositoryError::Unreadable { collection, reason })
    };
    cursor.map_err(RepositoryError::from).and_then(|document| async move { read(document) }).try_collect().await
}

/// The `$set` of these changes.
pub(super) fn set_of(changes: &[FieldChange]) -> Document {
    let fields: Fields = changes.iter().map(|change| (change.field.as_str(), change.after.clone())).collect();
    document_of(&fields)
}

pub(super) fn text_of<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(FieldValue::as_text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_index_but_not_the_value() {
        let message =
            |index: &str| format!("E11000 duplicate key error collection: rc.r index: {index} dup key: secret");
        assert_eq!(because(DUPLICATE_KEY, &message("_id_")), RefusedBecause::SameId);
        assert_eq!(because(DUPLICATE_KEY, &message("name_1")), RefusedBecause::Taken("name_1".to_owned()));
        assert_eq!(
            because(121, "secret"),
            RefusedBecause::Other("The database refused the document (code 121).".into())
        );
    }
}
