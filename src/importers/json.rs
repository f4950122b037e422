//! JSON as the data of records.

use compact_str::CompactString;
use serde_json::Value;

use crate::domain::field_value::{Date, FieldValue, Fields};

/// The same value, with the numbers of JavaScript.
pub(super) fn field_value(value: Value) -> FieldValue {
    match value {
        Value::Null => FieldValue::Null,
        Value::Bool(value) => FieldValue::Boolean(value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| FieldValue::Double(number.as_f64().unwrap_or_default()), FieldValue::Integer)
        }
        Value::String(text) => FieldValue::Text(text.into()),
        Value::Array(values) => FieldValue::List(values.into_iter().map(field_value).collect()),
        Value::Object(members) => FieldValue::Object(fields(members)),
    }
}

pub(super) fn fields(members: serde_json::Map<String, Value>) -> Fields {
    members.into_iter().map(|(name, value)| (name, field_value(value))).collect()
}

pub(super) fn text(text: impl Into<CompactString>) -> FieldValue {
    FieldValue::Text(text.into())
}

pub(super) fn texts<T: Into<CompactString>>(texts: impl IntoIterator<Item = T>) -> FieldValue {
    FieldValue::List(texts.into_iter().map(text).collect())
}

pub(super) fn date(millis: i64) -> FieldValue {
    FieldValue::Date(Date::from_epoch_millis(millis))
}

/// `{_id: id}`, by which records name somebody.
pub(super) fn person(id: impl Into<CompactString>) -> FieldValue {
    FieldValue::Object(Fields::from_iter([("_id", text(id))]))
}

/// The text of a member of a JSON object, if there is any.
pub(super) fn text_of<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The JSON object that an element is.
///
/// # Errors
/// With the reason, which quotes nothing of the element.
pub(super) fn object_of(json: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice::<Value>(json) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err("It is no JSON object.".to_owned()),
        Err(error) => Err(format!("Its JSON is broken at line {}, column {} of it.", error.line(), error.column())),
    }
}
