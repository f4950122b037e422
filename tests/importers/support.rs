//! Archives to be read, and the records read out of them.

use std::{io::Write as _, sync::Arc};

use flate2::{Compression, write::DeflateEncoder};
use rocketchat_import::{
    domain::{
        field_value::{FieldValue, Fields},
        record_type::RecordType,
    },
    importers::{Element, Format, Note, OpenError, Options, PassedOver, Problem, Record, Tally, open},
};
use serde_json::{Value, json};

/// A zip, written entry by entry.
#[derive(Default)]
pub(crate) struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
    flags: u16,
}

/// How an entry is packed.
#[derive(Clone, Copy)]
pub(crate) enum Packing {
    Stored,
    Deflated,
}

impl Zip {
    /// The flags of entries from here on.
    pub(crate) fn with_flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(name.as_bytes(), content.as_ref(), Packing::Deflated)
    }

    pub(crate) fn json(self, name: &str, content: &Value) -> Self {
        self.file(name, content.to_string())
    }

    pub(crate) fn entry(self, name: &[u8], content: &[u8], packing: Packing) -> Self {
        let (method, packed) = match packing {
            Packing::Stored => (0, content.to_vec()),
            Packing::Deflated => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                (8, encoder.finish().unwrap())
            }
        };
        self.raw(name, method, &packed, content.len(), crc32fast::hash(content))
    }

    /// An entry whose header says what it likes.
    pub(crate) fn raw(mut self, name: &[u8], method: u16, packed: &[u8], size: usize, checksum: u32) -> Self {
        let offset = u32::try_from(self.bytes.len()).unwrap();
        let mut common = Vec::new();
        for number in [20, self.flags, method, 0, 0] {
            common.extend(number.to_le_bytes());
        }
        for number in [checksum, u32::try_from(packed.len()).unwrap(), u32::try_from(size).unwrap()] {
            common.extend(number.to_le_bytes());
        }
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend(0_u16.to_le_bytes());
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&common);
        self.bytes.extend(name);
        self.bytes.extend(packed);
        self.directory.extend(b"PK\x01\x02\x14\0");
        self.directory.extend(&common);
        self.directory.extend([0; 10]);
        self.directory.extend(0_u32.to_le_bytes());
        self.directory.truncate(self.directory.len() - 4);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name);
        self.entries = self.entries.wrapping_add(1);
        self
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let start = u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(u32::try_from(self.directory.len()).unwrap().to_le_bytes());
        self.bytes.extend(start.to_le_bytes());
        self.bytes.extend(0_u16.to_le_bytes());
        self.bytes
    }
}

/// A file read to its end.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) elements: Vec<Element>,
    pub(crate) tally: Tally,
}

impl Read {
    pub(crate) fn records(&self, kind: RecordType) -> Vec<&Record> {
        let records = self.elements.iter().filter_map(|element| match element {
            Element::Record(record) if record.kind == kind => Some(record),
            _ => None,
        });
        records.collect()
    }

    pub(crate) fn data(&self, kind: RecordType) -> Vec<Value> {
        self.records(kind).into_iter().map(|record| shown(&record.data)).collect()
    }

    pub(crate) fn users(&self) -> Vec<Value> {
        self.data(RecordType::User)
    }

    pub(crate) fn channels(&self) -> Vec<Value> {
        self.data(RecordType::Channel)
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.data(RecordType::Message)
    }

    /// The message whose text begins so.
    pub(crate) fn message(&self, text: &str) -> Value {
        let found =
            self.messages().into_iter().find(|data| data["msg"].as_str().is_some_and(|msg| msg.starts_with(text)));
        found.unwrap_or_else(|| panic!("no message {text:?} in {:#?}", self.messages()))
    }

    pub(crate) fn problems(&self) -> Vec<&Problem> {
        let problems = self.elements.iter().filter_map(|element| match element {
            Element::Problem(problem) => Some(problem),
            _ => None,
        });
        problems.collect()
    }

    /// Places and reasons of all problems.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.problems().into_iter().map(|problem| format!("{}: {}", problem.place, problem.reason)).collect()
    }

    pub(crate) fn passed_over(&self) -> Vec<(&str, u64)> {
        let passed = self.elements.iter().filter_map(|element| match element {
            Element::PassedOver(PassedOver { kind, count, .. }) => Some((*kind, *count)),
            _ => None,
        });
        passed.collect()
    }

    pub(crate) fn notes(&self, note: Note) -> u64 {
        self.tally.notes.get(&note).copied().unwrap_or_default()
    }
}

/// All elements of a file.
pub(crate) fn read(format: Format, file: &[u8]) -> Read {
    let reader = open(format, Arc::new(file.to_vec()), &Options::default());
    let mut read = Read::default();
    for element in reader.unwrap_or_else(|error| panic!("{error}")) {
        let element = element.unwrap();
        read.tally.add(&element);
        read.elements.push(element);
    }
    read
}

/// The sentence with which a file is refused.
pub(crate) fn refusal(format: Format, file: &[u8]) -> String {
    match open(format, Arc::new(file.to_vec()), &Options::default()) {
        Err(OpenError::Refused(refusal)) => refusal.reason,
        Err(OpenError::Unreachable(error)) => panic!("{error}"),
        Ok(_) => panic!("the file is not refused"),
    }
}

/// Data as JSON, with dates as `{"$date": milliseconds}`.
pub(crate) fn shown(fields: &Fields) -> Value {
    fields.iter().map(|(name, value)| (name.to_owned(), shown_value(value))).collect::<serde_json::Map<_, _>>().into()
}

fn shown_value(value: &FieldValue) -> Value {
    match value {
        FieldValue::Null => Value::Null,
        FieldValue::Undefined => panic!("a record holds nothing undefined"),
        FieldValue::Boolean(value) => json!(value),
        FieldValue::Integer(value) => json!(value),
        FieldValue::Double(value) => json!(value),
        FieldValue::Text(text) => json!(text.as_str()),
        FieldValue::Date(date) => json!({ "$date": date.epoch_millis() }),
        FieldValue::List(values) => values.iter().map(shown_value).collect(),
        FieldValue::Object(fields) => shown(fields),
    }
}

/// The milliseconds of a date.
pub(crate) fn millis(value: &Value) -> i64 {
    value["$date"].as_i64().unwrap_or_else(|| panic!("{value} is no date"))
}
