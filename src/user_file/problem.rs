//! Problems of a file: where, whose, of which kind, and the sentence for a person.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::domain::shown_value::{is_invisible, shown};

/// The kind of a problem, a stable word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The file cannot be read: I/O, damage, a password.
    Unreadable,
    /// Bytes that are no text in the file's encoding.
    Encoding,
    /// The file is of another kind, or holds something else.
    OtherFile,
    /// The header is missing or unusable.
    Header,
    /// A column or key that stands for no field.
    UnknownColumn,
    /// An option does not fit the file.
    Option,
    /// The file or a part of it is over a limit.
    TooLarge,
    /// CSV, JSON or LDIF that is not well-formed.
    Syntax,
    /// Two files joined: a mark or a header in the middle.
    Joined,
    /// Too many or too few cells, or a value without a column name.
    Cells,
    /// A value of the wrong kind.
    Value,
    /// A number or date that a spreadsheet changed.
    DamagedValue,
    /// A field that every user needs is missing.
    Missing,
    /// A value that another line has too.
    Twice,
    /// The workspace does not take the user.
    Refused,
    /// A setting of the workspace is wrong, so that it takes nobody.
    Setting,
    /// Warning: values that differ in letter case only.
    CaseTwins,
    /// Warning: no e-mail address.
    Address,
    /// Warning: a user name that cannot be mentioned, or that the workspace reserves.
    Username,
    /// Warning: an address of a domain that the workspace refuses of people who sign up.
    Domain,
    /// Warning: a channel that nobody can join.
    Channel,
    /// Warning: an address where the user name belongs, and the reverse.
    SwappedColumns,
    /// Warning: typographic quotation marks in a name or an address.
    TypographicQuotes,
    /// Warning: text that was read in a wrong encoding before it came here.
    Garbled,
    /// Warning: an import id that is a date.
    Date,
    /// Warning: the file is a part of a longer list.
    Incomplete,
}

/// A kind of warning that can be made an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Refusable {
    /// Values that differ in letter case only
    CaseTwins,
    /// Addresses that cannot be
    Address,
    /// User names that cannot be mentioned, or that the workspace reserves
    Username,
    /// Addresses of domains that the workspace refuses, with --check and --run
    Domain,
    /// An address as user name and no address as address
    SwappedColumns,
    /// Typographic quotation marks
    TypographicQuotes,
    /// Text in a wrong encoding
    Garbled,
    /// Import ids that are dates
    Date,
}

impl From<Refusable> for Kind {
    fn from(refusable: Refusable) -> Self {
        match refusable {
            Refusable::CaseTwins => Self::CaseTwins,
            Refusable::Address => Self::Address,
            Refusable::Username => Self::Username,
            Refusable::Domain => Self::Domain,
            Refusable::SwappedColumns => Self::SwappedColumns,
            Refusable::TypographicQuotes => Self::TypographicQuotes,
            Refusable::Garbled => Self::Garbled,
            Refusable::Date => Self::Date,
        }
    }
}

/// The weight of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// The user can be imported.
    Warning,
    /// The line cannot be imported, the others can.
    Error,
    /// Nothing of the file can be imported.
    Fatal,
}

/// Something wrong with a line or with the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// From 1 on: of a text file the line, of a workbook the row. `None` where no line is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    /// The first import id of the user, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) import_id: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    /// A sentence with the value and the way out. Never holds a password.
    pub(crate) reason: String,
}

impl Problem {
    pub(super) fn error(line: u64, fault: Fault) -> Self {
        Self::new(line, Severity::Error, fault)
    }

    pub(super) fn warning(line: u64, fault: Fault) -> Self {
        Self::new(line, Severity::Warning, fault)
    }

    /// Whether it warns of a user name, by the rules that a workspace has unless it is set otherwise.
    pub(crate) fn is_username_warning(&self) -> bool {
        self.kind == Kind::Username && self.severity == Severity::Warning
    }

    pub(super) fn fatal(line: u64, fault: Fault) -> Self {
        Self::new(line, Severity::Fatal, fault)
    }

    /// The workspace does not take the user of this line.
    pub(crate) fn refused(line: u64, reason: String) -> Self {
        Self::error(line, Fault { kind: Kind::Refused, reason })
    }

    /// A setting of the workspace keeps everybody out.
    pub(crate) fn of_setting(reason: String) -> Self {
        Self { line: None, import_id: None, kind: Kind::Setting, severity: Severity::Fatal, reason }
    }

    fn new(line: u64, severity: Severity, fault: Fault) -> Self {
        Self { line: Some(line), import_id: None, kind: fault.kind, severity, reason: fault.reason }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        formatter.write_str(&self.reason)?;
        match &self.import_id {
            Some(id) => write!(formatter, " (import id {})", shown(id)),
            None => Ok(()),
        }
    }
}

/// A problem without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// The value as [`shown`], within quotation marks.
pub(super) fn quoted(value: &str) -> String {
    format!("\"{}\"", shown(value))
}

/// Whether the character may stand round a value without being a part of it: blanks of every kind, marks without width
/// and marks of writing direction, as address books put them there.
pub(super) fn is_blank(character: char) -> bool {
    character.is_whitespace() || is_invisible(character)
}

/// The value without blanks round it.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches(is_blank)
}
