//! A file of users, as the command line reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocketchat_import::fuzzing::{FileKind, users_in_body, users_in_file};

const KINDS: [FileKind; 5] =
    [FileKind::Csv, FileKind::Json, FileKind::JsonLines, FileKind::Any, FileKind::Ldif];

fuzz_target!(|bytes: &[u8]| {
    let Some((how, file)) = bytes.split_first() else { return };
    let kind = KINDS[usize::from(how % 5)];
    let named = how & 0x80 != 0;
    // A workbook's rows are no lines, and it has a target of its own.
    if file.starts_with(b"PK") {
        return;
    }
    let lines = 1 + file.iter().map(|byte| u64::from(matches!(byte, b'\n' | b'\r'))).sum::<u64>();
    let (found, rejects) = users_in_file(file, kind, named);
    for user in &found {
        assert!((1..=lines).contains(&user.line), "line {} of {lines}", user.line);
        assert!(user.user.is_none() || user.errors.is_empty(), "a user or an error");
        assert!(user.user.is_some() || !user.errors.is_empty() || !user.warnings.is_empty());
        for reason in user.errors.iter().chain(&user.warnings) {
            assert!(!reason.chars().any(char::is_control), "{reason:?} goes to terminals");
        }
    }
    for user in found.iter().filter_map(|user| user.user.as_ref()) {
        let body = serde_json::json!({ "users": [user] }).to_string();
        let taken = users_in_body(body.as_bytes()).expect("the API takes what a file may hold");
        assert_eq!(taken.len(), 1);
    }
    // The list of bad lines is a file of users itself, with no user in it that was bad before for its own sake.
    let again = if rejects.starts_with(b"{") { FileKind::JsonLines } else { FileKind::Csv };
    drop(users_in_file(&rejects, again, named));
});
