//! The whole file, read and checked before anything is sent.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use super::{
    super::{CommandError, console::Console},
    batches::Spool,
    file::{create_rejects, name_of, open},
    watched::Watched,
};
use crate::user_file::{Findings, Options, Rejects, Tally, Users};

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

/// The list of the lines that are left out, to be written once more when the server has said whom it would not take, and who
/// fails.
#[derive(Debug)]
pub(super) struct RejectList {
    pub(super) check: Check,
    pub(super) file: File,
}

impl Check {
    /// Reads the whole file, and keeps its users on the disk if they are to be sent.
    pub(super) fn run(self, console: &Console) -> Result<(Checked, Option<Spool>, RejectList), CommandError> {
        let file = open(&self.path)?;
        // What can be read only once was copied, so the bytes that are read again are those that were checked.
        let again =
            file.try_clone().map_err(|error| CommandError::File(format!("{}: {error}", self.path.display())))?;
        let rejects = self.rejects.as_ref().map(|path| create_rejects(path, &self.path)).transpose()?;
        let name = name_of(&self.path);
        let users = Users::read(Watched::new(file, console), name.as_deref(), &self.options);
        let read = self.read(users, rejects);
        console.end();
        let (checked, spool) = read.map_err(|error| unwritable(&error))?;
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

pub(super) fn unwritable(error: &io::Error) -> CommandError {
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
