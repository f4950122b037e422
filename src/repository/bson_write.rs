//! From the domain's field values to BSON, with the types Rocket.Chat's driver would choose.

use bson::{Bson, DateTime, Document};

use crate::domain::field_value::{FieldValue, Fields};

/// The fields as a document, in their order.
pub(super) fn document_of(fields: &Fields) -> Document {
    fields
        .iter()
        .filter(|(_, value)| **value != FieldValue::Undefined)
        .map(|(name, value)| (name.to_owned(), bson_of(value)))
        .collect()
}

fn bson_of(value: &FieldValue) -> Bson {
    match value {
        FieldValue::Null | FieldValue::Undefined => Bson::Null,
        FieldValue::Boolean(value) => Bson::Boolean(*value),
        FieldValue::Integer(value) => i32::try_from(*value).map_or(Bson::Int64(*value), Bson::Int32),
        FieldValue::Double(value) => Bson::Double(*value),
        FieldValue::Text(text) => Bson::String(text.clone()),
        FieldValue::Date(date) => Bson::DateTime(DateTime::from_millis(date.epoch_millis())),
        FieldValue::List(list) => Bson::Array(list.iter().map(bson_of).collect()),
        FieldValue::Object(fields) => Bson::Document(document_of(fields)),
    }
}
