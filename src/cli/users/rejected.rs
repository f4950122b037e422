//! The list of the lines that are left out, written anew with users whom only the server finds fault with.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _},
};

use super::{
    super::CommandError,
    check::{RejectList, unwritable},
    file::{create_rejects, name_of},
};
use crate::{
    client::FailedUser,
    user_file::{Problem, Rejects, User, Users, first_import_id},
};

/// Users without an error in the file who belong into the list all the same, each with the reason.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    /// Of users who are not taken, or would fail.
    pub(super) foreseen: PlacedReasons,
    /// Of users who failed in a run, by their first import id.
    failures: HashMap<String, String>,
}

impl Rejected {
    /// Takes in the users who failed in a run.
    pub(super) fn failed(&mut self, users: &[FailedUser]) {
        let reasons = users.iter().filter_map(|user| Some((user.import_ids.first()?.clone(), user.errors.join("; "))));
        self.failures.extend(reasons);
    }

    fn failure_of(&self, user: &User) -> Option<String> {
        self.failures.get(first_import_id(user)?).cloned()
    }
}

impl RejectList {
    /// Writes the list anew, with these users, and returns its lines. Nothing happens without `--rejects`.
    pub(super) fn add(&self, rejected: &mut Rejected) -> Result<Option<u64>, CommandError> {
        let Some(path) = &self.check.rejects else { return Ok(None) };
        let target = create_rejects(path, &self.check.path)?;
        self.write(target, rejected).map(Some).map_err(|error| unwritable(&error))
    }

    fn write(&self, target: File, rejected: &mut Rejected) -> io::Result<u64> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let mut users = Users::read(file, name_of(&self.check.path).as_deref(), &self.check.options);
        let mut rejects = Rejects::new(BufWriter::new(target));
        let mut foreseen = rejected.foreseen.read()?;
        let mut place = 0;
        while let Some(mut entry) = users.next() {
            if let Some(user) = &entry.user {
                let reason = foreseen.reason_of(place)?;
                place += 1;
                let Some(reason) = reason.or_else(|| rejected.failure_of(user)) else { continue };
                entry.problems = vec![Problem::refused(entry.line, reason)];
            }
            rejects.add(&entry, users.header())?;
        }
        let written = rejects.written();
        rejects.finish()?;
        Ok(written)
    }
}

/// Reasons by the place of the user among all without an error, from 0 on. They are on the disk, in a file without a name: of a
/// long list every user may have one.
#[derive(Debug, Default)]
pub(super) struct PlacedReasons {
    file: Option<BufWriter<File>>,
}

impl PlacedReasons {
    /// Adds the reason of a user behind those that are there.
    pub(super) fn add(&mut self, place: u64, reason: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        serde_json::to_writer(&mut *file, &(place, reason))?;
        file.write_all(b"\n")
    }

    pub(super) fn is_empty(&self) -> bool {
        self.file.is_none()
    }

    fn read(&mut self) -> io::Result<Reading> {
        let Some(file) = &mut self.file else { return Ok(Reading::default()) };
        file.flush()?;
        // Both share the place in the file; nothing is added any more once it is read.
        let mut file = file.get_ref().try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut reading = Reading { file: Some(BufReader::new(file)), next: None };
        reading.go_on()?;
        Ok(reading)
    }
}

/// Reasons in the order of the places.
#[derive(Debug, Default)]
struct Reading {
    file: Option<BufReader<File>>,
    next: Option<(u64, String)>,
}

impl Reading {
    /// The reason of the user in this place, which is behind that of the last call.
    fn reason_of(&mut self, place: u64) -> io::Result<Option<String>> {
        if self.next.as_ref().is_none_or(|(next, _)| *next != place) {
            return Ok(None);
        }
        let reason = self.next.take().map(|(_, reason)| reason);
        self.go_on()?;
        Ok(reason)
    }

    fn go_on(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = String::new();
        self.next = if file.read_line(&mut line)? == 0 { None } else { Some(serde_json::from_str(&line)?) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_back_by_their_places_as_often_as_they_are_read() {
        let mut reasons = PlacedReasons::default();
        assert!(reasons.is_empty() && reasons.read().unwrap().reason_of(0).unwrap().is_none());
        for (place, reason) in [(1, "one\n\"line\""), (4, "four")] {
            reasons.add(place, reason).unwrap();
        }
        assert!(!reasons.is_empty());
        for _ in 0..2 {
            let mut reading = reasons.read().unwrap();
            let found: Vec<Option<String>> = (0..6).map(|place| reading.reason_of(place).unwrap()).collect();
            let [one, four] = ["one\n\"line\"", "four"].map(|reason| Some(reason.to_owned()));
            assert_eq!(found, [None, one, None, None, four, None]);
        }
    }
}
