//! Where the bytes of an import file are.

use std::path::PathBuf;

use super::field_value::{FieldValue, Fields};

const KIND: &str = "kind";
const STORED: &str = "stored";
const FOLDER: &str = "folder";
const ID: &str = "id";
const PATH: &str = "path";

/// The place of an import file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSource {
    /// A file of the file store, by its id.
    Stored(String),
    /// A file on the disk of the server, below a folder that is meant for such files. It is read where it is.
    Folder(PathBuf),
}

impl FileSource {
    /// Reads a source as an operation holds it; `None` for a kind that is not known.
    #[must_use]
    pub fn from_fields(fields: &Fields) -> Option<Self> {
        let text = |name: &str| fields.get(name).and_then(FieldValue::as_text);
        match text(KIND)? {
            STORED => Some(Self::Stored(text(ID)?.to_owned())),
            FOLDER => Some(Self::Folder(PathBuf::from(text(PATH)?))),
            _ => None,
        }
    }

    /// Returns the source as an operation holds it. A path that is no UTF-8 is refused before a source is made of it.
    #[must_use]
    pub fn to_fields(&self) -> Fields {
        let text = |text: &str| FieldValue::Text(text.into());
        match self {
            Self::Stored(id) => Fields::from_iter([(KIND, text(STORED)), (ID, text(id))]),
            Self::Folder(path) => Fields::from_iter([(KIND, text(FOLDER)), (PATH, text(&path.to_string_lossy()))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_back_from_what_is_stored() {
        for source in [FileSource::Stored("a".repeat(24)), FileSource::Folder(PathBuf::from("/srv/imports/a.zip"))] {
            assert_eq!(FileSource::from_fields(&source.to_fields()), Some(source));
        }
        let unknown = Fields::from_iter([(KIND, FieldValue::Text("tape".into()))]);
        assert_eq!(FileSource::from_fields(&unknown), None);
    }
}
