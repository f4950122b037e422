//! Whole documents, as a staged record becomes them.

mod messages;
mod rooms;

use super::{FieldValue, Fields, Person, text, texts};

fn object(fields: &[(&str, FieldValue)]) -> FieldValue {
    FieldValue::Object(fields.iter().cloned().collect())
}

fn names(fields: &Fields) -> String {
    fields.iter().map(|(name, _)| name).collect::<Vec<_>>().join(",")
}

fn person(id: &str, username: Option<&str>) -> Person {
    let owned = |text: &str| text.to_owned();
    Person { id: id.to_owned(), username: username.map(owned), name: Some(id.to_uppercase()), is_active: true }
}
