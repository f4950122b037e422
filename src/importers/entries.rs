//! Rows and JSON elements of several entries of an archive, and of files that are no archive.

use std::{
    io::{BufReader, Read},
    sync::Arc,
};

use crate::domain::record_type::RecordType;

use super::{
    archive::{Archive, Entry, EntryReader},
    elements::{Damage, JsonElements},
    read_at::{ReadAt, Stretch},
    record::{At, Place, Problem, Refusal},
    rows::{Row, Rows, Separators},
};

const READ_BYTES: usize = 64 * 1024;

/// A row with its place, or the reason why it cannot be read.
pub(super) type FoundRow = Result<(Place, Row), Problem>;

/// Any source of rows.
pub(super) type RowSource = Box<dyn Iterator<Item = FoundRow> + Send>;

/// Files of an archive, by their offsets in its directory, opened one after the other.
#[derive(Debug)]
struct Opened {
    archive: Arc<Archive>,
    offsets: std::vec::IntoIter<u64>,
}

impl Opened {
    fn next(&mut self) -> Option<Result<(Place, EntryReader), Problem>> {
        let offset = self.offsets.next()?;
        let entry = match self.archive.entry_at(offset) {
            Ok(entry) => entry,
            Err(error) => return Some(Err(Problem::entry(Place::default(), error.to_string()))),
        };
        Some(opened(&self.archive, &entry))
    }
}

/// The bytes of an entry, or the problem that it cannot be read.
pub(super) fn opened(archive: &Archive, entry: &Entry) -> Result<(Place, EntryReader), Problem> {
    match archive.read(entry) {
        Ok(reader) => Ok((entry.place(), reader)),
        Err(error) => Err(Problem::entry(entry.place(), format!("The entry cannot be read: {error}."))),
    }
}

/// Rows of files of an archive.
#[derive(Debug)]
pub(super) struct EntryRows {
    files: Opened,
    kind: RecordType,
    separators: Separators,
    current: Option<(Place, Rows<EntryReader>)>,
}

impl EntryRows {
    pub(super) fn new(archive: Arc<Archive>, offsets: Vec<u64>, kind: RecordType, separators: Separators) -> Self {
        Self { files: Opened { archive, offsets: offsets.into_iter() }, kind, separators, current: None }
    }
}

impl Iterator for EntryRows {
    type Item = FoundRow;

    fn next(&mut self) -> Option<FoundRow> {
        loop {
            if let Some((place, rows)) = &mut self.current {
                if let Some(row) = rows.next() {
                    return Some(found(row, place, self.kind));
                }
                self.current = None;
            }
            match self.files.next()? {
                Ok((place, reader)) => self.current = Some((place, Rows::new(reader, self.separators))),
                Err(problem) => return Some(Err(problem)),
            }
        }
    }
}

/// Rows of a file that is no archive.
pub(super) fn file_rows(file: &Arc<dyn ReadAt>, kind: RecordType) -> Result<RowSource, Refusal> {
    let source = Stretch::whole(file.clone()).map_err(|error| Refusal::unreadable(&error))?;
    let rows = Rows::new(source, Separators::Any);
    Ok(Box::new(rows.map(move |row| found(row, &Place::default(), kind))))
}

fn found(row: Result<Row, super::rows::BadRow>, place: &Place, kind: RecordType) -> FoundRow {
    match row {
        Ok(row) => Ok((place.line(row.line), row)),
        Err(bad) => Err(Problem::new(kind, place.line(bad.line), bad.reason)),
    }
}

/// JSON elements of files of an archive.
pub(super) struct EntryElements {
    files: Opened,
    kind: RecordType,
    members: &'static [&'static str],
    current: Option<(Place, JsonElements<BufReader<EntryReader>>)>,
}

/// The JSON of an element with its place, or the reason why it cannot be read.
pub(super) type FoundElement = Result<(Place, Vec<u8>), Problem>;

impl EntryElements {
    pub(super) fn new(
        archive: Arc<Archive>,
        offsets: Vec<u64>,
        kind: RecordType,
        members: &'static [&'static str],
    ) -> Self {
        Self { files: Opened { archive, offsets: offsets.into_iter() }, kind, members, current: None }
    }
}

impl Iterator for EntryElements {
    type Item = FoundElement;

    fn next(&mut self) -> Option<FoundElement> {
        loop {
            if let Some((place, elements)) = &mut self.current {
                match elements.next() {
                    Some(Ok((number, json))) => return Some(Ok((place.at(At::Element(number)), json))),
                    Some(Err(Damage::Element(number, reason))) => {
                        return Some(Err(Problem::new(self.kind, place.at(At::Element(number)), reason)));
                    }
                    Some(Err(Damage::Rest(reason))) => return Some(Err(Problem::entry(place.clone(), reason))),
                    None => self.current = None,
                }
            }
            match self.files.next()? {
                Ok((place, reader)) => {
                    self.current = Some((place, JsonElements::new(buffered(reader), self.members)));
                }
                Err(problem) => return Some(Err(problem)),
            }
        }
    }
}

pub(super) fn buffered<R: Read>(source: R) -> BufReader<R> {
    BufReader::with_capacity(READ_BYTES, source)
}

/// How many elements a JSON list of an archive holds, as far as it can be read; none if it is no list.
pub(super) fn element_count(archive: &Archive, entry: &Entry) -> Result<u64, Problem> {
    let (place, reader) = opened(archive, entry)?;
    let mut count = 0;
    for element in JsonElements::new(buffered(reader), &[]) {
        match element {
            Ok(_) | Err(Damage::Element(..)) => count += 1,
            Err(Damage::Rest(reason)) => return Err(Problem::entry(place, reason)),
        }
    }
    Ok(count)
}
