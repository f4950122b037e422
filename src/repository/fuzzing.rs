//! How stored documents are read and written.

use bson::{Document, RawDocument, error::Error};

use super::{bson_fields, bson_write};
use crate::domain::field_value::Fields;

/// The fields of a stored document.
///
/// # Errors
/// When the bytes are not BSON.
pub fn fields_of(document: &RawDocument) -> Result<Fields, Error> {
    bson_fields::read_fields(document)
}

/// What is staged of these fields.
#[must_use]
pub fn document_of(fields: &Fields) -> Document {
    bson_write::document_of(fields)
}

/// The bytes that a run stores of these fields.
///
/// # Errors
/// When a name has a NUL character.
pub fn stored_as(fields: &Fields) -> Result<Vec<u8>, Error> {
    bson::serialize_to_vec(&bson_write::AsDocument(fields))
}
