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
use serde::de::Error as _;

use crate::domain::field_value::{Date, FieldValue, Fields};

/// MongoDB stores nothing that is nested deeper, and reading it would need a stack without end.
const DEEPEST_LEVEL: usize = 200;
/// Bytes in a UUID.
const UUID_LENGTH: usize = 16;

/// Reads a whole document, every field in stored order.
///
/// Text that is not UTF-8 is read with U+FFFD in place of wrong bytes.
///
/// # Errors
/// When the bytes are not BSON, a field's name is not UTF-8, or it is nested deeper than MongoDB allows.
pub(in crate::repository) fn read_fields(document: &RawDocument) -> Result<Fields, Error> {
    read_level(document, 1)
}

fn below(level: usize) -> Result<usize, Error> {
    if level < DEEPEST_LEVEL { Ok(level + 1) } else { Err(Error::custom("nested deeper than MongoDB allows")) }
}

fn read_level(document: &RawDocument, level: usize) -> Result<Fields, Error> {
    document
        .iter_elements()
        .map(|element| {
            let element = element?;
            Ok((element.key().as_str(), read_element(&element, level)?))
        })
        .collect()
}

fn read_element(element: &RawElement<'_>, level: usize) -> Result<FieldValue, Error> {
    match element.element_type() {
        ElementType::String => match element.value() {
            Ok(RawBsonRef::String(text)) => Ok(FieldValue::Text(text.into())),
            _ => read_text(element.value_utf8_lossy()?, level),
        },
        // Borrowing would refuse text that is not UTF-8.
        ElementType::Symbol | ElementType::JavaScriptCode | ElementType::JavaScriptCodeWithScope => {
            read_text(element.value_utf8_lossy()?, level)
        }
        // Neither shows its content in JSON, so what is in them cannot be wrong either.
        ElementType::RegularExpression | ElementType::DbPointer => Ok(empty_object()),
        _ => read_value(element.value()?, level),
    }
}

fn read_text(value: RawBson, level: usize) -> Result<FieldValue, Error> {
    Ok(match value {
        RawBson::String(text) | RawBson::Symbol(text) => FieldValue::Text(text.into()),
        RawBson::JavaScriptCode(code) => wrapped("code", code),
        RawBson::JavaScriptCodeWithScope(scoped) => FieldValue::Object(Fields::from_iter([
            ("code", FieldValue::Text(scoped.code.into())),
            ("scope", FieldValue::Object(read_level(&scoped.scope, below(level)?)?)),
        ])),
        _ => empty_object(),
    })
}

fn empty_object() -> FieldValue {
    FieldValue::Object(Fields::default())
}

fn read_value(value: RawBsonRef<'_>, level: usize) -> Result<FieldValue, Error> {
    Ok(match value {
        RawBsonRef::Null => FieldValue::Null,
        RawBsonRef::Undefined => FieldValue::Undefined,
        RawBsonRef::Boolean(value) => FieldValue::Boolean(value),
        RawBsonRef::Int32(value) => FieldValue::Integer(value.into()),
        RawBsonRef::Int64(value) => FieldValue::Integer(value),
        RawBsonRef::Double(value) => FieldValue::Double(value),
        RawBsonRef::DateTime(date) => FieldValue::Date(Date::from_epoch_millis(date.timestamp_millis())),
        RawBsonRef::ObjectId(id) => FieldValue::Text(id.to_hex().into()),
        RawBsonRef::Document(document) => FieldValue::Object(read_level(document, below(level)?)?),
        RawBsonRef::Array(array) => {
            let level = below(level)?;
            let values = array.iter_elements().map(|element| read_element(&element?, level));
            FieldValue::List(values.collect::<Result<_, Error>>()?)
        }
        RawBsonRef::Binary(binary) => FieldValue::Text(match (binary.subtype, binary.bytes) {
            (BinarySubtype::Uuid, bytes) if bytes.len() == UUID_LENGTH => {
                let mut uuid = [0; UUID_LENGTH];
                uuid.copy_from_slice(bytes);
                bson::Uuid::from_bytes(uuid).to_string().into()
            }
            (_, bytes) => BASE64_STANDARD.encode(bytes).into(),
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
    FieldValue::Object(Fields::from_iter([(name, FieldValue::Text(text.into()))]))
}

#[cfg(test)]
mod tests {
    use bson::{
        Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, RawDocumentBuf, Timestamp, oid::ObjectId,
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn any_value() -> impl Strategy<Value = Bson> {
        let leaf = prop_oneof![
            prop_oneof![Just(Bson::Null), Just(Bson::Undefined), Just(Bson::MinKey), Just(Bson::MaxKey)],
            any::<bool>().prop_map(Bson::Boolean),
            any::<i32>().prop_map(Bson::Int32),
            any::<i64>().prop_map(Bson::Int64),
            any::<f64>().prop_map(Bson::Double),
            any::<String>().prop_map(Bson::String),
            any::<String>().prop_map(Bson::Symbol),
            any::<String>().prop_map(Bson::JavaScriptCode),
            any::<i64>().prop_map(|millis| Bson::DateTime(DateTime::from_millis(millis))),
            any::<[u8; 12]>().prop_map(|bytes| Bson::ObjectId(ObjectId::from_bytes(bytes))),
            any::<[u8; 16]>().prop_map(|bytes| Bson::Decimal128(Decimal128::from_bytes(bytes))),
            any::<(u32, u32)>().prop_map(|(time, increment)| Bson::Timestamp(Timestamp { time, increment })),
            (any::<u8>(), vec(any::<u8>(), 0..20))
                // Of the old kind of binary data the stored bytes begin with their own length.
                .prop_filter("old binary", |(subtype, _)| *subtype != 2)
                .prop_map(|(subtype, bytes)| Bson::Binary(Binary { subtype: subtype.into(), bytes })),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..8).prop_map(Bson::Array),
                any_document_of(inner.clone()).prop_map(Bson::Document),
                (any::<String>(), any_document_of(inner)).prop_map(|(code, scope)| {
                    Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code, scope })
                }),
            ]
        })
    }

    fn any_document_of(value: impl Strategy<Value = Bson>) -> impl Strategy<Value = Document> {
        // BSON ends a name at its first NUL.
        vec(("[^\0]*", value), 0..8).prop_map(|fields| fields.into_iter().collect())
    }

    fn same_fields(read: &Fields, stored: &Document) -> bool {
        read.iter().len() == stored.len()
            && read.iter().zip(stored).all(|((name, read), (key, stored))| name == key && same(read, stored))
    }

    fn is_wrapped_text(read: &FieldValue, name: &str, text: &str) -> bool {
        *read == wrapped(name, text.to_owned())
    }

    /// Whether `read` holds what was stored.
    fn same(read: &FieldValue, stored: &Bson) -> bool {
        match (stored, read) {
            (Bson::Null, FieldValue::Null) | (Bson::Undefined, FieldValue::Undefined) => true,
            (Bson::Boolean(stored), FieldValue::Boolean(read)) => stored == read,
            (Bson::Int32(stored), FieldValue::Integer(read)) => i64::from(*stored) == *read,
            (Bson::Int64(stored), FieldValue::Integer(read)) => stored == read,
            (Bson::Double(stored), FieldValue::Double(read)) => stored.to_bits() == read.to_bits(),
            (Bson::String(stored) | Bson::Symbol(stored), FieldValue::Text(read)) => stored == read,
            (Bson::DateTime(stored), FieldValue::Date(read)) => {
                Date::from_epoch_millis(stored.timestamp_millis()) == *read
            }
            (Bson::ObjectId(stored), FieldValue::Text(read)) => stored.to_hex() == *read,
            (Bson::Array(stored), FieldValue::List(read)) => {
                stored.len() == read.len() && read.iter().zip(stored).all(|(read, stored)| same(read, stored))
            }
            (Bson::Document(stored), FieldValue::Object(read)) => same_fields(read, stored),
            (Bson::Binary(stored), FieldValue::Text(read)) => match stored.subtype {
                BinarySubtype::Uuid if stored.bytes.len() == UUID_LENGTH => {
                    stored.to_uuid().is_ok_and(|uuid| uuid.to_string() == *read)
                }
                _ => BASE64_STANDARD.decode(read).is_ok_and(|bytes| bytes == stored.bytes),
            },
            (Bson::JavaScriptCode(code), read) => is_wrapped_text(read, "code", code),
            (Bson::Decimal128(stored), read) => is_wrapped_text(read, "$numberDecimal", &stored.to_string()),
            (Bson::Timestamp(stored), read) => {
                let joined = u64::from(stored.time) * (1 << 32) + u64::from(stored.increment);
                is_wrapped_text(read, "$timestamp", &joined.to_string())
            }
            (Bson::JavaScriptCodeWithScope(stored), FieldValue::Object(read)) => {
                read.iter().map(|(name, _)| name).eq(["code", "scope"])
                    && read.get("code").and_then(FieldValue::as_text) == Some(&stored.code)
                    && matches!(read.get("scope"), Some(FieldValue::Object(scope)) if same_fields(scope, &stored.scope))
            }
            (Bson::MinKey | Bson::MaxKey, read) => *read == empty_object(),
            _ => false,
        }
    }

    /// A document within a document and so on, `levels` in all.
    fn nested(levels: i32) -> RawDocumentBuf {
        const LEVEL_BYTES: i32 = 7;
        const EMPTY_BYTES: i32 = 5;
        let mut bytes = Vec::new();
        for inner in (0..levels).rev() {
            bytes.extend((EMPTY_BYTES + LEVEL_BYTES * inner).to_le_bytes());
            if inner > 0 {
                bytes.extend([ElementType::EmbeddedDocument as u8, 0]);
            }
        }
        bytes.extend((0..levels).map(|_| 0));
        RawDocumentBuf::from_bytes(bytes).unwrap()
    }

    #[test]
    fn what_is_nested_deeper_than_mongodb_allows_is_refused_before_it_exhausts_the_stack() {
        let deepest = read_fields(&nested(200)).unwrap();
        let levels = std::iter::successors(Some(&deepest), |fields| fields.get("")?.as_object()).count();
        assert_eq!(levels, 200);
        for levels in [201, 2_000_000] {
            assert!(read_fields(&nested(levels)).is_err(), "{levels}");
        }
    }

    proptest! {
        #[test]
        fn any_document_is_read_field_by_field_in_stored_order(stored in any_document_of(any_value())) {
            let raw = RawDocumentBuf::try_from(&stored).unwrap();
            let read = read_fields(&raw).unwrap();
            prop_assert!(same_fields(&read, &stored), "{read:?} is not {stored:?}");
        }

        #[test]
        fn a_damaged_document_is_read_or_refused_without_a_panic(
            stored in any_document_of(any_value()),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = RawDocumentBuf::try_from(&stored).unwrap().into_bytes();
            let last = bytes.len() - 1;
            for (place, byte) in damage {
                // The length before and the zero after the fields are looked at before we see a document.
                if last > 4 {
                    bytes[4 + place.index(last - 4)] = byte;
                }
            }
            read_fields(&RawDocumentBuf::from_bytes(bytes).unwrap()).ok();
        }
    }
}
