//! What is read out of a file of users.

use std::io::Cursor;

use serde_json::{Map, Value};

use super::{Format, ImportIdFrom, Records, check, records_in};

/// How a file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Csv,
    Json,
    JsonLines,
}

/// A user of a file and the line it begins on.
#[derive(Debug, Clone)]
pub struct FoundUser {
    pub line: u64,
    pub user: Map<String, Value>,
}

/// The users of a file, or for those that are not fit to be sent the line and the reason. Users without an import id
/// get their name for one if `named` says so.
#[must_use]
pub fn users_in_file(file: &[u8], kind: FileKind, named: bool) -> Vec<Result<FoundUser, (u64, String)>> {
    let users = records(file, kind, named).into_iter().flatten().map(|record| match record {
        Ok(record) => Ok(FoundUser { line: record.line, user: record.user }),
        Err(problem) => Err((problem.line, problem.reason)),
    });
    users.collect()
}

/// How many users of a file are fit to be sent, and how many are not, when it is looked at as a whole.
#[must_use]
pub fn check_file(file: &[u8], kind: FileKind, named: bool) -> Option<(u64, u64)> {
    let checked = check::check_all(records(file, kind, named)?, 0);
    Some((checked.users, checked.problem_count))
}

fn records(file: &[u8], kind: FileKind, named: bool) -> Option<Records> {
    let format = match kind {
        FileKind::Csv => Format::Csv,
        FileKind::Json => Format::Json,
        FileKind::JsonLines => Format::Jsonl,
    };
    records_in(Cursor::new(file.to_vec()), format, named.then_some(ImportIdFrom::Username)).ok()
}
