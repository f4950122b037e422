//! From stored BSON to the domain's field values, the way Rocket.Chat's driver and `JSON.stringify` see them.
//!
//! Kinds that JSON has no word for become what Rocket.Chat's answers would show for them: an ObjectId its hex digits, a
//! UUID its dashed text, other binary data Base64, and the rest the object its driver class turns into.
//! Source: the `toJSON` methods of mongodb/js-bson.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{
    RawBsonRef, RawDocument,
    error::Error,
    raw::{RawBson, RawElement},
    spec::{BinarySubtype, ElementType},
};

use crate::domain::field_value::{Date, FieldValue, Fields};

/// Bytes in a UUID.
const UUID_LENGTH: usize = 16;

/// Reads a whole document, every field in stored order.
///
/// Text that is not UTF-8 is read with U+FFFD in place of what is wrong.
///
/// # Errors
/// When the bytes are not BSON, or a field's name is not UTF-8.
pub(super) fn read_fields(document: &RawDocument) -> Result<Fields, Error> {
    document
        .iter_elements()
        .map(|element| {
            let element = element?;
            Ok((element.key().as_str(), read_element(&element)?))
        })
        .collect()
}

fn read_element(element: &RawElement<'_>) -> Result<FieldValue, Error> {
    match element.element_type() {
        // Borrowing would refuse text that is not UTF-8.
        ElementType::String
        | ElementType::Symbol
        | ElementType::JavaScriptCode
        | ElementType::JavaScriptCodeWithScope => read_text(element.value_utf8_lossy()?),
        // Neither shows its content in JSON, so what is in them cannot be wrong either.
        ElementType::RegularExpression | ElementType::DbPointer => Ok(empty_object()),
        _ => read_value(element.value()?),
    }
}

fn read_text(value: RawBson) -> Result<FieldValue, Error> {
    Ok(match value {
        RawBson::String(text) | RawBson::Symbol(text) => FieldValue::Text(text),
        RawBson::JavaScriptCode(code) => wrapped("code", code),
        RawBson::JavaScriptCodeWithScope(scoped) => FieldValue::Object(Fields::from_iter([
            ("code", FieldValue::Text(scoped.code)),
            ("scope", FieldValue::Object(read_fields(&scoped.scope)?)),
        ])),
        _ => empty_object(),
    })
}

fn empty_object() -> FieldValue {
    FieldValue::Object(Fields::default())
}

fn read_value(value: RawBsonRef<'_>) -> Result<FieldValue, Error> {
    Ok(match value {
        RawBsonRef::Null => FieldValue::Null,
        RawBsonRef::Undefined => FieldValue::Undefined,
        RawBsonRef::Boolean(value) => FieldValue::Boolean(value),
        RawBsonRef::Int32(value) => FieldValue::Integer(value.into()),
        RawBsonRef::Int64(value) => FieldValue::Integer(value),
        RawBsonRef::Double(value) => FieldValue::Double(value),
        RawBsonRef::DateTime(date) => FieldValue::Date(Date::from_epoch_millis(date.timestamp_millis())),
        RawBsonRef::ObjectId(id) => FieldValue::Text(id.to_hex()),
        RawBsonRef::Document(document) => FieldValue::Object(read_fields(document)?),
        RawBsonRef::Array(array) => FieldValue::List(
            array.iter_elements().map(|element| read_element(&element?)).collect::<Result<_, Error>>()?,
        ),
        RawBsonRef::Binary(binary) => FieldValue::Text(match (binary.subtype, binary.bytes) {
            (BinarySubtype::Uuid, bytes) if bytes.len() == UUID_LENGTH => {
                let mut uuid = [0; UUID_LENGTH];
                uuid.copy_from_slice(bytes);
                bson::Uuid::from_bytes(uuid).to_string()
            }
            (_, bytes) => BASE64_STANDARD.encode(bytes),
        }),
        RawBsonRef::Timestamp(timestamp) => {
            let joined = (u64::from(timestamp.time) << 32) | u64::from(timestamp.increment);
            wrapped("$timestamp", joined.to_string())
        }
        RawBsonRef::Decimal128(decimal) => wrapped("$numberDecimal", decimal.to_string()),
        // Objects without properties of their own; texts and code were read before.
        _ => empty_object(),
    })
}

fn wrapped(name: &str, text: String) -> FieldValue {
    FieldValue::Object(Fields::from_iter([(name, FieldValue::Text(text))]))
}
