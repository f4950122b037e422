//! `--passwords-out`: passwords for people who get an account and have none, in a file for the person who hands them out.
//!
//! Until the outcome is known they are in an unfinished file beside it, together with the operations that they were staged
//! in. It is there before anything is sent, so that no password is ever staged that nobody knows. A call that was cut off
//! goes on with it: nobody gets a second password. At the end those of new accounts alone go into the file proper.
//!
//! Users who failed have no account, but stay staged with their passwords. These go into a file of their own: they hold if the
//! account is made later.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{
    super::CommandError,
    batches::{KeptUser, KeptUsers, Spool},
    disk,
};
use crate::domain::{password, spreadsheet::harmless};

const HEADER: [&str; 4] = ["username", "emails", "importIds", "password"];
/// Between the values of a cell, as in files of users.
const SEPARATOR: &str = ";";
/// What the name of an unfinished file ends with.
const UNFINISHED: &str = ".unfinished";
/// What the name of the file with the passwords of users who failed ends with.
const FAILED: &str = ".failed";
/// What receipts put at the end of an import id that is too long for them.
const CUT: char = '…';

/// A line of the unfinished file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Entry {
    Password(Made),
    Operation(Begun),
}

/// A made password and its person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    username: String,
    emails: Vec<String>,
    import_ids: Vec<String>,
    password: String,
}

/// An operation that people with made passwords were staged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// The operation's `_id`.
    pub(super) operation: String,
    /// The fingerprint of all users who were to be staged.
    pub(super) fingerprint: String,
}

/// The made passwords. Unless somebody was staged with one of them, their file goes with this value.
#[derive(Debug)]
pub(super) struct Passwords {
    path: PathBuf,
    unfinished: PathBuf,
    failed: PathBuf,
    entries: BufWriter<File>,
    made: Vec<Made>,
    /// The places of those in `made`, by import id.
    places: HashMap<String, usize>,
    begun: Vec<Begun>,
}

/// The passwords that were written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Those of new accounts.
    pub(super) new: u64,
    /// Those of users who failed.
    pub(super) failed: u64,
}

/// The people of receipts, by what became of them.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) new: ImportIds,
    pub(super) failed: ImportIds,
}

/// The import ids of people, as receipts tell them.
#[derive(Debug, Default)]
pub(super) struct ImportIds {
    import_ids: HashSet<String>,
    /// The beginnings of those that are too long for a receipt.
    beginnings: Vec<String>,
}

impl Passwords {
    /// Refuses a file that is there: it may hold passwords that nobody else has.
    ///
    /// # Errors
    /// With a sentence for that.
    pub(super) fn look_at(path: &Path) -> Result<(), CommandError> {
        let failed = beside(path, FAILED);
        // Beside an unfinished file it is of the call that this one goes on with.
        let is_of_another = failed.exists() && !beside(path, UNFINISHED).exists();
        match [path.exists().then_some(path), is_of_another.then_some(failed.as_path())].into_iter().flatten().next() {
            None => Ok(()),
            Some(path) => {
                let reason = "is there already, and may hold passwords that nobody else has: give another name";
                Err(CommandError::Setting(format!("--passwords-out: {} {reason}", path.display())))
            }
        }
    }

    /// Makes the unfinished file, readable for its owner alone, or goes on with the one of a call that was cut off.
    ///
    /// # Errors
    /// When it cannot be made or read, or the file proper is there by now.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        Self::look_at(path)?;
        let (unfinished, failed) = (beside(path, UNFINISHED), beside(path, FAILED));
        let earlier = if unfinished.exists() { entries_of(&unfinished) } else { Ok(Vec::new()) };
        let written = earlier.and_then(|earlier| Ok((rewritten(&unfinished, &earlier)?, earlier)));
        let (file, earlier) = written.map_err(|error| unwritable(&unfinished, &error))?;
        let mut passwords = Self {
            path: path.to_owned(),
            unfinished,
            failed,
            entries: BufWriter::new(file),
            made: Vec::new(),
            places: HashMap::new(),
            begun: Vec::new(),
        };
        for entry in earlier {
            match entry {
                Entry::Password(made) => passwords.keep(made),
                Entry::Operation(begun) => passwords.begun.push(begun),
            }
        }
        Ok(passwords)
    }

    /// Where the passwords are until the outcome is known, in words.
    pub(super) fn way_on(&self) -> String {
        format!("the passwords are in {} until the same command has gone on", self.unfinished.display())
    }

    /// The operations that people were staged in, the last one last.
    pub(super) fn begun(&self) -> &[Begun] {
        &self.begun
    }

    fn keep(&mut self, made: Made) {
        let place = self.made.len();
        self.places.extend(made.import_ids.iter().map(|id| (id.clone(), place)));
        self.made.push(made);
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
        let texts = |field: &str| {
            let texts = fields[field].as_array().map(Vec::as_slice).unwrap_or_default();
            texts.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let import_ids = texts("importIds");
        let known =
            import_ids.iter().find_map(|id| self.places.get(id)).map(|place| self.made[*place].password.clone());
        let password = known.clone().unwrap_or_else(password::generate);
        if known.is_none() {
            let username = fields["username"].as_str().unwrap_or_default().to_owned();
            let made = Made { username, emails: texts("emails"), import_ids, password: password.clone() };
            let entry = Entry::Password(made.clone());
            write_entry(&mut self.entries, &entry).map_err(|error| unwritable(&self.unfinished, &error))?;
            self.keep(made);
        }
        fields["password"] = password.into();
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

    /// Stores the passwords and the operation that they go into, before anything is sent.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn store(&mut self, begun: Begun) -> Result<(), CommandError> {
        if self.made.is_empty() || self.begun.last() == Some(&begun) {
            return Ok(());
        }
        let stored = write_entry(&mut self.entries, &Entry::Operation(begun.clone()))
            .and_then(|()| self.entries.flush())
            .and_then(|()| self.entries.get_ref().sync_all());
        stored.map_err(|error| unwritable(&self.unfinished, &error))?;
        self.begun.push(begun);
        Ok(())
    }

    /// Writes the passwords of new accounts into the file proper, and those of users who failed into the one beside it; all
    /// into the file proper if `people` is `None`. Where there are none, there is no file.
    ///
    /// # Errors
    /// When a file cannot be written: then the unfinished one stays.
    pub(super) fn finish(mut self, people: Option<&People>) -> Result<Written, CommandError> {
        let is_among = |made: &Made, people: &ImportIds| made.import_ids.iter().any(|id| people.has(id));
        let is_new = |made: &&Made| people.is_none_or(|people| is_among(made, &people.new));
        let (new, others): (Vec<&Made>, Vec<&Made>) = self.made.iter().partition(is_new);
        let has_failed = |made: &&Made| people.is_some_and(|people| is_among(made, &people.failed));
        let failed: Vec<&Made> = others.into_iter().filter(has_failed).collect();
        if !failed.is_empty() {
            // One that is there is of an attempt before, which was cut off here.
            let written = rows_for(&self.failed, &failed).and_then(|file| Ok(file.persist(&self.failed).map(drop)?));
            written.map_err(|error| unwritable(&self.failed, &error))?;
        }
        if !new.is_empty() {
            let written =
                rows_for(&self.path, &new).and_then(|file| Ok(file.persist_noclobber(&self.path).map(drop)?));
            written.map_err(|error| unwritable(&self.path, &error))?;
        }
        let written = Written { new: new.len() as u64, failed: failed.len() as u64 };
        // Now it goes with this value.
        self.begun.clear();
        Ok(written)
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        if self.begun.is_empty() {
            // Its passwords were never sent, or are in the file proper.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

impl ImportIds {
    pub(super) fn add(&mut self, import_ids: &[String]) {
        self.import_ids.extend(import_ids.iter().cloned());
        self.beginnings.extend(import_ids.iter().filter_map(|id| id.strip_suffix(CUT)).map(str::to_owned));
    }

    fn has(&self, import_id: &str) -> bool {
        self.import_ids.contains(import_id)
            || self.beginnings.iter().any(|beginning| !beginning.is_empty() && import_id.starts_with(beginning))
    }
}

/// The whole lines of an unfinished file. What was written when the call was cut off was never sent.
fn entries_of(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let Ok(entry) = serde_json::from_str(&line?) else { break };
        entries.push(entry);
    }
    Ok(entries)
}

/// The file with these entries, readable for its owner alone, to be gone on with.
fn rewritten(path: &Path, entries: &[Entry]) -> io::Result<File> {
    let mut file = BufWriter::new(NamedTempFile::new_in(folder_of(path))?);
    entries.iter().try_for_each(|entry| write_entry(&mut file, entry))?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    Ok(file.persist(path)?)
}

fn write_entry(file: &mut impl io::Write, entry: &Entry) -> io::Result<()> {
    serde_json::to_writer(&mut *file, entry)?;
    file.write_all(b"\n")
}

/// A file that is to have this path, readable for its owner alone.
fn rows_for(path: &Path, rows: &[&Made]) -> io::Result<NamedTempFile> {
    let mut file = csv::Writer::from_writer(NamedTempFile::new_in(folder_of(path))?);
    file.write_record(HEADER)?;
    for Made { username, emails, import_ids, password } in rows {
        let row = [username, &emails.join(SEPARATOR), &import_ids.join(SEPARATOR), password];
        file.write_record(row.map(|cell| harmless(cell).into_owned()))?;
    }
    let file = file.into_inner().map_err(csv::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The path with another end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Setting(format!("--passwords-out: {}: {error}", path.display()))
}
