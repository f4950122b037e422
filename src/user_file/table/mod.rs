//! Rows of cells, out of text with delimiters or out of a workbook.

mod bounds;
mod delimited;
mod workbook;

use csv::StringRecord;

pub(super) use delimited::{Delimited, MARK, rows_of_head};
pub(super) use workbook::{Workbook, WorkbookKind};

use super::problem::{Fault, Problem};

/// The most text of one row, as much as a document of the database can hold.
const MAX_ROW_BYTES: usize = 16 * 1024 * 1024;

/// A row that is not empty.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) cells: StringRecord,
    /// The row as such is not well-formed.
    pub(super) fault: Option<Fault>,
}

/// Rows in their order. A problem is that of the whole file, and the last item.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Row, Problem>> + Send>;
