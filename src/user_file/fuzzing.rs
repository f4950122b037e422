//! The users that are read out of a file.

use std::io::Cursor;

use clap::ValueEnum as _;
use serde_json::{Map, Value};

use super::{
    Format, From, ImportIdFrom, Options, Refusable, Rejects, Users, encoding_named,
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
/// one if `named` says so. `flags` are flags of the command line such as `from=ldap`, with tabs between them; others are
/// passed over.
#[must_use]
pub fn users_in_file(file: &[u8], kind: FileKind, named: bool, flags: &str) -> (Vec<FoundUser>, Vec<u8>) {
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
    let mut options = Options { format, import_id_from, ..Options::default() };
    for (flag, value) in flags.split('\t').filter_map(|flag| flag.split_once('=')) {
        set(&mut options, flag, value);
    }
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

/// Sets what the flag says, unless the command line would refuse it.
fn set(options: &mut Options, flag: &str, value: &str) {
    match flag {
        "from" => options.from = From::from_str(value, true).ok(),
        "encoding" => options.encoding = encoding_named(value).ok(),
        "sheet" => options.sheet = Some(value.to_owned()),
        "map" => drop(options.assignments.map(value)),
        "constant" => drop(options.assignments.add_constant(value)),
        "ignore-unknown" => options.ignores_unknown = true,
        "refuse" => options.refused.extend(Refusable::from_str(value, true)),
        _ => {}
    }
}
