//! A file of any importer, most often an archive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocketchat_import::{
    fuzzing::{elements_from, elements_of_file},
    importers::{Element, Format, Position},
};

fuzz_target!(|bytes: &[u8]| {
    let Some((how, file)) = bytes.split_first() else { return };
    let format = Format::ALL[usize::from(*how) % Format::ALL.len()];
    match elements_of_file(file, format) {
        Ok(elements) => {
            assert_eq!(elements_of_file(file, format).as_ref(), Ok(&elements), "a file says the same each time");
            for element in &elements {
                let (place, reason) = match element {
                    Element::Record(record) => (&record.place, "-"),
                    Element::Problem(problem) => (&problem.place, problem.reason.as_str()),
                    Element::PassedOver(passed) => (&passed.place, passed.reason.as_str()),
                };
                assert!(!reason.is_empty() && !reason.contains(char::is_control), "{reason:?}");
                let name = place.entry.as_deref().unwrap_or_default();
                assert!(!name.contains(char::is_control), "{name:?}");
                if let Element::Record(_) = element {
                    assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name:?}");
                }
            }
            let rest = elements_from(file, format, Position { part: 1, done: 0 });
            assert!(elements.ends_with(&rest), "what is read from a part on is the end of the whole");
        }
        Err(refusal) => assert!(!refusal.is_empty() && !refusal.contains('\n'), "{refusal:?}"),
    }
});
