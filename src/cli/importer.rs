//! The importer of a file: named by a person, or found by a look at the file.

use std::sync::Arc;

use clap::ValueEnum;

use crate::importers::{self, Format, OpenError, Options, ReadAt, Reader};

/// Keys of importers, as `importers.list` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ImporterName {
    Csv,
    Slack,
    SlackUsers,
    #[value(name = "omnichannel_contact")]
    OmnichannelContact,
    Records,
}

impl ImporterName {
    pub(super) const fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Slack => Format::Slack,
            Self::SlackUsers => Format::SlackUsers,
            Self::OmnichannelContact => Format::Contacts,
            Self::Records => Format::Records,
        }
    }
}

/// The keys of all importers, for sentences.
pub(super) fn importer_keys() -> String {
    Format::ALL.map(Format::importer_key).join(", ")
}

/// Opens the file with the named importer, or with each that takes it. A file that none takes is refused with the reasons
/// of all. What a file carries beside its messages says nothing of its importer, if there is one that reads the rest.
pub(super) fn readers_of(file: &Arc<dyn ReadAt>, named: Option<ImporterName>) -> Result<Vec<(Format, Reader)>, String> {
    let options = Options::default();
    let formats = named.map_or_else(|| Format::ALL.to_vec(), |named| vec![named.format()]);
    let (mut readers, mut reasons) = (Vec::new(), Vec::new());
    for format in formats {
        match importers::open(format, Arc::clone(file), &options) {
            Ok(reader) => readers.push((format, reader)),
            Err(OpenError::Unreachable(error)) => return Err(error.to_string()),
            Err(OpenError::Refused(refusal)) => reasons.push(format!("as {}: {refusal}", format.importer_key())),
        }
    }
    if readers.iter().any(|(_, reader)| !reader.reads_held_files_alone()) {
        readers.retain(|(_, reader)| !reader.reads_held_files_alone());
    }
    if readers.is_empty() { Err(reasons.join(" ")) } else { Ok(readers) }
}
