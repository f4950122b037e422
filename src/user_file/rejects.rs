//! The lines that cannot be imported, in the file's own columns with `line` and `reason` before them.
//!
//! This program reads such a list again: it passes the two columns over. They stand first, so that a row with too many
//! cells keeps its shape.

use std::io::{self, Write};

use csv::{StringRecord, WriterBuilder};
use serde_json::value::to_raw_value;

use super::{
    object::{LINE, Object, REASON},
    presets::are_alike,
    problem::{Problem, Severity},
    users::{Entry, Original},
};
use crate::domain::spreadsheet::harmless;

/// Writes rows as CSV and objects as JSON lines. Text that is no object stands in one.
#[derive(Debug)]
pub(crate) struct Rejects<W> {
    target: W,
    /// The columns of the file that are written, once its header is.
    columns: Option<Vec<usize>>,
    written: u64,
}

impl<W: Write> Rejects<W> {
    pub(crate) fn new(target: W) -> Self {
        Self { target, columns: None, written: 0 }
    }

    /// Lines that were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Adds a line with errors. `header` is that of the file.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub(crate) fn add(&mut self, entry: &Entry, header: Option<&StringRecord>) -> io::Result<()> {
        self.add_for(&reason_of(&entry.problems), entry, header)
    }

    /// Adds a line for this reason.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub(crate) fn add_for(&mut self, reason: &str, entry: &Entry, header: Option<&StringRecord>) -> io::Result<()> {
        match (&entry.original, header) {
            (Original::Row(cells), Some(header)) => self.add_row(entry.line, reason, cells, header)?,
            (Original::Object(object), _) => self.add_object(entry.line, reason, object)?,
            (Original::Text(text), _) => self.write_object(&text.listed(entry.line, reason)?)?,
            (Original::Row(_) | Original::None, _) => return Ok(()),
        }
        self.written += 1;
        Ok(())
    }

    fn add_row(&mut self, line: u64, reason: &str, cells: &StringRecord, header: &StringRecord) -> io::Result<()> {
        // Those of a list that is read again are replaced.
        let is_own = |name: &str| are_alike(name, LINE) || are_alike(name, REASON);
        let is_list = [LINE, REASON].iter().all(|own| header.iter().any(|name| are_alike(name, own)));
        if self.columns.is_none() {
            let names = header.iter().enumerate().filter(|(_, name)| !(is_list && is_own(name)));
            let (columns, names): (Vec<usize>, Vec<&str>) = names.unzip();
            write_row(&mut self.target, [LINE, REASON].into_iter().chain(names).map(str::to_owned))?;
            self.columns = Some(columns);
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        let own = columns.iter().take_while(|index| **index < cells.len()).filter_map(|index| cells.get(*index));
        let more = cells.iter().skip(header.len());
        let cells = own.chain(more).map(|cell| if is_list { cell.to_owned() } else { harmless(cell).into_owned() });
        write_row(&mut self.target, [line.to_string(), harmless(reason).into_owned()].into_iter().chain(cells))
    }

    fn add_object(&mut self, line: u64, reason: &str, object: &Object) -> io::Result<()> {
        let own = object.0.iter().filter(|(name, _)| name != LINE && name != REASON).cloned();
        let mut members = vec![(LINE.to_owned(), to_raw_value(&line)?), (REASON.to_owned(), to_raw_value(reason)?)];
        members.extend(own);
        self.write_object(&Object(members))
    }

    fn write_object(&mut self, object: &Object) -> io::Result<()> {
        serde_json::to_writer(&mut self.target, object)?;
        self.target.write_all(b"\n")
    }

    /// Writes the rest from memory.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.target.flush()
    }
}

impl Rejects<Vec<u8>> {
    /// Takes out the bytes that were written since the last call.
    pub(crate) fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.target)
    }
}

fn write_row(target: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut writer = WriterBuilder::new().flexible(true).from_writer(target);
    writer.write_record(cells.map(String::into_bytes))?;
    writer.flush()
}

fn reason_of(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.severity >= Severity::Error);
    errors.map(|problem| problem.reason.as_str()).collect::<Vec<_>>().join("; ")
}
