//! The findings of an importer in a file: records, problems, and elements that are passed over.

use std::{fmt, sync::Arc};

use thiserror::Error;

use crate::domain::{field_value::Fields, record_type::RecordType};

/// One element of a file, accounted for.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    Record(Record),
    Problem(Problem),
    PassedOver(PassedOver),
}

/// A record in Rocket.Chat's staged form.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub kind: RecordType,
    pub data: Fields,
    pub place: Place,
    /// What a reader of the report should know, although the record is fine.
    pub notes: Vec<Note>,
}

/// An element that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// A record type's `dataType`, or `entry` for an entry of an archive as a whole.
    pub kind: &'static str,
    /// Ids of the element in its source, as far as they are known.
    pub ids: Vec<String>,
    /// One sentence, without any text of a message and without any query of an address.
    pub reason: String,
}

/// Elements that are left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// A word for what they are, such as `message` or `system file`.
    pub kind: &'static str,
    pub reason: String,
    pub count: u64,
    /// Where the first of them is.
    pub place: Place,
}

/// Where in a file something is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The name of the archive's entry; none if the file is no archive.
    pub entry: Option<Arc<str>>,
    pub at: At,
}

/// Where in a file or in an archive's entry something is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum At {
    #[default]
    Whole,
    /// The line it begins on, counted from 1.
    Line(u64),
    /// Its number in a JSON list, counted from 1.
    Element(u64),
    /// The time of a Slack message, which names it within its channel.
    Time(String),
}

/// A fact about a record that was imported, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Note {
    /// An answer whose thread's first message is not in the export.
    AnswerWithoutRoot,
    /// A Slack message of a subtype without a counterpart became a plain message.
    UnknownSubtype,
    /// A file that Slack no longer holds became a line of text.
    FileGone,
    /// Emoji names that were left as they are.
    EmojiUnchanged,
    /// An attachment held parts that Rocket.Chat refuses; they were left out.
    AttachmentCleaned,
    /// A time given in seconds, or as a date, was recognised.
    TimeRecognised,
    /// Somebody in no list of users, who wrote something.
    Placeholder,
    /// A message of nobody who is known became one of Rocket.Chat's own bot.
    AuthorUnknown,
}

impl Note {
    /// The words for the report.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::AnswerWithoutRoot => "answer without its thread's first message, now a plain message",
            Self::UnknownSubtype => "subtype without a counterpart, now a plain message",
            Self::FileGone => "file that Slack no longer holds, now a line of text",
            Self::EmojiUnchanged => "emoji names left as they are",
            Self::AttachmentCleaned => "attachment without the parts that Rocket.Chat refuses",
            Self::TimeRecognised => "time in seconds or as a date",
            Self::Placeholder => "person in no list of users, now a deactivated placeholder",
            Self::AuthorUnknown => "message without an author, now one of rocket.cat",
        }
    }
}

/// A file that cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Refusal {
    /// One sentence with the reason, fit to be shown.
    pub reason: String,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    pub(super) fn unreadable(error: &std::io::Error) -> Self {
        Self::new(format!("The file cannot be read: {error}"))
    }
}

/// The word for an entry of an archive in [`Problem::kind`].
pub(super) const ENTRY: &str = "entry";

impl Problem {
    pub(super) fn new(kind: RecordType, place: Place, reason: impl Into<String>) -> Self {
        Self { place, kind: kind.data_type(), ids: Vec::new(), reason: reason.into() }
    }

    pub(super) fn entry(place: Place, reason: impl Into<String>) -> Self {
        Self { place, kind: ENTRY, ids: Vec::new(), reason: reason.into() }
    }

    pub(super) fn with_ids(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.ids.extend(ids);
        self
    }
}

impl PassedOver {
    pub(super) fn one(kind: &'static str, reason: impl Into<String>, place: Place) -> Self {
        Self { kind, reason: reason.into(), count: 1, place }
    }
}

impl Record {
    pub(super) fn new(kind: RecordType, data: Fields, place: Place) -> Self {
        Self { kind, data, place, notes: Vec::new() }
    }
}

impl Place {
    pub(super) fn entry(name: &Arc<str>) -> Self {
        Self { entry: Some(name.clone()), at: At::Whole }
    }

    pub(super) fn at(&self, at: At) -> Self {
        Self { entry: self.entry.clone(), at }
    }

    pub(super) fn line(&self, line: u64) -> Self {
        self.at(At::Line(line))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry.as_deref();
        formatter.write_str(entry.unwrap_or_default())?;
        if entry.is_some() && self.at != At::Whole {
            formatter.write_str(", ")?;
        }
        match &self.at {
            At::Whole => Ok(()),
            At::Line(line) => write!(formatter, "line {line}"),
            At::Element(number) => write!(formatter, "element {number}"),
            At::Time(time) => write!(formatter, "message {time}"),
        }
    }
}

impl From<Record> for Element {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl From<Problem> for Element {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<PassedOver> for Element {
    fn from(passed_over: PassedOver) -> Self {
        Self::PassedOver(passed_over)
    }
}
