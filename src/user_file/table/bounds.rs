//! Limits of a workbook, checked before it is opened: archives can be far larger inside than outside, and repeated
//! cells larger still.

use std::io::{self, BufReader, Read, Seek};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use zip::{ZipArchive, read::ZipFile};

use super::super::problem::{Fault, Kind};

/// The most that a workbook may hold when it is unpacked.
pub(super) const MAX_UNPACKED_BYTES: u64 = 256 * 1024 * 1024;
/// The most cells of a workbook.
pub(super) const MAX_CELLS: u64 = 1_000_000;
/// The most parts of an archive. Workbooks have some dozen.
const MAX_PARTS: usize = 10_000;

/// Unpacks every part once, into nothing.
///
/// # Errors
/// For an archive that is damaged or too large.
pub(super) fn check_archive(source: &mut (impl Read + Seek)) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(source).map_err(|error| damaged(&error))?;
    if archive.len() > MAX_PARTS {
        return Err(too_large(&format!("it has more than {MAX_PARTS} parts")));
    }
    let mut left = MAX_UNPACKED_BYTES;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| damaged(&error))?;
        let unpacked = io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(|error| damaged(&error))?;
        left = left.checked_sub(unpacked).ok_or_else(|| too_large("it is more than 256 MiB when unpacked"))?;
    }
    Ok(())
}

/// Counts the cells of an `OpenDocument` spreadsheet and their text, repeated ones as often as they are repeated: its
/// reader makes all of them.
///
/// # Errors
/// For a spreadsheet that is too large, or no XML.
pub(super) fn check_ods_cells(source: &mut (impl Read + Seek)) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(source).map_err(|error| damaged(&error))?;
    let content = archive.by_name("content.xml").map_err(|error| damaged(&error))?;
    let mut counted = CountedCells::default();
    count_cells(Reader::from_reader(BufReader::new(content)), &mut counted).map_err(|error| damaged(&error))?;
    if counted.cells > MAX_CELLS {
        return Err(too_large(&format!("it has more than {MAX_CELLS} cells")));
    }
    if counted.bytes > MAX_UNPACKED_BYTES {
        return Err(too_large("it is more than 256 MiB when unpacked"));
    }
    Ok(())
}

#[derive(Default)]
struct CountedCells {
    cells: u64,
    bytes: u64,
    row: RowCount,
    repeated_rows: u64,
    /// Rows without a value, which count when one with a value follows.
    empty_rows: u64,
    widest: u64,
}

#[derive(Default)]
struct RowCount {
    /// Cells up to the last that holds something.
    width: u64,
    /// All cells so far.
    cells: u64,
    bytes: u64,
    repeats: u64,
    cell_bytes: u64,
}

impl CountedCells {
    fn end_cell(&mut self) {
        let row = &mut self.row;
        row.cells = row.cells.saturating_add(row.repeats);
        if row.cell_bytes > 0 {
            row.width = row.cells;
            row.bytes = row.bytes.saturating_add(row.cell_bytes.saturating_mul(row.repeats));
        }
        row.repeats = 0;
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        if row.width == 0 {
            self.empty_rows = self.empty_rows.saturating_add(self.repeated_rows);
            return;
        }
        self.widest = self.widest.max(row.width);
        let rows = self.repeated_rows.saturating_add(std::mem::take(&mut self.empty_rows));
        self.cells = self.cells.saturating_add(rows.saturating_mul(self.widest));
        self.bytes = self.bytes.saturating_add(row.bytes.saturating_mul(self.repeated_rows));
    }

    fn is_too_much(&self) -> bool {
        self.cells > MAX_CELLS || self.bytes > MAX_UNPACKED_BYTES
    }
}

fn count_cells<R: Read + Seek>(
    mut reader: Reader<BufReader<ZipFile<'_, R>>>,
    counted: &mut CountedCells,
) -> Result<(), quick_xml::Error> {
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer)? {
            Event::Start(element) => match element.local_name().as_ref() {
                "table" => (counted.empty_rows, counted.widest) = (0, 0),
                "table-row" => {
                    counted.repeated_rows = repeats(&element, "table:number-rows-repeated");
                    counted.row = RowCount::default();
                }
                "table-cell" | "covered-table-cell" => {
                    counted.row.repeats = repeats(&element, "table:number-columns-repeated");
                    counted.row.cell_bytes = value_bytes(&element);
                }
                _ => {}
            },
            Event::Text(text) => counted.row.cell_bytes += text.len() as u64,
            Event::GeneralRef(_) => counted.row.cell_bytes += 1,
            Event::End(element) => match element.local_name().as_ref() {
                "table-cell" | "covered-table-cell" => counted.end_cell(),
                "table-row" => counted.end_row(),
                _ => {}
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
        if counted.is_too_much() {
            return Ok(());
        }
    }
}

fn repeats(element: &BytesStart<'_>, name: &str) -> u64 {
    let attribute = element.attributes().flatten().find(|attribute| attribute.key.as_ref() == name);
    attribute.and_then(|attribute| attribute.value.parse().ok()).unwrap_or(1)
}

/// The bytes of the attributes that hold or make a value.
fn value_bytes(element: &BytesStart<'_>) -> u64 {
    let attributes = element.attributes().flatten();
    let values = attributes
        .filter(|attribute| attribute.key.as_ref().starts_with("office:") || attribute.key.as_ref() == "table:formula");
    values.map(|attribute| attribute.value.len() as u64 + 1).sum()
}

fn too_large(how: &str) -> Fault {
    Fault::new(Kind::TooLarge, format!("the workbook is too large: {how}; save its sheet of users as CSV"))
}

fn damaged(error: &impl ToString) -> Fault {
    Fault::new(
        Kind::Unreadable,
        format!("the workbook is damaged ({}): open it and save it again, or save it as CSV", error.to_string()),
    )
}
