//! The users that are read out of a file.

use std::io::Cursor;

use serde_json::{Map, Value};

use super::{
    Format, ImportIdFrom, Options, Rejects, Users,
    problem::{Problem, Severity},
};

/// How a file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Seen by its content.
    Any,
    Csv,
    Json,
    JsonLines,
    Ldif,
    Xlsx,
    Ods,
}

/// A line of a file.
#[derive(Debug, Clone)]
pub struct FoundUser {
    pub line: u64,
    /// None if there is an error.
    pub user: Option<Map<String, Value>>,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

/// The lines of a file, and the list of those that cannot be imported. Users without an import id get their name for
/// one if `named` says so.
#[must_use]
pub fn users_in_file(file: &[u8], kind: FileKind, named: bool) -> (Vec<FoundUser>, Vec<u8>) {
    let format = match kind {
        FileKind::Any => None,
        FileKind::Csv => Some(Format::Csv),
        FileKind::Json => Some(Format::Json),
        FileKind::JsonLines => Some(Format::Jsonl),
        FileKind::Ldif => Some(Format::Ldif),
        FileKind::Xlsx => Some(Format::Xlsx),
        FileKind::Ods => Some(Format::Ods),
    };
    let import_id_from = named.then_some(ImportIdFrom::Username);
    let options = Options { format, import_id_from, ..Options::default() };
    let mut users = Users::read(Cursor::new(file.to_vec()), None, &options);
    let mut rejects = Vec::new();
    let mut writer = Rejects::new(&mut rejects);
    let mut found = Vec::new();
    while let Some(entry) = users.next() {
        if entry.user.is_none() {
            drop(writer.add(&entry, users.header()));
        }
        let reasons = |is_wanted: &dyn Fn(&Problem) -> bool| {
            entry.problems.iter().filter(|problem| is_wanted(problem)).map(ToString::to_string).collect()
        };
        found.push(FoundUser {
            line: entry.line,
            errors: reasons(&|problem| problem.severity >= Severity::Error),
            warnings: reasons(&|problem| problem.severity == Severity::Warning),
            user: entry.user,
        });
    }
    (found, rejects)
}
