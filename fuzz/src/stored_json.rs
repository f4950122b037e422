use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Bson, Document, spec::BinarySubtype};
use chrono::{DateTime, Datelike as _};
use serde_json::Value;

/// Fails unless `json` is what the documented mapping makes of the stored document. Written apart from the service's
/// own mapping, over the driver's other reader.
pub fn assert_shows(json: &Value, stored: &Document) {
    assert!(shows_fields(json, stored), "{json}\nis not\n{stored:?}");
}

fn shows_fields(json: &Value, stored: &Document) -> bool {
    let Some(json) = json.as_object() else { return false };
    let shown: Vec<_> = stored.iter().filter(|(_, value)| **value != Bson::Undefined).collect();
    json.len() == shown.len()
        && json.iter().zip(shown).all(|((name, json), (key, stored))| name == key && shows(json, stored))
}

fn shows(json: &Value, stored: &Bson) -> bool {
    let holds_only = |name: &str, text: &str| {
        json.as_object().is_some_and(|object| object.len() == 1) && json.get(name).and_then(Value::as_str) == Some(text)
    };
    match stored {
        Bson::Null | Bson::Undefined => json.is_null(),
        Bson::Boolean(value) => json.as_bool() == Some(*value),
        Bson::Int32(value) => json.as_i64() == Some(i64::from(*value)),
        Bson::Int64(value) => json.as_i64() == Some(*value),
        Bson::Double(value) if value.is_finite() => json.as_f64() == Some(*value),
        Bson::Double(_) => json.is_null(),
        Bson::String(text) | Bson::Symbol(text) => json.as_str() == Some(text),
        Bson::DateTime(date) => shows_date(json, date.timestamp_millis()),
        Bson::ObjectId(id) => json.as_str() == Some(&id.to_hex()),
        Bson::Array(list) => json.as_array().is_some_and(|json| {
            json.len() == list.len() && json.iter().zip(list).all(|(json, stored)| shows(json, stored))
        }),
        Bson::Document(document) => shows_fields(json, document),
        Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid && binary.bytes.len() == 16 => {
            let hex: String = binary.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json.as_str().is_some_and(|text| text.replace('-', "") == hex && text.len() == 36)
        }
        Bson::Binary(binary) => json.as_str() == Some(&BASE64_STANDARD.encode(&binary.bytes)),
        Bson::JavaScriptCode(code) => holds_only("code", code),
        Bson::Decimal128(decimal) => holds_only("$numberDecimal", &decimal.to_string()),
        Bson::Timestamp(timestamp) => {
            let joined = u64::from(timestamp.time) << 32 | u64::from(timestamp.increment);
            holds_only("$timestamp", &joined.to_string())
        }
        Bson::JavaScriptCodeWithScope(scoped) => {
            json.as_object().is_some_and(|object| object.len() == 2)
                && json.get("code").and_then(Value::as_str) == Some(&scoped.code)
                && json.get("scope").is_some_and(|scope| shows_fields(scope, &scoped.scope))
        }
        Bson::MinKey | Bson::MaxKey | Bson::RegularExpression(_) | Bson::DbPointer(_) => {
            json.as_object().is_some_and(serde_json::Map::is_empty)
        }
    }
}

fn shows_date(json: &Value, millis: i64) -> bool {
    match DateTime::from_timestamp_millis(millis) {
        // ECMAScript's dates end long before chrono's and 64 bits do.
        _ if millis.unsigned_abs() > 8_640_000_000_000_000 => json.is_null(),
        Some(date) if (0..=9999).contains(&date.year()) => {
            json.as_str() == Some(&date.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        }
        // Years with a sign and six digits.
        _ => json.as_str().is_some_and(|text| text.len() == 27 && text.starts_with(['+', '-']) && text.ends_with('Z')),
    }
}
