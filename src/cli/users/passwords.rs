//! `--passwords-out`: passwords for people who get an account and have none, in a file for the person who hands them out.
//!
//! The file is there before anything is sent, so that no password is ever staged that nobody knows. After the run it holds
//! those of new accounts alone.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufReader, BufWriter},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::{
    super::CommandError,
    batches::{KeptUser, KeptUsers, Spool},
    disk,
};
use crate::domain::{
    password,
    spreadsheet::{harmless, original},
};

const HEADER: [&str; 4] = ["username", "emails", "importIds", "password"];
/// The column of the import ids.
const IMPORT_IDS: usize = 2;
/// Between the values of a cell, as in files of users.
const SEPARATOR: &str = ";";

/// The file of made passwords. Unless it was stored it goes with this value: then nobody has a password of it.
#[derive(Debug)]
pub(super) struct Passwords {
    path: PathBuf,
    rows: csv::Writer<BufWriter<File>>,
    made: u64,
    is_needed: bool,
}

impl Passwords {
    /// Refuses a file that is there: it may hold passwords that nobody else has.
    ///
    /// # Errors
    /// With a sentence for that.
    pub(super) fn look_at(path: &Path) -> Result<(), CommandError> {
        if path.exists() {
            let reason = "is there already, and may hold passwords that nobody else has: give another name";
            return Err(CommandError::Setting(format!("--passwords-out: {} {reason}", path.display())));
        }
        Ok(())
    }

    /// Makes the file, readable for its owner alone.
    ///
    /// # Errors
    /// When it cannot be made, or is there by now.
    pub(super) fn create(path: &Path) -> Result<Self, CommandError> {
        Self::look_at(path)?;
        let unwritable = |error: &dyn std::fmt::Display| unwritable(path, error);
        let file = own_file(path).map_err(|error| unwritable(&error))?;
        let mut rows = csv::Writer::from_writer(BufWriter::new(file));
        rows.write_record(HEADER).map_err(|error| unwritable(&error))?;
        Ok(Self { path: path.to_owned(), rows, made: 0, is_needed: false })
    }

    /// The user with a password of its own, if it has none. The person must change it, unless the user says otherwise.
    ///
    /// # Errors
    /// When the password cannot be written down.
    pub(super) fn give(&mut self, user: KeptUser) -> Result<KeptUser, CommandError> {
        let mut fields: Value = serde_json::from_str(&user.text).map_err(CommandError::failed)?;
        let has_password = fields["password"].as_str().is_some_and(|password| !password.is_empty());
        if has_password || fields["services"]["password"]["bcrypt"].is_string() {
            return Ok(user);
        }
        let made = password::generate();
        let texts = |field: &str| {
            let texts = fields[field].as_array().map(Vec::as_slice).unwrap_or_default();
            texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(SEPARATOR)
        };
        let username = fields["username"].as_str().unwrap_or_default();
        let row = [username, &texts("emails"), &texts("importIds"), &made];
        self.rows
            .write_record(row.map(|cell| harmless(cell).into_owned()))
            .map_err(|error| unwritable(&self.path, &error))?;
        self.made += 1;
        fields["password"] = made.into();
        if fields["requirePasswordChange"].is_null() {
            fields["requirePasswordChange"] = true.into();
        }
        Ok(KeptUser { line: user.line, text: fields.to_string() })
    }

    /// All users, each with a password.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub(super) fn give_all(&mut self, users: &mut KeptUsers) -> Result<KeptUsers, CommandError> {
        let mut spool = Spool::new().map_err(|error| disk(&error))?;
        while let Some(user) = users.next().map_err(|error| disk(&error))? {
            spool.add_kept(&self.give(user)?).map_err(|error| disk(&error))?;
        }
        spool.read().map_err(|error| disk(&error))
    }

    /// Stores what was written, before anything is sent.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn store(&mut self) -> Result<(), CommandError> {
        let stored = self.rows.flush().and_then(|()| self.rows.get_ref().get_ref().sync_all());
        stored.map_err(|error| unwritable(&self.path, &error))?;
        self.is_needed = self.made > 0;
        Ok(())
    }

    /// Takes the passwords of users out again whose account is not new, by their import ids; how many are left.
    ///
    /// # Errors
    /// When the file cannot be read or written: then it holds all of them.
    pub(super) fn keep_new(mut self, not_new: &HashSet<String>) -> Result<u64, CommandError> {
        if !not_new.is_empty() && self.is_needed {
            self.made = keep_rows(&self.path, not_new).map_err(|error| unwritable(&self.path, &error))?;
            self.is_needed = self.made > 0;
        }
        Ok(self.made)
    }

    /// Leaves the file as it was sent; how many passwords it holds.
    pub(super) fn keep_all(self) -> u64 {
        self.made
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        if !self.is_needed {
            // It holds nothing, or passwords that were never sent.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn keep_rows(path: &Path, not_new: &HashSet<String>) -> Result<u64, csv::Error> {
    let mut rows = csv::Reader::from_reader(BufReader::new(File::open(path)?));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For its owner alone, like the one whose place it takes.
    let mut kept = csv::Writer::from_writer(BufWriter::new(NamedTempFile::new_in(folder)?));
    kept.write_record(HEADER)?;
    let mut count = 0;
    for row in rows.records() {
        let row = row?;
        let import_ids = original(row.get(IMPORT_IDS).unwrap_or_default());
        let is_new = !import_ids.split(SEPARATOR).any(|id| not_new.contains(id));
        if is_new {
            kept.write_record(&row)?;
            count += 1;
        }
    }
    let kept = kept.into_inner().map_err(csv::IntoInnerError::into_error)?;
    let kept = kept.into_inner().map_err(io::IntoInnerError::into_error)?;
    kept.as_file().sync_all()?;
    kept.persist(path).map_err(|error| error.error)?;
    Ok(count)
}

/// A file that was not there before, readable for its owner alone.
fn own_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Setting(format!("--passwords-out: {}: {error}", path.display()))
}
