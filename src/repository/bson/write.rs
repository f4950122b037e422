//! From the domain's field values to BSON, with the types Rocket.Chat's driver would choose.

use bson::{Bson, DateTime, Document};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::domain::field_value::{FieldValue, Fields};

/// The fields as a document, in their order.
pub(in crate::repository) fn document_of(fields: &Fields) -> Document {
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
        FieldValue::Text(text) => Bson::String(text.to_string()),
        FieldValue::Date(date) => Bson::DateTime(DateTime::from_millis(date.epoch_millis())),
        FieldValue::List(list) => Bson::Array(list.iter().map(bson_of).collect()),
        FieldValue::Object(fields) => Bson::Document(document_of(fields)),
    }
}

/// The bytes of these fields as a document; `None` for those that cannot be written.
pub(in crate::repository) fn size_of(fields: &Fields) -> Option<usize> {
    bson::serialize_to_vec(&AsDocument(fields)).ok().map(|document| document.len())
}

/// Fields that the driver writes as a document straight away, for the many documents of a run.
#[derive(Debug, Clone, Copy)]
pub(in crate::repository) struct AsDocument<'a>(pub(in crate::repository) &'a Fields);

struct AsBson<'a>(&'a FieldValue);

impl Serialize for AsDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter().filter(|(_, value)| **value != FieldValue::Undefined) {
            document.serialize_entry(name, &AsBson(value))?;
        }
        document.end()
    }
}

impl Serialize for AsBson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Null | FieldValue::Undefined => serializer.serialize_unit(),
            FieldValue::Boolean(value) => serializer.serialize_bool(*value),
            FieldValue::Integer(value) => match i32::try_from(*value) {
                Ok(value) => serializer.serialize_i32(value),
                Err(_) => serializer.serialize_i64(*value),
            },
            FieldValue::Double(value) => serializer.serialize_f64(*value),
            FieldValue::Text(text) => serializer.serialize_str(text),
            FieldValue::Date(date) => DateTime::from_millis(date.epoch_millis()).serialize(serializer),
            FieldValue::List(list) => serializer.collect_seq(list.iter().map(AsBson)),
            FieldValue::Object(fields) => AsDocument(fields).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::field_value::Date;

    fn any_fields() -> impl Strategy<Value = Fields> {
        let leaf = prop_oneof![
            prop_oneof![Just(FieldValue::Null), Just(FieldValue::Undefined)],
            any::<bool>().prop_map(FieldValue::Boolean),
            prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from)].prop_map(FieldValue::Integer),
            any::<f64>()
                .prop_filter("NaN is not equal to itself", |value| !value.is_nan())
                .prop_map(FieldValue::Double),
            any::<String>().prop_map(|text| FieldValue::Text(text.into())),
            any::<i64>().prop_map(|millis| FieldValue::Date(Date::from_epoch_millis(millis))),
        ];
        let value = leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(FieldValue::List),
                prop::collection::vec(("[^\0]*", inner), 0..6)
                    .prop_map(|fields| FieldValue::Object(fields.into_iter().collect())),
            ]
        });
        prop::collection::vec(("[^\0]*", value), 0..6).prop_map(|fields| fields.into_iter().collect())
    }

    proptest! {
        #[test]
        fn both_ways_of_writing_store_the_same(fields in any_fields()) {
            let straight = bson::serialize_to_vec(&AsDocument(&fields)).unwrap();
            let by_way_of_a_document = bson::serialize_to_vec(&document_of(&fields)).unwrap();
            prop_assert_eq!(straight, by_way_of_a_document);
        }
    }
}
