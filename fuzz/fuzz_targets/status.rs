//! A stored document of any kind, as `import.status` answers it.
#![no_main]

use arbitrary::Unstructured;
use bson::{Document, RawDocument, RawDocumentBuf};
use libfuzzer_sys::fuzz_target;
use rocketchat_import::{
    domain::operation::Operation,
    fuzzing::{fields_of, json_of},
};
use rocketchat_import_fuzz::{any_document, assert_shows};
use serde::Deserialize as _;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let document = match kind % 3 {
        // A document that a driver has written.
        0 => {
            let Ok(document) = any_document(&mut Unstructured::new(bytes)) else { return };
            RawDocumentBuf::try_from(&document)
        }
        // Damaged fields within a frame that is whole.
        1 => RawDocumentBuf::from_bytes(framed(bytes)),
        // Anything.
        _ => RawDocumentBuf::from_bytes(bytes.to_vec()),
    };
    if let Ok(document) = document {
        assert_is_shown(&document);
    }
});

fn framed(fields: &[u8]) -> Vec<u8> {
    let length = i32::try_from(fields.len() + 5).expect("a fuzzer's input is short");
    [&length.to_le_bytes(), fields, &[0]].concat()
}

fn assert_is_shown(stored: &RawDocument) {
    let Ok(fields) = fields_of(stored) else { return };
    let json = json_of(&fields).expect("it can be shown");
    let mut reader = serde_json::Deserializer::from_str(&json);
    // MongoDB's documents may be nested deeper than this reader likes.
    reader.disable_recursion_limit();
    let read = Value::deserialize(&mut reader).expect("it is JSON");
    // The driver's reader of whole documents refuses more than ours does, such as text that is not UTF-8.
    if let Ok(document) = Document::try_from(stored) {
        assert_shows(&read, &document);
    }
    let operation = Operation { fields };
    assert!(operation.state().is_some() || operation.step().is_none());
    let _ = operation.counts();
}
