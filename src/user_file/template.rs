//! Files to fill in.

use clap::ValueEnum;
use rust_xlsxwriter::{Format, Workbook, XlsxError};

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    Csv,
    Xlsx,
    Json,
}

const HEADER: [&str; 8] = ["username", "emails", "importIds", "name", "roles", "password", "deleted", "utcOffset"];
/// People to overwrite. The first shows every column, the second what may be empty.
const ROWS: [[&str; 8]; 2] = [
    ["ann", "ann@corp.example;a.lee@corp.example", "emp-1", "Ann Lee", "user;livechat-agent", "", "false", "5.5"],
    ["bob", "bob@corp.example", "emp-2", "Bob Ray", "", "", "", ""],
];
const COLUMN_WIDTH: f64 = 24.0;
/// Rows of the workbook whose cells keep ids as they are typed.
const TEXT_COLUMNS: u16 = 8;

/// The bytes of a file with two users.
///
/// # Errors
/// When the workbook cannot be made.
pub(crate) fn template(kind: Template) -> Result<Vec<u8>, XlsxError> {
    match kind {
        Template::Csv => Ok(std::iter::once(HEADER).chain(ROWS).flat_map(csv_line).collect()),
        Template::Json => Ok(json().into_bytes()),
        Template::Xlsx => xlsx(),
    }
}

fn csv_line(cells: [&str; 8]) -> Vec<u8> {
    let mut line = cells.join(",").into_bytes();
    line.extend(b"\r\n");
    line
}

fn json() -> String {
    "[\n  {\"username\": \"ann\", \"emails\": [\"ann@corp.example\", \"a.lee@corp.example\"], \"importIds\": [\"emp-1\"], \
     \"name\": \"Ann Lee\",\n   \"roles\": [\"user\", \"livechat-agent\"], \"deleted\": false, \"utcOffset\": 5.5},\n  \
     {\"username\": \"bob\", \"emails\": [\"bob@corp.example\"], \"importIds\": [\"emp-2\"], \"name\": \"Bob Ray\"}\n]\n"
        .to_owned()
}

fn xlsx() -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let text = Format::new().set_num_format("@");
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet().set_name("users")?;
    for column in 0..TEXT_COLUMNS {
        // As text, so that ids keep their zeros and their digits.
        sheet.set_column_format(column, &text)?.set_column_width(column, COLUMN_WIDTH)?;
    }
    sheet.write_row_with_format(0, 0, HEADER, &bold)?;
    for (row, cells) in (1..).zip(ROWS) {
        sheet.write_row_with_format(row, 0, cells, &text)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    workbook.save_to_buffer()
}
