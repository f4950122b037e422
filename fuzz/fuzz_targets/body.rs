//! A body of `import.addUsers`: checked, staged, and made an account.
#![no_main]

use bson::RawDocumentBuf;
use libfuzzer_sys::fuzz_target;
use rocketchat_import::{
    domain::{
        field_value::{Date, Fields},
        new_user::{Enrolment, check, new_user},
    },
    fuzzing::{document_of, fields_of, json_of, stored_as, users_in_body},
};
use rocketchat_import_fuzz::assert_is_a_refusal;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    match users_in_body(body) {
        Ok(users) => users.iter().for_each(|user| {
            assert_is_staged_whole(user);
            assert_is_taken_again(user);
            if check(user).is_ok() {
                let now = Date::from_epoch_millis(0);
                let account =
                    new_user(user, Enrolment { id: "id".into(), bcrypt: "hash".into(), email_2fa: true, now });
                assert_is_staged_whole(&account);
            }
        }),
        Err(refusal) => {
            assert_is_a_refusal(&refusal, 400);
            let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
            if let (Some(path), Ok(sent)) = (refusal.path(), serde_json::from_slice::<Value>(body)) {
                assert!(sent.pointer(&path).is_some(), "{path} is not in {sent}");
            }
        }
    }
});

fn assert_is_staged_whole(user: &Fields) {
    let document = document_of(user);
    let stored = RawDocumentBuf::try_from(&document).expect("it can be stored");
    assert_eq!(stored_as(user).expect("it can be stored"), stored.as_bytes());
    assert_eq!(fields_of(&stored).expect("it can be read"), *user);
}

/// What was staged, shown as JSON and sent once more, is the same user.
fn assert_is_taken_again(user: &Fields) {
    let json = json_of(user).expect("it can be shown");
    let again = users_in_body(format!(r#"{{"users":[{json}]}}"#).as_bytes()).expect("it is taken again");
    assert_eq!(again.len(), 1);
    // By their JSON: it has no negative zero.
    assert_eq!(json_of(&again[0]).expect("it can be shown"), json);
}
