//! The files of which Rocket.Chat's own staged records are known.
//!
//! What the importers read of them is compared field by field in `tests/importers/reference.rs`. Here everything that they
//! read has to be staged, as they read it, with what Rocket.Chat puts around it. `tests/api/reference` compares the offers and the
//! stored documents.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bson::Bson;
use rocketchat_import::{
    domain::field_value::{FieldValue, Fields},
    importers::{self, Element, Format, Options},
};
use serde_json::{Value, json};

use super::{ServerFile, loading};

const CASES: [(&str, Format); 7] = [
    ("contacts", Format::Contacts),
    ("csv-basic", Format::Csv),
    ("csv-existing", Format::Csv),
    ("slack-again", Format::Slack),
    ("slack-basic", Format::Slack),
    ("slack-threads", Format::Slack),
    ("slack-users", Format::SlackUsers),
];

fn fixture(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(case).join(file)
}

fn input(case: &str) -> Vec<u8> {
    let path = ["input.zip", "input.csv"].map(|file| fixture(case, file)).into_iter().find(|path| path.exists());
    fs::read(path.unwrap()).unwrap()
}

#[tokio::test]
async fn everything_that_is_read_is_staged_with_what_rocket_chat_puts_around_it() {
    for (case, format) in CASES {
        let input = input(case);
        let read = importers::open(format, Arc::new(input.clone()), &Options::default()).unwrap();
        let expected: Vec<(&str, Value)> = read
            .filter_map(|element| match element.unwrap() {
                Element::Record(record) => Some((record.kind.data_type(), of_fields(&record.data))),
                _ => None,
            })
            .collect();
        let file = ServerFile::new(&input);
        let (workspace, service) = loading(format.importer_key(), &file).await;
        service.wait_for_state("ready").await;
        let staged = workspace.staged().await;
        let found: Vec<(&str, Value)> = staged
            .iter()
            .map(|record| (record.get_str("dataType").unwrap(), of_bson(record.get("data").unwrap())))
            .collect();
        assert_eq!(found.len(), expected.len(), "{case}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{case}");
            // The order of fields counts, and serde's comparison does not see it.
            assert_eq!(found.1.to_string(), expected.1.to_string(), "{case}");
        }

        let theirs: Vec<Value> =
            serde_json::from_str(&fs::read_to_string(fixture(case, "staged.json")).unwrap()).unwrap();
        let around: BTreeMap<&str, (Vec<&str>, Value)> = theirs
            .iter()
            .map(|record| {
                let names: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
                (record["dataType"].as_str().unwrap(), (names, record["options"].clone()))
            })
            .collect();
        for record in &staged {
            let data_type = record.get_str("dataType").unwrap();
            let Some((names, options)) = around.get(data_type) else { continue };
            let ours: Vec<&str> = record.keys().map(String::as_str).collect();
            let (common, own) = ours.split_at(names.len());
            assert_eq!((common, own), (names.as_slice(), &["operation", "place"][..]), "{case}");
            // Rocket.Chat says nothing about messages of a workspace that has imported from Slack before.
            if case != "slack-again" || data_type != "message" {
                assert_eq!(&of_bson(record.get("options").unwrap()), options, "{case} {data_type}");
            }
        }
    }
}

fn of_fields(fields: &Fields) -> Value {
    fields.iter().map(|(name, value)| (name.to_owned(), of_value(value))).collect::<serde_json::Map<_, _>>().into()
}

fn of_value(value: &FieldValue) -> Value {
    match value {
        FieldValue::Null | FieldValue::Undefined => Value::Null,
        FieldValue::Boolean(value) => json!(value),
        FieldValue::Integer(value) => json!(value),
        FieldValue::Double(value) => json!(value),
        FieldValue::Text(text) => json!(text.as_str()),
        FieldValue::Date(date) => json!({ "$date": date.epoch_millis() }),
        FieldValue::List(values) => values.iter().map(of_value).collect(),
        FieldValue::Object(fields) => of_fields(fields),
    }
}

fn of_bson(value: &Bson) -> Value {
    match value {
        Bson::Null => Value::Null,
        Bson::Boolean(value) => json!(value),
        Bson::Int32(value) => json!(value),
        Bson::Int64(value) => json!(value),
        Bson::Double(value) => json!(value),
        Bson::String(text) => json!(text),
        Bson::DateTime(date) => json!({ "$date": date.timestamp_millis() }),
        Bson::Array(values) => values.iter().map(of_bson).collect(),
        Bson::Document(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), of_bson(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => panic!("{other} is nothing that an importer reads"),
    }
}
