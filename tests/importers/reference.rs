//! What Rocket.Chat's own importers stage of given files, compared with the records read here, field by field.
//!
//! The files under `tests/fixtures/reference` hold an input of invented people, the records that Rocket.Chat 7.0's own
//! classes staged of it, and the selection they offered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use rocketchat_import::{
    domain::record_type::RecordType,
    importers::{Element, Format, Summary},
};
use serde_json::{Map, Value, json};

use crate::support::{Read, read, refusal, shown};

mod deviations;
use deviations::{ABSENT, ANY, DEVIATIONS, Deviation, Example, RECORD};

const CASES: [(&str, Format); 7] = [
    ("contacts", Format::Contacts),
    ("csv-basic", Format::Csv),
    ("csv-existing", Format::Csv),
    ("slack-again", Format::Slack),
    ("slack-basic", Format::Slack),
    ("slack-threads", Format::Slack),
    ("slack-users", Format::SlackUsers),
];

fn fixture(case: &str, file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(case).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn input(case: &str) -> Vec<u8> {
    fixture(case, if matches!(case, "contacts" | "slack-users") { "input.csv" } else { "input.zip" })
}

/// A difference between one field of a record here and there.
#[derive(Debug)]
struct Difference {
    case: &'static str,
    kind: &'static str,
    record: String,
    path: String,
    ours: String,
    theirs: String,
}

#[test]
fn records_are_those_of_rocket_chat_but_for_the_deviations_that_are_listed() {
    let mut used = BTreeSet::new();
    let mut unexpected = Vec::new();
    for (case, format) in CASES {
        for difference in differences(case, &read(format, &input(case))) {
            let covering = examples().find(|(_, deviation, example)| example.covers(deviation, &difference));
            match covering {
                Some((number, ..)) => drop(used.insert(number)),
                None => unexpected.push(difference),
            }
        }
    }
    assert!(unexpected.is_empty(), "{} unexpected: {unexpected:#?}", unexpected.len());
    let unused: Vec<_> = examples().filter(|(number, ..)| !used.contains(number)).collect();
    assert!(unused.is_empty(), "no case needs these: {unused:#?}");
    let of_messages = DEVIATIONS.iter().filter(|deviation| deviation.kind == "message").count();
    assert!(of_messages <= 30 && DEVIATIONS.len() - of_messages <= 30, "{of_messages} of {}", DEVIATIONS.len());
}

fn examples() -> impl Iterator<Item = (usize, &'static Deviation, &'static Example)> {
    let pairs =
        DEVIATIONS.iter().flat_map(|deviation| deviation.examples.iter().map(move |example| (deviation, example)));
    pairs.enumerate().map(|(number, (deviation, example))| (number, deviation, example))
}

impl Example {
    fn covers(&self, deviation: &Deviation, difference: &Difference) -> bool {
        let is = |said: &str, found: &str| said == ANY || said == found;
        deviation.kind == difference.kind
            && is(self.case, difference.case)
            && is(self.record, &difference.record)
            && self.path == difference.path
            && is(self.ours, &difference.ours)
            && is(self.theirs, &difference.theirs)
    }
}

fn differences(case: &'static str, read: &Read) -> Vec<Difference> {
    let staged: Vec<Value> = serde_json::from_slice(&fixture(case, "staged.json")).unwrap();
    let mut differences = Vec::new();
    let mut rooms = BTreeMap::new();
    for kind in RecordType::ALL {
        let of_kind = staged.iter().filter(|row| row["dataType"] == kind.data_type());
        let theirs: Vec<Value> = of_kind.map(|row| plain(&row["data"])).collect();
        let mut ours = read.data(kind);
        for theirs in theirs {
            let record = key(kind, &theirs);
            let Some(at) = ours.iter().position(|ours| key(kind, ours) == record) else {
                differences.push(Difference {
                    case,
                    kind: kind.data_type(),
                    record,
                    path: String::new(),
                    ours: ABSENT.to_owned(),
                    theirs: RECORD.to_owned(),
                });
                continue;
            };
            let mut ours = ours.remove(at);
            map_room(kind, &mut ours, &theirs, &mut rooms);
            let mut push = |path: &str, ours: Option<&Value>, theirs: Option<&Value>| {
                let text = |value: Option<&Value>| value.map_or(ABSENT.to_owned(), Value::to_string);
                let (ours, theirs) = (text(ours), text(theirs));
                differences.push(Difference {
                    case,
                    kind: kind.data_type(),
                    record: record.clone(),
                    path: path.to_owned(),
                    ours,
                    theirs,
                });
            };
            compare("", Some(&ours), Some(&theirs), &mut push);
        }
        for ours in ours {
            differences.push(Difference {
                case,
                kind: kind.data_type(),
                record: key(kind, &ours),
                path: String::new(),
                ours: RECORD.to_owned(),
                theirs: ABSENT.to_owned(),
            });
        }
    }
    differences
}

/// What makes a record the same here and there.
fn key(kind: RecordType, data: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind {
        RecordType::User => text(&data["username"]).trim().to_owned(),
        RecordType::Contact => format!("{} {}", text(&data["name"]), text(&data["emails"][0])).trim().to_owned(),
        RecordType::Channel => match &data["name"] {
            Value::String(name) => format!("{name} {}", text(&data["t"])),
            _ => text(&data["importIds"][0]),
        },
        RecordType::File | RecordType::Avatar => unreachable!("no importer stages these"),
        RecordType::Message => match &data["_id"] {
            Value::String(id) if id.starts_with("slack-") => id.clone(),
            _ => text(&data["msg"]),
        },
    }
}

/// Ids of rooms that Rocket.Chat makes anew each time are mapped to ours by their first use.
fn map_room(kind: RecordType, ours: &mut Value, theirs: &Value, rooms: &mut BTreeMap<String, String>) {
    let path = match kind {
        RecordType::Channel => "/importIds/0",
        RecordType::Message => "/rid",
        _ => return,
    };
    let Some(id) = ours.pointer(path).and_then(Value::as_str) else { return };
    let Some(their_id) = theirs.pointer(path).and_then(Value::as_str) else { return };
    let mapped = rooms.entry(id.to_owned()).or_insert_with(|| their_id.to_owned()).clone();
    *ours.pointer_mut(path).unwrap() = json!(mapped);
}

fn compare(
    path: &str,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    push: &mut impl FnMut(&str, Option<&Value>, Option<&Value>),
) {
    match (ours, theirs) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) if !ours.contains_key("$date") => {
            let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, ours.get(name), theirs.get(name), push);
            }
            let common = |fields: &Map<String, Value>, other: &Map<String, Value>| {
                fields.keys().filter(|name| other.contains_key(*name)).cloned().collect::<Vec<_>>()
            };
            let (our_order, their_order) = (common(ours, theirs), common(theirs, ours));
            if our_order != their_order {
                push(&format!("{path}(order)"), Some(&json!(our_order)), Some(&json!(their_order)));
            }
        }
        (Some(Value::Array(ours)), Some(Value::Array(theirs))) if ours.len() == theirs.len() => {
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{path}[{at}]"), Some(ours), Some(theirs), push);
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => push(path, ours, theirs),
    }
}

/// Canonical extended JSON as the tests show records.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let only = |name: &str| (members.len() == 1).then(|| members.get(name)).flatten();
            if let Some(number) = only("$numberInt").or_else(|| only("$numberLong")) {
                return json!(number.as_str().unwrap().parse::<i64>().unwrap());
            }
            if let Some(number) = only("$numberDouble") {
                return json!(number.as_str().unwrap().parse::<f64>().unwrap());
            }
            members.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(plain).collect(),
        value => value.clone(),
    }
}

#[test]
fn the_selection_offers_what_rocket_chat_offers() {
    for (case, format) in CASES {
        let mut summary = Summary::default();
        for element in read(format, &input(case)).elements {
            if let Element::Record(record) = element {
                summary.add(record.kind, &record.data);
                assert!(shown(&record.data).is_object());
            }
        }
        let theirs: Value = serde_json::from_slice(&fixture(case, "selection.json")).unwrap();
        let names = |list: &str, name: &str| {
            theirs[list]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line[name].as_str().unwrap().trim().to_owned())
                .collect::<Vec<_>>()
        };
        // Slackbot is Rocket.Chat's own bot. People without an address and people in no list are ours alone.
        let expected: Vec<String> = names("users", "username").into_iter().filter(|name| name != "slackbot").collect();
        let mut found: Vec<String> = summary.users.iter().filter_map(|user| user.username.clone()).collect();
        found.retain(|name| expected.contains(name));
        assert_eq!(found, expected, "{case}");
        let mut expected = names("channels", "name");
        let mut seen = BTreeSet::new();
        expected.retain(|name| name != "Direct messages" && seen.insert(name.clone()));
        assert_eq!(
            summary.channels.iter().filter_map(|channel| channel.name.clone()).collect::<Vec<_>>(),
            expected,
            "{case}"
        );
        for (channel, theirs) in summary.channels.iter().zip(theirs["channels"].as_array().unwrap()) {
            assert_eq!(json!(channel.is_archived), theirs["is_archived"], "{case}: {channel:?}");
            assert_eq!(json!(channel.is_private), theirs["is_private"], "{case}: {channel:?}");
        }
        let direct = theirs["channels"].as_array().unwrap().iter().any(|line| line["is_direct"] == true);
        assert_eq!(summary.has_direct_messages, direct, "{case}");
        for user in &summary.users {
            let same = theirs["users"]
                .as_array()
                .unwrap()
                .iter()
                .find(|line| line["username"].as_str().map(str::trim) == user.username.as_deref());
            let Some(same) = same else { continue };
            assert_eq!(
                (json!(user.is_deleted), json!(user.is_bot)),
                (same["is_deleted"].clone(), same["is_bot"].clone()),
                "{case}"
            );
        }
        assert_eq!(summary.contacts.len(), theirs["contacts"].as_array().unwrap().len(), "{case}");
    }
}

#[test]
fn what_breaks_rocket_chats_preparation_is_read_or_refused_with_a_reason() {
    assert_eq!(refusal(Format::Slack, &input("broken-not-a-zip")), "The file is no zip archive.");
    let read = read(Format::Csv, &input("broken-csv-blank-line"));
    assert_eq!(read.users().len(), 2);
    assert!(read.problems().is_empty());
}
