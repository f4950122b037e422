//! Files that are no archive, and stores that fail.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use flate2::{Compression, write::GzEncoder};
use rocketchat_import::{
    domain::record_type::RecordType,
    importers::{Element, Format, OpenError, Options, ReadAt, open},
};
use serde_json::{Value, json};

use crate::support::{Zip, read, refusal};

const RECORDS: &str = r#"{"dataType":"message","data":{"rid":"R1","u":{"_id":"ann"},"ts":"2020-01-02T03:04:05.678Z","msg":"hi","tlm":null}}
{"dataType":"user","data":{"importIds":["ann"],"username":"ann","emails":["a@x.example"]}}

{"dataType":"channel","data":{"importIds":["R1"],"name":"general","t":"c","users":["ann"],"ts":1577934245678}}
{"dataType":"contact","data":{"importIds":["c1"],"name":"Carl"}}
"#;

#[test]
fn records_are_read_plain_compressed_and_in_a_zip_in_the_order_of_types() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(RECORDS.as_bytes()).unwrap();
    let zip = Zip::default().file("a/export.jsonl", RECORDS).file("readme.txt", "x");
    let plain = read(Format::Records, RECORDS.as_bytes());
    let kinds: Vec<RecordType> = plain
        .elements
        .iter()
        .filter_map(|element| match element {
            Element::Record(record) => Some(record.kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, RecordType::ALL);
    assert_eq!(
        plain.messages()[0],
        json!({ "rid": "R1", "u": { "_id": "ann" }, "ts": { "$date": 1_577_934_245_678_i64 }, "msg": "hi" })
    );
    assert_eq!(plain.channels()[0]["ts"], json!({ "$date": 1_577_934_245_678_i64 }));
    assert_eq!(read(Format::Records, &gzip.finish().unwrap()).elements, plain.elements);
    let zipped = read(Format::Records, &zip.bytes());
    assert_eq!(zipped.messages(), plain.messages());
    assert_eq!(zipped.passed_over(), [("unknown file", 1)]);
}

#[test]
fn a_bad_record_costs_a_line() {
    let lines = [
        r#"{"dataType":"user","data":{"username":"x"}}"#,
        r#"{"dataType":"room","data":{}}"#,
        r#"{"dataType":"user","data":["secret"]}"#,
        "{broken",
        r#"{"dataType":"message","data":{"rid":"R","u":{"_id":"a"},"ts":"never","msg":"secret"}}"#,
        r#"{"dataType":"message","data":{"rid":"R","u":{},"ts":1577934245678,"msg":"secret"}}"#,
        r#"{"dataType":"channel","data":{"importIds":["R1"],"t":"x"}}"#,
        r#"{"dataType":"channel","data":{"importIds":["R2"],"t":"d","users":[]}}"#,
        r#"{"dataType":"user","data":{"importIds":["ok"]}}"#,
    ];
    let read = read(Format::Records, lines.join("\n").as_bytes());
    assert_eq!((read.users().len(), read.tally.element_count()), (1, 9));
    let mut reasons = read.reasons();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "line 1: The record needs importIds, a list of at least one text.",
            "line 2: The line's dataType is none of user, contact, channel and message.",
            "line 3: The record's data is no object.",
            r#"line 4: The line is not of the form {"dataType":"…","data":{…}}."#,
            "line 5: The field ts holds no date.",
            "line 6: A message needs rid and u._id.",
            "line 7: A channel's t is one of c, p and d.",
            "line 8: A direct message needs users.",
        ]
    );
}

#[test]
fn a_list_of_members_is_read_by_its_header_with_any_separator() {
    for separator in [",", ";", "\t"] {
        let rows = [["fullname", "username", "email"], ["Ann Lee", "ann", "ann@x.example"]];
        let file = rows.map(|row| row.join(separator)).join("\n");
        assert_eq!(
            read(Format::SlackUsers, file.as_bytes()).users(),
            [
                json!({ "emails": ["ann@x.example"], "importIds": ["ann@x.example"], "username": "ann", "name": "Ann Lee", "type": "user" })
            ]
        );
    }
    assert_eq!(read(Format::SlackUsers, b"ann,ann@x.example,Member\n").users().len(), 1, "a header is no must");
}

#[test]
fn a_contact_without_an_id_gets_the_same_one_each_time() {
    let file = b"name,emails,phones,Plan,Plan\nAnn,a@x.example,,a,b\n,,,x,\nBea,b@x.example\n";
    let contacts = |file: &[u8]| read(Format::Contacts, file).data(RecordType::Contact);
    let first = contacts(file);
    assert_eq!(first, contacts(file));
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["customFields"], json!({ "Plan": "b" }));
    assert_ne!(first[0]["importIds"], first[1]["importIds"]);
    assert_eq!(read(Format::Contacts, file).passed_over(), [("contact", 1)]);
}

/// A store that can be cut off.
#[derive(Debug)]
struct Store {
    file: Vec<u8>,
    is_down: AtomicBool,
}

impl ReadAt for Store {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(io::Error::other("no primary"));
        }
        self.file.read_at(offset, buffer)
    }
}

#[test]
fn a_store_that_fails_is_never_taken_for_a_damaged_file() {
    let day: Value = (0..50).map(|second| json!({ "type": "message", "user": "U1", "text": "x", "ts": format!("15779232{second:02}.000100") })).collect();
    let zip = Zip::default()
        .json("users.json", &json!([{ "id": "U1", "name": "ann" }]))
        .json(
            "channels.json",
            &json!([{ "id": "C1", "name": "a", "members": [] }, { "id": "C2", "name": "b", "members": [] }]),
        )
        .json("a/2020-01-02.json", &day)
        .json("b/2020-01-02.json", &day);
    let store = Arc::new(Store { file: zip.bytes(), is_down: AtomicBool::new(true) });
    let refused = open(Format::Slack, store.clone(), &Options::default());
    assert!(matches!(refused, Err(OpenError::Unreachable(_))), "{refused:?}");
    store.is_down.store(false, Ordering::Relaxed);
    let mut reader = open(Format::Slack, store.clone(), &Options::default()).unwrap();
    let whole = open(Format::Slack, store.clone(), &Options::default()).unwrap();
    let expected: Vec<Element> = whole.map(Result::unwrap).collect();
    let mut found: Vec<Element> = reader.by_ref().take(10).map(Result::unwrap).collect();
    store.is_down.store(true, Ordering::Relaxed);
    let failure = reader.find_map(Result::err).unwrap();
    assert_eq!(failure.to_string(), "no primary");
    assert!(matches!(reader.next(), Some(Err(_))), "it stays down");
    store.is_down.store(false, Ordering::Relaxed);
    let position = reader.position();
    found.truncate(10);
    // What was read between the tenth element and the failure was dropped by this test, not by the reader.
    let mut again = open(Format::Slack, store, &Options::default()).unwrap();
    let all: Vec<Element> = again.by_ref().take_while(|_| true).map(Result::unwrap).collect();
    assert_eq!(all, expected);
    reader.resume(position);
    let rest: Vec<Element> = reader.map(Result::unwrap).collect();
    assert_eq!(rest, expected[expected.len() - rest.len()..]);
    assert_eq!(found, expected[..10]);
    assert!(!rest.is_empty());
}

#[test]
fn a_file_of_another_kind_is_refused_by_each_importer() {
    let slack = Zip::default().json("users.json", &json!([])).bytes();
    assert!(refusal(Format::Csv, &slack).contains("users.csv"));
    assert!(refusal(Format::SlackUsers, &slack).contains("not UTF-8"));
    assert!(refusal(Format::SlackUsers, b"a,b\n").contains("username and email"));
    assert!(refusal(Format::Contacts, b"a,b\nc,d\n").contains("no list of contacts"));
    assert!(refusal(Format::Records, b"a,b\n").contains("no JSON object"));
}
