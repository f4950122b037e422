//! A day of messages of a room of Slack.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use rocketchat_import::{
    domain::field_value::{FieldValue, Fields},
    fuzzing::slack_messages,
    importers::Element,
};

fn text<'f>(data: &'f Fields, name: &str) -> Option<&'f str> {
    data.get(name).and_then(FieldValue::as_text)
}

fuzz_target!(|day: &[u8]| {
    let elements = slack_messages(day);
    let records: Vec<_> = elements
        .iter()
        .filter_map(|element| match element {
            Element::Record(record) => Some(&record.data),
            Element::Problem(_) | Element::PassedOver(_) => None,
        })
        .collect();
    let mut ids = HashSet::new();
    for data in &records {
        assert!(ids.insert(text(data, "_id").expect("a message has an id")), "{data:?} has an id that another has");
        assert!(text(data, "msg").is_some() && data.get("u").is_some(), "{data:?}");
        assert!(matches!(data.get("ts"), Some(FieldValue::Date(_))), "{data:?}");
        assert!(data.iter().all(|(_, value)| *value != FieldValue::Null), "{data:?}");
    }
    let mut times = HashSet::new();
    for data in &records {
        let Some(FieldValue::Date(time)) = data.get("ts") else { continue };
        assert!(times.insert(time.epoch_millis()), "two messages share a millisecond");
        if let Some(root) = text(data, "tmid") {
            assert!(ids.contains(root), "an answer's thread is there");
        }
        if let Some(answers) = data.get("tcount").and_then(FieldValue::as_integer) {
            assert!(answers > 0 && u64::try_from(answers).is_ok_and(|answers| answers <= elements.len() as u64));
        }
    }
});
