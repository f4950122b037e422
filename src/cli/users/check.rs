//! The whole file, read and checked before anything is sent.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufWriter, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use super::{
    super::CommandError,
    batches::Spool,
    file::{create_rejects, name_of, open},
};
use crate::{
    client::FailedUser,
    user_file::{Findings, Options, Problem, Rejects, Tally, User, Users, first_import_id},
};

/// As many problems, and as many warnings, are listed.
const LISTED: usize = 100;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) tally: Tally,
    pub(super) findings: Findings,
    /// Lines in the list of those that are left out.
    pub(super) rejected: u64,
}

/// The steps wanted for a file.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) path: PathBuf,
    pub(super) options: Options,
    pub(super) rejects: Option<PathBuf>,
    /// Whether the users are kept to be sent.
    pub(super) keeps_users: bool,
}

impl Check {
    /// Reads the whole file, and keeps its users on the disk if they are to be sent.
    pub(super) fn run(self) -> Result<(Checked, Option<Spool>, RejectList), CommandError> {
        let file = open(&self.path)?;
        // What can be read only once was copied, so the bytes that are read again are those that were checked.
        let again =
            file.try_clone().map_err(|error| CommandError::File(format!("{}: {error}", self.path.display())))?;
        let rejects = self.rejects.as_ref().map(|path| create_rejects(path, &self.path)).transpose()?;
        let name = name_of(&self.path);
        let users = Users::read(file, name.as_deref(), &self.options);
        let (checked, spool) = self.read(users, rejects).map_err(|error| unwritable(&error))?;
        Ok((checked, spool, RejectList { check: self, file: again }))
    }

    fn read(&self, mut users: Users, rejects: Option<File>) -> io::Result<(Checked, Option<Spool>)> {
        let mut tally = Tally::new(LISTED);
        let mut rejects = rejects.map(|file| Rejects::new(BufWriter::new(file)));
        let mut spool = if self.keeps_users { Some(Spool::new()?) } else { None };
        while let Some(entry) = users.next() {
            if let (Some(user), Some(spool)) = (&entry.user, &mut spool) {
                spool.add(entry.line, user)?;
            }
            if let (None, Some(rejects)) = (&entry.user, &mut rejects) {
                rejects.add(&entry, users.header())?;
            }
            tally.take(entry);
        }
        let mut checked = Checked { tally, findings: users.findings().clone(), rejected: 0 };
        if let Some(rejects) = rejects {
            checked.rejected = rejects.written();
            rejects.finish()?;
        }
        Ok((checked, spool))
    }
}

/// The list of the lines that are left out, to be written once more when the server has said whom it would not take, and who
/// failed.
#[derive(Debug)]
pub(super) struct RejectList {
    check: Check,
    file: File,
}

/// Users without an error in the file who belong into the list all the same, each with the reason.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    /// Users that the server refuses, by their place among all without an error.
    pub(super) refusals: BTreeMap<u64, String>,
    /// Users who failed, by their first import id.
    pub(super) failures: HashMap<String, String>,
}

impl Rejected {
    /// Takes in the users who failed in a run.
    pub(super) fn failed(&mut self, users: &[FailedUser]) {
        let reasons = users.iter().filter_map(|user| Some((user.import_ids.first()?.clone(), user.errors.join("; "))));
        self.failures.extend(reasons);
    }

    fn reason_of(&self, place: u64, user: &User) -> Option<&String> {
        self.refusals.get(&place).or_else(|| self.failures.get(first_import_id(user)?))
    }
}

impl RejectList {
    /// Writes the list anew, with these users, and returns its lines. Nothing happens without `--rejects`.
    pub(super) fn add(&self, rejected: &Rejected) -> Result<Option<u64>, CommandError> {
        let Some(path) = &self.check.rejects else { return Ok(None) };
        let target = create_rejects(path, &self.check.path)?;
        let mut file = self.file.try_clone().map_err(|error| unwritable(&error))?;
        file.rewind().map_err(|error| unwritable(&error))?;
        let name = name_of(&self.check.path);
        let mut users = Users::read(file, name.as_deref(), &self.check.options);
        let mut rejects = Rejects::new(BufWriter::new(target));
        let mut place = 0;
        while let Some(mut entry) = users.next() {
            if let Some(user) = &entry.user {
                let reason = rejected.reason_of(place, user);
                place += 1;
                let Some(reason) = reason else { continue };
                entry.problems = vec![Problem::refused(entry.line, reason.clone())];
            }
            rejects.add(&entry, users.header()).map_err(|error| unwritable(&error))?;
        }
        let written = rejects.written();
        rejects.finish().map_err(|error| unwritable(&error))?;
        Ok(Some(written))
    }
}

fn unwritable(error: &io::Error) -> CommandError {
    CommandError::Failed(format!("the disk cannot be written: {error}"))
}

/// Writes a template to standard output.
pub(super) fn print_template(kind: crate::user_file::Template) -> Result<(), CommandError> {
    let is_text = kind != crate::user_file::Template::Xlsx;
    if !is_text && io::IsTerminal::is_terminal(&io::stdout()) {
        return Err(CommandError::Setting(
            "a workbook is no text: write it to a file, as in rocketchat-import users --template xlsx >users.xlsx"
                .to_owned(),
        ));
    }
    let bytes = crate::user_file::template(kind).map_err(CommandError::failed)?;
    let mut output = io::stdout().lock();
    let written = output.write_all(&bytes).and_then(|()| output.flush());
    written.map_err(|error| CommandError::Failed(format!("standard output cannot be written: {error}")))
}

/// The name of the file in sentences.
pub(super) fn shown(path: &Path) -> String {
    name_of(path).map_or_else(|| "standard input".to_owned(), |_| path.display().to_string())
}
