//! A file's users as bodies of `import.addUsers`.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
};

use sha2::{Digest as _, Sha256};

use crate::user_file::User;

/// Well below the 50 MiB that servers take.
const BODY_LIMIT_BYTES: usize = 8 * 1024 * 1024;
/// Between the line and the user.
const SEPARATOR: char = ' ';

/// Checked users on the disk, in a file without a name, so that the users sent are those checked even if their file changes.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
}

impl Spool {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile()?) })
    }

    pub(super) fn add(&mut self, line: u64, user: &User) -> io::Result<()> {
        write!(self.file, "{line}{SEPARATOR}")?;
        serde_json::to_writer(&mut self.file, user)?;
        self.file.write_all(b"\n")
    }

    /// Adds a user of another spool.
    pub(super) fn add_kept(&mut self, KeptUser { line, text }: &KeptUser) -> io::Result<()> {
        writeln!(self.file, "{line}{SEPARATOR}{text}")
    }

    /// The users from the first on.
    pub(super) fn read(self) -> io::Result<KeptUsers> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(KeptUsers { file: BufReader::new(file), place: 0 })
    }
}

/// A checked user.
#[derive(Debug)]
pub(super) struct KeptUser {
    pub(super) line: u64,
    /// In JSON.
    pub(super) text: String,
}

/// The checked users, one after the other.
#[derive(Debug)]
pub(super) struct KeptUsers {
    file: BufReader<File>,
    /// Of the next user.
    place: u64,
}

impl KeptUsers {
    pub(super) fn next(&mut self) -> io::Result<Option<KeptUser>> {
        let mut text = String::new();
        let length = self.file.read_line(&mut text)?;
        if length == 0 {
            return Ok(None);
        }
        self.place += length as u64;
        let (line, user) = text.trim_end().split_once(SEPARATOR).ok_or(io::ErrorKind::InvalidData)?;
        let line = line.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some(KeptUser { line, text: user.to_owned() }))
    }

    /// The place of the next user.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// Goes back, or on, to the user of this place.
    pub(super) fn go_to(&mut self, place: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(place))?;
        self.place = place;
        Ok(())
    }

    /// Tells these users, in this order, from all others. The next user is the first one then.
    pub(super) fn fingerprint(&mut self) -> io::Result<String> {
        self.go_to(0)?;
        let mut digest = Sha256::new();
        while let Some(user) = self.next()? {
            digest.update(user.text);
            digest.update(b"\n");
        }
        self.go_to(0)?;
        Ok(format!("{:x}", digest.finalize()))
    }

    /// Leaves out so many users.
    pub(super) fn pass_over(&mut self, users: u64) -> io::Result<()> {
        for _ in 0..users {
            self.next()?;
        }
        Ok(())
    }

    /// Batches of so many users, or fewer where they are large; each user with the line of the file or without.
    pub(super) fn batches(self, users: usize, lines: Lines) -> Batches {
        Batches { begin: self.place, kept: self, users, lines, bytes: BODY_LIMIT_BYTES }
    }
}

/// Whether users are sent with their lines, which this service says of those who fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    Sent,
    LeftOut,
}

/// One body.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) body: String,
    pub(super) users: u64,
    pub(super) first_line: u64,
    pub(super) last_line: u64,
}

#[derive(Debug)]
pub(super) struct Batches {
    kept: KeptUsers,
    /// The place of the last batch.
    begin: u64,
    users: usize,
    lines: Lines,
    bytes: usize,
}

impl Batches {
    /// Makes the last batch once more, of half its length, and all after it no longer than that; `false` if it has one
    /// user only.
    pub(super) fn halve(&mut self, batch: &Batch) -> io::Result<bool> {
        if batch.users < 2 {
            return Ok(false);
        }
        self.bytes = batch.body.len() / 2;
        self.kept.go_to(self.begin)?;
        Ok(true)
    }

    fn read(&mut self) -> io::Result<Option<Batch>> {
        let mut batch = Batch { body: r#"{"users":["#.to_owned(), users: 0, first_line: 0, last_line: 0 };
        self.begin = self.kept.place();
        while batch.users < self.users as u64 {
            let before = self.kept.place();
            let Some(user) = self.kept.next()? else { break };
            if batch.users > 0 && batch.body.len() + user.text.len() > self.bytes {
                self.kept.go_to(before)?;
                break;
            }
            batch.last_line = user.line;
            if batch.users == 0 {
                batch.first_line = batch.last_line;
            } else {
                batch.body.push(',');
            }
            batch.users += 1;
            match user.text.strip_prefix('{') {
                Some(members) if self.lines == Lines::Sent => {
                    batch.body.push_str(r#"{"line":"#);
                    batch.body.push_str(&user.line.to_string());
                    batch.body.push(',');
                    batch.body.push_str(members);
                }
                _ => batch.body.push_str(&user.text),
            }
        }
        batch.body.push_str("]}");
        Ok((batch.users > 0).then_some(batch))
    }
}

impl Iterator for Batches {
    type Item = io::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_user_is_in_exactly_one_batch() {
        let mut spool = Spool::new().unwrap();
        for line in 1..=7 {
            let Value::Object(user) = json!({ "name": format!("{line}\n x") }) else { unreachable!() };
            spool.add(line, &user).unwrap();
        }
        let batches: Vec<Batch> = spool.read().unwrap().batches(3, Lines::Sent).map(Result::unwrap).collect();
        let shape: Vec<_> = batches.iter().map(|batch| (batch.users, batch.first_line, batch.last_line)).collect();
        assert_eq!(shape, [(3, 1, 3), (3, 4, 6), (1, 7, 7)]);
        assert_eq!(batches[2].body, "{\"users\":[{\"line\":7,\"name\":\"7\\n x\"}]}");
    }

    #[test]
    fn a_batch_that_is_too_large_is_halved_until_one_user_is_alone() {
        let mut spool = Spool::new().unwrap();
        for line in 1..=4 {
            let Value::Object(user) = json!({ "name": "x".repeat(100) }) else { unreachable!() };
            spool.add(line, &user).unwrap();
        }
        let mut batches = spool.read().unwrap().batches(4, Lines::LeftOut);
        let mut sizes = Vec::new();
        while let Some(batch) = batches.next().map(Result::unwrap) {
            let is_too_large = batch.body.len() > 200;
            sizes.push((batch.first_line, batch.users));
            if is_too_large {
                assert!(batches.halve(&batch).unwrap());
            }
        }
        assert_eq!(sizes, [(1, 4), (1, 1), (2, 1), (3, 1), (4, 1)]);
    }
}
