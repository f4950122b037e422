//! Files to records: the bytes of an export or of a list become records in Rocket.Chat's own staged form.
//!
//! Nothing here knows HTTP, the database or BSON. [`open`] looks at a file as a whole and refuses what cannot be
//! imported; the [`Reader`] it returns yields users, contacts, channels and messages, in this order, each element of the
//! file exactly once: as a [`Record`], as a [`Problem`], or as [`PassedOver`]. It blocks, needs memory that does not
//! grow with the messages of a file, and goes on from any [`Position`].
//!
//! What differs from Rocket.Chat's importers, and why: `docs/importers.md`.

mod archive;
mod contacts;
mod csv;
mod elements;
mod entries;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod held_files;
mod held_names;
mod json;
mod moments;
mod read_at;
mod reader;
mod record;
mod records;
mod rows;
mod slack;
mod slack_users;
mod stable_id;
mod summary;
mod tally;

use std::{io, sync::Arc};

use thiserror::Error;

pub use archive::Limits;
pub use held_files::{HeldFile, HeldFiles};
pub use held_names::is_held_path;
pub use read_at::ReadAt;
pub use reader::{Position, Reader};
pub use record::{At, Element, Note, PassedOver, Place, Problem, Record, Refusal};
pub use summary::{Selectable, SelectableChannel, SelectableContact, SelectableUser, Summary};
pub use tally::Tally;

use read_at::Watched;
use reader::Parts;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A zip of CSV files: users, contacts, channels, a folder of messages a channel.
    Csv,
    /// A Slack export: a zip of JSON files.
    Slack,
    /// Slack's list of members, one CSV file.
    SlackUsers,
    /// A list of contacts, one CSV file.
    Contacts,
    /// Staged records as JSON lines: plain, compressed with gzip, or in a zip.
    Records,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Csv, Self::Slack, Self::SlackUsers, Self::Contacts, Self::Records];

    /// The key of the importer that reads such files.
    #[must_use]
    pub const fn importer_key(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Slack => "slack",
            Self::SlackUsers => "slack-users",
            Self::Contacts => "omnichannel_contact",
            Self::Records => "records",
        }
    }

    /// The format that the importer with this key reads.
    #[must_use]
    pub fn from_importer_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.importer_key() == key)
    }
}

/// What reading depends on beside the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Rocket.Chat's setting `DirectMesssage_maxUsers`: a talk of more people becomes a private group.
    pub direct_message_max_users: usize,
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { direct_message_max_users: 8, limits: Limits::default() }
    }
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file itself is at fault; another attempt ends the same way.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store that holds the file failed.
    #[error("the file cannot be reached: {0}")]
    Unreachable(io::Error),
}

/// Looks at a file as a whole and prepares to read it from its beginning.
///
/// # Errors
/// When the file is not of this format, is torn, encrypted, or holds nothing that is known, with one sentence that says
/// so; or when the store fails.
pub fn open(format: Format, file: Arc<dyn ReadAt>, options: &Options) -> Result<Reader, OpenError> {
    let watched = Arc::new(Watched::new(file));
    let parts = parts_of(format, watched.clone(), options);
    if let Some(error) = watched.take_failure() {
        return Err(OpenError::Unreachable(error));
    }
    Ok(Reader::new(parts?, watched))
}

fn parts_of(format: Format, file: Arc<dyn ReadAt>, options: &Options) -> Result<Box<dyn Parts>, Refusal> {
    Ok(match format {
        Format::Csv => Box::new(csv::Export::open(file, options)?),
        Format::Slack => Box::new(slack::Export::open(file, options)?),
        Format::SlackUsers => Box::new(slack_users::MemberList::open(file)?),
        Format::Contacts => Box::new(contacts::ContactList::open(file)?),
        Format::Records => Box::new(records::RecordFile::open(file, options)?),
    })
}
