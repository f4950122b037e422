//! Objects of a file: JSON in its several shapes, and LDIF.

mod broken;
mod ldif;
mod lines;
mod mended;
mod text_lines;
mod values;

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::value::RawValue;

pub(super) use broken::{Broken, KeptText, LINE, REASON};
pub(super) use ldif::Ldif;
pub(super) use lines::Lines;
pub(super) use values::Values;

use super::problem::{Fault, Kind, Problem};
use crate::domain::shown_value::shown;

/// The longest object, as large as a document of the database can be.
const MAX_OBJECT_BYTES: usize = 16 * 1024 * 1024;

/// The way out of JSON that cannot be read.
const MEND_JSON: &str = "mend it there, or export the file again";

/// An object, or what stands there and is none.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) line: u64,
    pub(super) object: Result<Object, Broken>,
}

impl Piece {
    /// Reads a text in JSON. In a list of bad lines it may hold another one, which was mended.
    fn read(line: u64, text: &str) -> Self {
        let object = Object::read(text).map_err(|fault| Broken::new(fault, text)).and_then(Object::out_of_list);
        Self { line, object }
    }
}

/// Objects in their order. A problem is that of the whole file: a fatal one is the last item, a warning is not.
pub(super) type Objects = Box<dyn Iterator<Item = Result<Piece, Problem>> + Send>;

/// The members of an object as they are written: digits are kept, and so are members of the same name.
#[derive(Debug, Default)]
pub(crate) struct Object(pub(super) Vec<(String, Box<RawValue>)>);

impl Object {
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        if !text.trim_start().starts_with('{') {
            let found = shown(text.trim());
            let reason = format!("a user must be an object, as in {{\"username\": \"ann\"}}, not {found}");
            return Err(Fault::new(Kind::Syntax, reason));
        }
        serde_json::from_str(text).map_err(|error| {
            let words = error.to_string();
            let words = words.split_once(" at line ").map_or(words.as_str(), |(words, _)| words);
            Fault::new(Kind::Syntax, format!("not valid JSON: {words} (column {}): {MEND_JSON}", error.column()))
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| &**value)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}
