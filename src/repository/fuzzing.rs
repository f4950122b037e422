//! How stored documents are read and written.

use bson::{Document, RawDocument, error::Error};

use crate::{
    domain::field_value::Fields,
    repository::bson::{read, write},
};

/// The fields of a stored document.
///
/// # Errors
/// When the bytes are not BSON.
pub fn fields_of(document: &RawDocument) -> Result<Fields, Error> {
    read::read_fields(document)
}

/// The staged form of these fields.
#[must_use]
pub fn document_of(fields: &Fields) -> Document {
    write::document_of(fields)
}

/// The bytes that a run stores of these fields.
///
/// # Errors
/// When a name has a NUL character.
pub fn stored_as(fields: &Fields) -> Result<Vec<u8>, Error> {
    bson::serialize_to_vec(&write::AsDocument(fields))
}
