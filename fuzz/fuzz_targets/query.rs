//! A request's target: the query of `import.errors`, and of the endpoints that take none.
#![no_main]

use actix_http::Uri;
use libfuzzer_sys::fuzz_target;
use rocketchat_import::fuzzing::{part_of_list, takes_no_parameters};
use rocketchat_import_fuzz::assert_is_a_refusal;

fuzz_target!(|target: &[u8]| {
    let Ok(target) = Uri::try_from(target) else { return };
    let query = target.query().unwrap_or_default();
    match takes_no_parameters(query) {
        Ok(()) => assert!(query.is_empty()),
        Err(refusal) => assert_is_a_refusal(&refusal, 400),
    }
    match part_of_list(query) {
        Ok((count, offset)) => {
            let limit = i64::MAX.unsigned_abs();
            assert!(offset <= limit && count.is_none_or(|count| count <= limit), "the database counts no further");
            let count = count.map(|count| format!("count={count}&")).unwrap_or_default();
            let same = part_of_list(&format!("{count}offset={offset}")).expect("what was read can be asked for");
            assert_eq!(same.1, offset);
        }
        Err(refusal) => assert_is_a_refusal(&refusal, 400),
    }
});
