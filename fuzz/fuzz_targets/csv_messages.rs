//! A CSV file of messages.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use rocketchat_import::{
    domain::field_value::FieldValue,
    fuzzing::csv_messages,
    importers::{At, Element},
};

fuzz_target!(|bytes: &[u8]| {
    let Some((how, file)) = bytes.split_first() else { return };
    let elements = csv_messages(file, how % 2 == 1);
    let breaks = file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    let mut ids = HashSet::new();
    let mut times = HashSet::new();
    let mut last = 1;
    for element in &elements {
        let place = match element {
            Element::Record(record) => &record.place,
            Element::Problem(problem) => &problem.place,
            Element::PassedOver(passed) => &passed.place,
        };
        let At::Line(line) = place.at else { panic!("{place:?} is no line") };
        assert!((last..=breaks + 1).contains(&line), "line {line} after {last} of {breaks}");
        last = line;
        let Element::Record(record) = element else { continue };
        let text = |name: &str| record.data.get(name).and_then(FieldValue::as_text).expect("a text");
        assert!(ids.insert(text("_id").to_owned()), "two messages have one id");
        let Some(FieldValue::Date(time)) = record.data.get("ts") else { panic!("a message has a time") };
        assert!(times.insert((text("rid").to_owned(), time.epoch_millis())), "two messages share a millisecond");
        assert!(!text("msg").contains('\u{0}') || file.contains(&0));
    }
});
