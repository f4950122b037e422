//! A file of users, as the command line reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocketchat_import::fuzzing::{FileKind, check_file, users_in_body, users_in_file};

fuzz_target!(|bytes: &[u8]| {
    let Some((how, file)) = bytes.split_first() else { return };
    let kind = [FileKind::Csv, FileKind::Json, FileKind::JsonLines][usize::from(how % 3)];
    let named = how & 0x80 != 0;
    let lines = 1 + file.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
    let found = users_in_file(file, kind, named);
    let mut last = 1;
    for user in &found {
        let line = user.as_ref().map_or_else(|(line, _)| *line, |user| user.line);
        assert!((last..=lines).contains(&line), "line {line} after {last} of {lines}");
        last = line;
    }
    for user in found.iter().flatten() {
        let body = serde_json::json!({ "users": [user.user] }).to_string();
        let taken = users_in_body(body.as_bytes()).expect("the API takes what a file may hold");
        assert_eq!(taken.len(), 1);
    }
    for (_, reason) in found.iter().filter_map(|user| user.as_ref().err()) {
        assert!(!reason.is_empty());
    }
    if let Some((fit, unfit)) = check_file(file, kind, named) {
        assert_eq!(fit + unfit, found.len() as u64);
        assert!(fit <= found.iter().flatten().count() as u64, "what is there twice is not fit either");
    }
});
