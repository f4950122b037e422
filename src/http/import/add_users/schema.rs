//! What a user in a body of `import.addUsers` looks like, checked and coerced as Rocket.Chat's schema does.
//!
//! Rocket.Chat checks with Ajv and `coerceTypes: true`, which changes the stored value: a number where a text belongs
//! becomes a text, and so on. It stops at the first problem. Source: `packages/rest-typings/src/v1/import/ImportAddUsersParamsPOST.ts`.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::super::super::error::ApiError;
use crate::domain::field_value::{FieldValue, Fields};

/// Some editors and shells put it before what they write.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// 2^53: beyond it not every whole number is one of JavaScript's, and two neighbours become one.
const EXACT_NUMBERS: f64 = 9_007_199_254_740_992.0;
const REQUIRED: [&str; 2] = ["emails", "importIds"];

/// The kinds of the fields that Rocket.Chat knows, and of those that it stores although its schema does not name them.
/// Others pass as they are.
const KNOWN_FIELDS: [(&str, Kind); 17] = [
    ("username", Kind::Text),
    ("emails", Kind::Texts),
    ("importIds", Kind::Texts),
    ("name", Kind::Text),
    ("utcOffset", Kind::Number),
    ("avatarUrl", Kind::Text),
    ("deleted", Kind::Boolean),
    ("statusText", Kind::Text),
    ("roles", Kind::OptionalTexts),
    ("type", Kind::Text),
    ("bio", Kind::Text),
    ("password", Kind::Text),
    // Ours: `addUsers` of Rocket.Chat passes it over.
    ("requirePasswordChange", Kind::Boolean),
    // Ours, too: what is no list of texts is passed over as there.
    ("channels", Kind::Names),
    ("customFields", Kind::Object),
    ("services", Kind::Object),
    ("federated", Kind::Flag),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A text or null.
    Text,
    /// A number or null.
    Number,
    /// A yes, a no or null.
    Boolean,
    /// A list of texts.
    Texts,
    /// A list of texts, or null.
    OptionalTexts,
    /// A list of texts where it is one; anything else passes as it is.
    Names,
    /// An object or null, as it is.
    Object,
    /// A yes, a no or null, as it is.
    Flag,
}

/// Reads one user, which stands at `path` in the body.
///
/// # Errors
/// With the first thing that is wrong, and where.
pub(in crate::http::import) fn read_user(user: Value, path: &str) -> Result<Fields, ApiError> {
    let Value::Object(mut user) = user else {
        return Err(wrong("must be object", path));
    };
    if let Some(absent) = REQUIRED.iter().find(|field| !user.contains_key(**field)) {
        return Err(missing(absent, path));
    }
    for (field, kind) in KNOWN_FIELDS {
        if let Some(value) = user.get_mut(field) {
            coerce(value, kind, &format!("{path}/{field}"))?;
        }
    }
    fields_of(user, path)
}

fn coerce(value: &mut Value, kind: Kind, path: &str) -> Result<(), ApiError> {
    let coerced = match kind {
        Kind::Text if value.is_null() => return Ok(()),
        Kind::Text => as_text(value).map(Value::String).ok_or("must be string,null"),
        Kind::Number => as_number(value).ok_or("must be number,null"),
        Kind::Boolean => as_boolean(value).ok_or("must be boolean,null"),
        Kind::Object if value.is_object() || value.is_null() => return Ok(()),
        Kind::Object => Err("must be object,null"),
        Kind::Flag if value.is_boolean() || value.is_null() => return Ok(()),
        Kind::Flag => Err("must be boolean,null"),
        Kind::OptionalTexts | Kind::Names if is_emptiness(value) => Ok(Value::Null),
        Kind::Names => {
            for name in value.as_array_mut().into_iter().flatten() {
                if let Some(text) = as_text(name) {
                    *name = Value::String(text);
                }
            }
            return Ok(());
        }
        Kind::Texts | Kind::OptionalTexts => return coerce_texts(value, kind, path),
    };
    *value = coerced.map_err(|problem| wrong(problem, path))?;
    Ok(())
}

fn coerce_texts(value: &mut Value, kind: Kind, path: &str) -> Result<(), ApiError> {
    let Value::Array(texts) = value else {
        let problem = if matches!(kind, Kind::Texts) { "must be array" } else { "must be array,null" };
        return Err(wrong(problem, path));
    };
    for (position, text) in texts.iter_mut().enumerate() {
        let coerced = match &*text {
            Value::Null => Some(String::new()),
            Value::Number(number) if has_lost_digits(number) => None,
            text => as_text(text),
        };
        *text = Value::String(coerced.ok_or_else(|| wrong("must be string", &format!("{path}/{position}")))?);
    }
    Ok(())
}

/// Whether a number is so long that its last digits are lost: with them, one of two people with neighbouring ids would be.
fn has_lost_digits(number: &Number) -> bool {
    !number.is_u64() && !number.is_i64() && number.as_f64().is_some_and(|number| number.abs() > EXACT_NUMBERS)
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // JavaScript would round it, and make one of two neighbours.
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        Value::Number(number) => number.as_f64().map(|number| ryu_js::Buffer::new().format(number).to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn as_number(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) | Value::Null => Some(value.clone()),
        Value::Bool(value) => Some(Value::from(u8::from(*value))),
        Value::String(text) if text.is_empty() => Some(Value::Null),
        Value::String(text) => Number::from_f64(as_javascript_number(text)?).map(Value::Number),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The number JavaScript makes of a text. `Infinity` is left out: it cannot be sent as a number either.
fn as_javascript_number(text: &str) -> Option<f64> {
    let text = text.trim_matches(|character: char| character.is_whitespace() || character == BYTE_ORDER_MARK);
    let radix = |prefix: [&str; 2]| text.strip_prefix(prefix[0]).or_else(|| text.strip_prefix(prefix[1]));
    for (prefix, base) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = radix(prefix) {
            let digits = digits.chars().map(|digit| digit.to_digit(base));
            return digits
                .map(|digit| digit.map(f64::from))
                .reduce(|number, digit| Some(number?.mul_add(f64::from(base), digit?)))?;
        }
    }
    if text.is_empty() { Some(0.0) } else { text.parse().ok() }
}

fn as_boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Null => Some(value.clone()),
        Value::String(text) => match text.as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "" => Some(Value::Null),
            _ => None,
        },
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(Value::Bool(true)),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(Value::Bool(false)),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What Ajv coerces to null where nothing else fits.
fn is_emptiness(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn fields_of(object: Map<String, Value>, path: &str) -> Result<Fields, ApiError> {
    let fields = object.into_iter().map(|(name, value)| {
        let path = format!("{path}/{}", pointer_token(&name));
        // The database ends a name there.
        if name.contains('\0') {
            return Err(wrong("a name must NOT have a NUL character", &path));
        }
        let value = value_of(value, &path)?;
        Ok((name, value))
    });
    fields.collect()
}

/// A name as it stands in a JSON pointer (RFC 6901).
fn pointer_token(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1").into() } else { name.into() }
}

fn value_of(value: Value, path: &str) -> Result<FieldValue, ApiError> {
    Ok(match value {
        Value::Null => FieldValue::Null,
        Value::Bool(value) => FieldValue::Boolean(value),
        Value::Number(number) => number_of(&number),
        Value::String(text) => FieldValue::Text(text.into()),
        Value::Array(list) => {
            let values = list.into_iter().enumerate();
            let values = values.map(|(position, value)| value_of(value, &format!("{path}/{position}")));
            FieldValue::List(values.collect::<Result<_, _>>()?)
        }
        Value::Object(object) => FieldValue::Object(fields_of(object, path)?),
    })
}

/// JavaScript's numbers are doubles; its driver stores those that are whole and small as integers.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn number_of(number: &Number) -> FieldValue {
    let number = number.as_f64().unwrap_or_default();
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    let is_small = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    if number.fract() == 0.0 && is_small && !is_negative_zero {
        FieldValue::Integer(number as i64)
    } else {
        FieldValue::Double(number)
    }
}

pub(super) fn missing(field: &str, path: &str) -> ApiError {
    wrong(&format!("must have required property '{field}'"), path)
}

pub(super) fn wrong(problem: &str, path: &str) -> ApiError {
    ApiError::InvalidBody { problem: problem.to_owned(), path: Some(path.to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only_user(fields: &Value) -> Fields {
        let mut user = json!({ "emails": ["a@b.c"], "importIds": ["1"] });
        for (name, value) in fields.as_object().unwrap() {
            user[name] = value.clone();
        }
        read_user(user, "").unwrap()
    }

    #[test]
    fn values_are_coerced_as_ajv_does() {
        let text = |text: &str| FieldValue::Text(text.into());
        for (field, sent, stored) in [
            ("username", json!(12), text("12")),
            ("username", json!(1.5e300), text("1.5e+300")),
            ("username", json!(true), text("true")),
            (
                "importIds",
                json!([76_561_198_000_000_001_u64, -7]),
                FieldValue::List(vec![text("76561198000000001"), text("-7")]),
            ),
            ("username", json!(null), FieldValue::Null),
            ("utcOffset", json!("5.5"), FieldValue::Double(5.5)),
            ("utcOffset", json!("2"), FieldValue::Integer(2)),
            ("utcOffset", json!(true), FieldValue::Integer(1)),
            ("utcOffset", json!(""), FieldValue::Null),
            ("deleted", json!("true"), FieldValue::Boolean(true)),
            ("deleted", json!(0), FieldValue::Boolean(false)),
            ("deleted", json!(""), FieldValue::Null),
            ("emails", json!([1, null, false]), FieldValue::List(vec![text("1"), text(""), text("false")])),
            ("roles", json!(""), FieldValue::Null),
            (
                "unknown",
                json!({ "deep": [1, 2.5] }),
                FieldValue::Object(Fields::from_iter([(
                    "deep",
                    FieldValue::List(vec![FieldValue::Integer(1), FieldValue::Double(2.5)]),
                )])),
            ),
        ] {
            assert_eq!(only_user(&json!({ field: sent })).get(field), Some(&stored), "{field}: {sent}");
        }
    }
}
