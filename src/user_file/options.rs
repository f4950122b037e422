//! How a file is to be read.

use clap::ValueEnum;
use encoding_rs::Encoding;
use serde_json::Value;

use super::{
    fields::{EMAILS, FIELDS, Field, IMPORT_IDS, USERNAME},
    presets::own_target,
    problem::Refusable,
    source::{From, ImportIdFrom},
    target::Target,
};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text with delimiters: comma, semicolon, tab or |
    #[value(alias = "tsv")]
    Csv,
    /// An Excel workbook
    Xlsx,
    /// An `OpenDocument` spreadsheet
    Ods,
    /// An array of users, an object whose `users` is one, or objects one after another
    Json,
    /// A user a line
    #[value(alias = "ndjson")]
    Jsonl,
    /// Entries of a directory
    Ldif,
}

/// What the file itself does not say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Seen by the content and the name where it is not given.
    pub(crate) format: Option<Format>,
    /// Seen by the names in the file where it is not given.
    pub(crate) from: Option<From>,
    pub(crate) encoding: Option<&'static Encoding>,
    /// The sheet of a workbook; otherwise its first.
    pub(crate) sheet: Option<String>,
    pub(crate) assignments: Assignments,
    pub(crate) ignores_unknown: bool,
    pub(crate) import_id_from: Option<ImportIdFrom>,
    /// Whether people of one user name get a name each, so that the name may be there several times.
    pub(crate) may_share_names: bool,
    /// Warnings that are errors.
    pub(crate) refused: Vec<Refusable>,
}

/// Fields that columns or constants are assigned to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Assignments {
    /// Columns and their fields; none for a column that is left out.
    pub(super) mapped: Vec<(String, Option<Field>)>,
    /// Values for users that have none.
    pub(super) constants: Vec<(Field, Value)>,
}

impl Assignments {
    /// Adds `COLUMN=FIELD`. Without a field the column is left out.
    ///
    /// # Errors
    /// With a sentence.
    pub(crate) fn map(&mut self, text: &str) -> Result<(), String> {
        let (column, field) = text.rsplit_once('=').ok_or_else(|| format!("{text} is not COLUMN=FIELD"))?;
        let field = match field.trim() {
            "" => None,
            name => Some(field_named(name)?),
        };
        self.mapped.push((column.trim().to_owned(), field));
        Ok(())
    }

    /// Adds `FIELD=VALUE`.
    ///
    /// # Errors
    /// With a sentence.
    pub(crate) fn add_constant(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{text} is not FIELD=VALUE"))?;
        let field = field_named(name.trim())?;
        self.constants.push((field, constant(field, value)?));
        Ok(())
    }
}

fn field_named(name: &str) -> Result<Field, String> {
    let known = match own_target(name) {
        Some(Target::Field(field)) => Some(field),
        _ => Field::named(name),
    };
    known.ok_or_else(|| {
        let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        format!("{name} is no field of a user: they are {}", names.join(", "))
    })
}

/// A constant of the command line.
///
/// # Errors
/// With a sentence.
fn constant(field: Field, text: &str) -> Result<Value, String> {
    let value = field.read_cell(text).map_err(|fault| fault.reason)?;
    value.ok_or_else(|| format!("{} is empty", field.name)).and_then(|value| {
        let is_personal = [EMAILS, IMPORT_IDS, USERNAME].contains(&field);
        if is_personal { Err(format!("{} cannot be the same for all users", field.name)) } else { Ok(value) }
    })
}
