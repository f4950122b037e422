//! Stored fields as the JSON that Rocket.Chat's `JSON.stringify` makes of them.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;

use crate::domain::field_value::{FieldValue, Fields};

/// Writes fields as a JSON object, in stored order, those without a value left out.
pub(crate) struct JsonObject<'a>(pub(crate) &'a Fields);

struct JsonValue<'a>(&'a FieldValue);

impl Serialize for JsonObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter() {
            if *value != FieldValue::Undefined {
                object.serialize_entry(name, &JsonValue(value))?;
            }
        }
        object.end()
    }
}

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Null | FieldValue::Undefined => serializer.serialize_unit(),
            FieldValue::Boolean(value) => serializer.serialize_bool(*value),
            FieldValue::Integer(value) => serializer.serialize_i64(*value),
            FieldValue::Double(value) => serialize_double(*value, serializer),
            FieldValue::Text(text) => serializer.serialize_str(text),
            FieldValue::Date(date) => date.to_iso_8601().serialize(serializer),
            FieldValue::List(list) => serializer.collect_seq(list.iter().map(JsonValue)),
            FieldValue::Object(fields) => JsonObject(fields).serialize(serializer),
        }
    }
}

/// ECMAScript writes numbers its own way: `2` for 2.0, `1e+21`, `1e-7`, and `null` for values that are no number.
fn serialize_double<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if !value.is_finite() {
        return serializer.serialize_unit();
    }
    let text = ryu_js::Buffer::new().format_finite(value).to_owned();
    RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::field_value::Date;

    fn json(value: &FieldValue) -> String {
        serde_json::to_string(&JsonValue(value)).unwrap()
    }

    #[test]
    fn numbers_read_as_javascript_prints_them() {
        for (value, expected) in [
            (2.0, "2"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(json(&FieldValue::Double(value)), expected);
        }
        assert_eq!(json(&FieldValue::Integer(i64::MAX)), "9223372036854775807");
    }

    #[test]
    fn text_is_escaped_as_javascript_does() {
        let text = FieldValue::Text("\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}é\u{2028}😀".into());
        assert_eq!(json(&text), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}é\u{2028}😀\"");
    }

    #[test]
    fn what_has_no_value_is_left_out_of_objects_and_null_in_lists() {
        let undefined = || FieldValue::Undefined;
        let object = FieldValue::Object(Fields::from_iter([
            ("gone", undefined()),
            ("list", FieldValue::List(vec![undefined(), FieldValue::Null])),
            ("no date", FieldValue::Date(Date::from_epoch_millis(i64::MAX))),
        ]));
        assert_eq!(json(&object), r#"{"list":[null,null],"no date":null}"#);
    }

    fn any_field_value() -> impl Strategy<Value = FieldValue> {
        let leaf = prop_oneof![
            Just(FieldValue::Null),
            any::<bool>().prop_map(FieldValue::Boolean),
            any::<i64>().prop_map(FieldValue::Integer),
            any::<f64>().prop_map(FieldValue::Double),
            any::<String>().prop_map(|text| FieldValue::Text(text.into())),
            any::<i64>().prop_map(|millis| FieldValue::Date(Date::from_epoch_millis(millis))),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(FieldValue::List),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|fields| FieldValue::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Whether a JSON reader finds in `read` what was written.
    fn says_the_same(read: &serde_json::Value, written: &FieldValue) -> bool {
        match written {
            FieldValue::Boolean(value) => read.as_bool() == Some(*value),
            FieldValue::Integer(value) => read.as_i64() == Some(*value),
            FieldValue::Double(value) if value.is_finite() => read.as_f64() == Some(*value),
            FieldValue::Null | FieldValue::Undefined | FieldValue::Double(_) => read.is_null(),
            FieldValue::Text(text) => read.as_str() == Some(text),
            FieldValue::Date(date) => read.as_str() == date.to_iso_8601().as_deref(),
            FieldValue::List(list) => read.as_array().is_some_and(|read| {
                read.len() == list.len() && read.iter().zip(list).all(|(read, value)| says_the_same(read, value))
            }),
            FieldValue::Object(fields) => read.as_object().is_some_and(|read| {
                read.len() == fields.iter().len()
                    && read
                        .iter()
                        .zip(fields.iter())
                        .all(|((read_name, read), (name, value))| read_name == name && says_the_same(read, value))
            }),
        }
    }

    proptest! {
        #[test]
        fn any_field_is_read_back_from_its_json_in_order(value in any_field_value()) {
            let read: serde_json::Value = serde_json::from_str(&json(&value)).unwrap();
            prop_assert!(says_the_same(&read, &value), "{read} is not {value:?}");
        }
    }
}
