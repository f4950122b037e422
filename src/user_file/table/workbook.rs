//! Rows of a workbook: Excel (`.xlsx`) and `OpenDocument` (`.ods`).

use std::{
    io::{Read, Seek, SeekFrom},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use calamine::{Data, DataRef, ExcelDateTime, Ods, OdsError, Reader as _, Xlsx, XlsxError};
use csv::StringRecord;

use super::{
    super::{
        input::Source,
        problem::{Fault, Kind, Problem, quoted, trimmed},
    },
    MAX_ROW_BYTES, Row,
    bounds::{MAX_CELLS, MAX_UNPACKED_BYTES, check_archive, check_ods_cells},
};

/// Rows that wait for their reader.
const ROWS_AHEAD: usize = 64;
/// From here on a number of a spreadsheet has lost digits.
const MAX_EXACT_NUMBER: f64 = 1e15;

/// The kinds of workbooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkbookKind {
    Xlsx,
    Ods,
}

/// Rows of one sheet. They are read by a thread of their own, because the cells borrow the workbook; it ends when the
/// rows are dropped.
pub(in super::super) struct Workbook {
    rows: Receiver<Result<Row, Problem>>,
}

impl Workbook {
    /// Opens the sheet of this name, or the first one.
    ///
    /// # Errors
    /// For a workbook over the limits, one that cannot be read, and a sheet that is not there.
    pub(crate) fn open(mut source: impl Source, kind: WorkbookKind, sheet: Option<&str>) -> Result<Self, Problem> {
        let fatal = |fault| Problem::fatal(1, fault);
        check_archive(&mut source).map_err(fatal)?;
        if kind == WorkbookKind::Ods {
            check_ods_cells(&mut source).map_err(fatal)?;
        }
        source.seek(SeekFrom::Start(0)).map_err(|error| fatal(unreadable(&error)))?;
        let (sender, rows) = sync_channel(ROWS_AHEAD);
        let draft = Draft::new(sender);
        let spawned = match kind {
            WorkbookKind::Xlsx => {
                let workbook: Xlsx<_> = Xlsx::new(source).map_err(|error| fatal(xlsx_fault(&error)))?;
                let sheet = sheet_of(&workbook.sheet_names(), sheet).map_err(fatal)?;
                thread::Builder::new().spawn(move || read_xlsx(workbook, &sheet, draft))
            }
            WorkbookKind::Ods => {
                let workbook: Ods<_> = Ods::new(source).map_err(|error| fatal(ods_fault(&error)))?;
                let sheet = sheet_of(&workbook.sheet_names(), sheet).map_err(fatal)?;
                thread::Builder::new().spawn(move || read_ods(workbook, &sheet, draft))
            }
        };
        spawned.map_err(|error| fatal(unreadable(&error)))?;
        Ok(Self { rows })
    }
}

impl Iterator for Workbook {
    type Item = Result<Row, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.recv().ok()
    }
}

fn sheet_of(names: &[String], wanted: Option<&str>) -> Result<String, Fault> {
    let found = match wanted {
        None => names.first(),
        Some(wanted) => names.iter().find(|name| trimmed(name).to_lowercase() == trimmed(wanted).to_lowercase()),
    };
    found.cloned().ok_or_else(|| {
        let there: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let reason = match wanted {
            Some(wanted) => format!(
                "the workbook has no sheet {}: it has {}, so give --sheet one that is there",
                quoted(wanted),
                there.join(", ")
            ),
            None => "the workbook has no sheet: save it again with the users in one".to_owned(),
        };
        Fault::new(Kind::Option, reason)
    })
}

fn read_xlsx<S: Read + Seek>(mut workbook: Xlsx<S>, sheet: &str, mut draft: Draft) {
    let result = (|| {
        let mut reader = workbook.worksheet_cells_reader(sheet).map_err(|error| xlsx_fault(&error))?;
        while let Some(cell) = reader.next_cell().map_err(|error| xlsx_fault(&error))? {
            let (row, column) = cell.get_position();
            let text = text_of_cell(cell.get_value());
            if draft.put(row, column, &text)?.is_none() {
                return Ok(());
            }
        }
        Ok(())
    })();
    draft.end(result);
}

fn read_ods<S: Read + Seek>(mut workbook: Ods<S>, sheet: &str, mut draft: Draft) {
    let result = (|| {
        let range = workbook.worksheet_range(sheet).map_err(|error| ods_fault(&error))?;
        let (first_row, first_column) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            let text = text_of_cell(&borrowed(value));
            let index = |offset: usize, first: u32| first.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
            if draft.put(index(row, first_row), index(column, first_column), &text)?.is_none() {
                return Ok(());
            }
        }
        Ok(())
    })();
    draft.end(result);
}

/// The row that is being put together.
struct Draft {
    sender: SyncSender<Result<Row, Problem>>,
    row: Option<u32>,
    cells: StringRecord,
    bytes: usize,
    total_cells: u64,
    total_bytes: u64,
}

/// Nothing if nobody waits for rows any more.
type Put = Option<()>;

impl Draft {
    fn new(sender: SyncSender<Result<Row, Problem>>) -> Self {
        Self { sender, row: None, cells: StringRecord::new(), bytes: 0, total_cells: 0, total_bytes: 0 }
    }

    fn put(&mut self, row: u32, column: u32, text: &str) -> Result<Put, Fault> {
        self.total_cells += 1;
        self.total_bytes += text.len() as u64;
        if self.total_cells > MAX_CELLS || self.total_bytes > MAX_UNPACKED_BYTES {
            let reason =
                "the workbook is too large: it has more than 1000000 cells or 256 MiB of text; save its sheet as CSV";
            return Err(Fault::new(Kind::TooLarge, reason));
        }
        if text.is_empty() {
            return Ok(Some(()));
        }
        if self.row != Some(row) {
            if self.flush().is_none() {
                return Ok(None);
            }
            self.row = Some(row);
        }
        self.bytes += text.len();
        let column = column as usize;
        if column < self.cells.len() || self.bytes > MAX_ROW_BYTES {
            return Err(Fault::new(Kind::Unreadable, "the workbook is damaged: its cells are not in their order"));
        }
        while self.cells.len() < column {
            self.cells.push_field("");
        }
        self.cells.push_field(text);
        Ok(Some(()))
    }

    fn flush(&mut self) -> Put {
        let cells = std::mem::take(&mut self.cells);
        self.bytes = 0;
        let Some(row) = self.row.take() else { return Some(()) };
        self.sender.send(Ok(Row { line: u64::from(row) + 1, cells, fault: None })).ok()
    }

    fn end(mut self, result: Result<(), Fault>) {
        let line = self.row.map_or(1, |row| u64::from(row) + 1);
        let sent = self.flush();
        if let (Err(fault), Some(())) = (result, sent) {
            drop(self.sender.send(Err(Problem::fatal(line, fault))));
        }
    }
}

fn borrowed(value: &Data) -> DataRef<'_> {
    match value {
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::String(text) => DataRef::SharedString(text),
        Data::Bool(value) => DataRef::Bool(*value),
        Data::DateTime(time) => DataRef::DateTime(*time),
        Data::DateTimeIso(time) => DataRef::DateTimeIso(time.clone()),
        Data::DurationIso(time) => DataRef::DurationIso(time.clone()),
        Data::Error(error) => DataRef::Error(error.clone()),
        Data::Empty => DataRef::Empty,
    }
}

/// The text that a person sees in the cell, as far as it can be known.
fn text_of_cell(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => text_of_number(*number),
        DataRef::String(text) => trimmed(text).to_owned(),
        DataRef::SharedString(text) => trimmed(text).to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(time) => text_of_date(*time),
        DataRef::DateTimeIso(time) | DataRef::DurationIso(time) => time.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

/// As a spreadsheet shows it: digits that it does not keep are not made up.
fn text_of_number(number: f64) -> String {
    if number.abs() < MAX_EXACT_NUMBER {
        return number.to_string();
    }
    let text = format!("{number:E}");
    text.replace('E', "E+")
}

fn text_of_date(time: ExcelDateTime) -> String {
    let (year, month, day, ..) = time.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}

fn unreadable(error: &std::io::Error) -> Fault {
    Fault::new(Kind::Unreadable, format!("the workbook cannot be read: {error}"))
}

fn xlsx_fault(error: &XlsxError) -> Fault {
    match error {
        XlsxError::Password => locked(),
        error => broken(error),
    }
}

fn ods_fault(error: &OdsError) -> Fault {
    match error {
        OdsError::Password => locked(),
        error => broken(error),
    }
}

fn locked() -> Fault {
    Fault::new(Kind::Unreadable, "the workbook has a password: save it without one, or save it as CSV")
}

fn broken(error: &dyn std::fmt::Display) -> Fault {
    let reason = format!("the workbook cannot be read ({error}): open it and save it again, or save it as CSV");
    Fault::new(Kind::Unreadable, reason)
}
