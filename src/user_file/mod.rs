//! Files of users: CSV, JSON, and JSON lines.
//!
//! A file is read twice, once to be checked as a whole and once to be sent, so that it need not fit into memory.

mod check;
mod csv_file;
mod fields;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod json_file;
mod record;

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::ValueEnum;

pub(crate) use check::{Checked, check};
pub(crate) use record::{Problem, Record};

use fields::{EMAILS, IMPORT_IDS, USERNAME, texts_of};

/// Enough of a file's beginning for its header.
const HEAD_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A header with the fields' names, a row for each user
    Csv,
    /// An array of users, or an object whose `users` is one
    Json,
    /// A user a line
    #[value(alias = "ndjson")]
    Jsonl,
}

impl Format {
    /// The format that a file's name tells.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// What stands in for an import id that a user does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportIdFrom {
    Username,
    /// The first address
    Email,
}

/// A file of users.
#[derive(Debug)]
pub(crate) struct UserFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    pub(crate) import_id_from: Option<ImportIdFrom>,
}

/// The users of a file in their order, each with its line or with what is wrong about it.
pub(crate) type Records = Box<dyn Iterator<Item = Result<Record, Problem>>>;

impl UserFile {
    /// Reads the file from its beginning.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub(crate) fn records(&self) -> io::Result<Records> {
        records_in(File::open(&self.path)?, self.format, self.import_id_from)
    }
}

fn records_in(
    source: impl Read + 'static,
    format: Format,
    import_id_from: Option<ImportIdFrom>,
) -> io::Result<Records> {
    let mut source = BufReader::with_capacity(HEAD_BYTES, source);
    if source.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        source.consume(BYTE_ORDER_MARK.len());
    }
    let records: Records = match format {
        Format::Csv => {
            let head = source.fill_buf()?.to_vec();
            Box::new(csv_file::CsvUsers::new(source, &head))
        }
        Format::Jsonl => Box::new(json_file::JsonLines::new(source)),
        Format::Json => Box::new(json_file::users_in(&io::read_to_string(source)?).into_iter()),
    };
    Ok(Box::new(records.map(move |record| record.and_then(|record| completed(record, import_id_from)))))
}

/// The user with an import id, if one can be made; all else that the API asks for must be there.
fn completed(mut record: Record, import_id_from: Option<ImportIdFrom>) -> Result<Record, Problem> {
    let user = &mut record.user;
    if texts_of(user, IMPORT_IDS).next().is_none() {
        let id = match import_id_from {
            Some(ImportIdFrom::Username) => {
                user.get(USERNAME).and_then(|name| name.as_str()).filter(|name| !name.is_empty())
            }
            Some(ImportIdFrom::Email) => texts_of(user, EMAILS).next(),
            None => None,
        };
        if let Some(id) = id.map(str::to_owned) {
            user.insert(IMPORT_IDS.to_owned(), vec![id].into());
        }
    }
    let missing = [EMAILS, IMPORT_IDS].into_iter().filter(|field| texts_of(user, field).next().is_none());
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(record);
    }
    Err(Problem::new(record.line, format!("{} missing", missing.join(" and "))))
}
