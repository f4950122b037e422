//! Rows of text with delimiters (CSV, TSV).
//!
//! Not the `csv` crate's reader: it takes no quotation marks after a blank, counts no lines that end with `\r`, and puts
//! a quotation mark that is never closed, with the rest of the file, into memory. Its writer is the oracle of the tests.

use std::io::BufRead;

use csv::StringRecord;

use super::{
    super::{
        input::unreadable,
        problem::{Fault, Kind, Problem, is_blank, trimmed},
    },
    MAX_ROW_BYTES, Row,
};

/// Stands before a text in UTF-8, and nowhere else.
pub(in crate::user_file) const MARK: char = '\u{feff}';

/// Rows of a text, one at a time in memory. Empty rows are left out.
pub(in super::super) struct Delimited<R> {
    source: R,
    delimiter: u8,
    lines: Lines,
    is_over: bool,
}

/// Counts lines that end with `\n`, `\r\n` or `\r`.
#[derive(Debug, Clone, Copy)]
struct Lines {
    /// The line of the next character.
    line: u64,
    is_after_return: bool,
}

impl Lines {
    fn count(&mut self, byte: u8) {
        if byte == b'\r' || (byte == b'\n' && !self.is_after_return) {
            self.line += 1;
        }
        self.is_after_return = byte == b'\r';
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a cell without quotation marks, or before one with them.
    Plain,
    Quoted,
    /// Behind a quotation mark that ends the cell, or is the first of a doubled one.
    AfterQuote,
}

/// The row that is being read.
struct Draft {
    line: u64,
    cells: StringRecord,
    cell: Vec<u8>,
    state: State,
    was_quoted: bool,
    quote_line: u64,
    bytes: usize,
    fault: Option<Fault>,
}

impl Draft {
    fn new(line: u64) -> Self {
        Self {
            line,
            cells: StringRecord::new(),
            cell: Vec::new(),
            state: State::Plain,
            was_quoted: false,
            quote_line: line,
            bytes: 0,
            fault: None,
        }
    }

    fn end_cell(&mut self) {
        // Cut at ASCII characters only, so UTF-8 as the source is.
        let text = String::from_utf8_lossy(&self.cell);
        if self.line > 1 && self.cells.is_empty() && text.starts_with(MARK) {
            let reason = "a byte order mark in the middle: two files seem to be joined here; give them one by one";
            self.fault.get_or_insert_with(|| Fault::new(Kind::Joined, reason));
        }
        self.cells.push_field(if self.was_quoted { &text } else { trimmed(&text) });
        self.cell.clear();
        self.state = State::Plain;
        self.was_quoted = false;
    }

    fn begins_here(&self) -> bool {
        self.cells.is_empty() && self.cell.is_empty() && !self.was_quoted
    }

    fn is_at_start_of_cell(&self) -> bool {
        !self.was_quoted && std::str::from_utf8(&self.cell).is_ok_and(|text| text.chars().all(is_blank))
    }

    fn take(&mut self, byte: u8, delimiter: u8, line: u64) {
        match (self.state, byte) {
            (State::Plain | State::AfterQuote, byte) if byte == delimiter => self.end_cell(),
            (State::Plain, b'"') if self.is_at_start_of_cell() => {
                self.cell.clear();
                self.state = State::Quoted;
                self.was_quoted = true;
                self.quote_line = line;
            }
            (State::Quoted, b'"') => self.state = State::AfterQuote,
            (State::AfterQuote, b'"') => {
                self.cell.push(b'"');
                self.state = State::Quoted;
            }
            (State::AfterQuote, b' ' | b'\t' | 0xc2 | 0xa0) => {}
            (State::AfterQuote, byte) => {
                let cell = self.cells.len() + 1;
                self.fault.get_or_insert_with(|| {
                    Fault::new(
                        Kind::Syntax,
                        format!(
                            "cell {cell} goes on behind its closing quotation mark: double the quotation marks that \
                             belong to the text"
                        ),
                    )
                });
                self.cell.push(byte);
                self.state = State::Plain;
            }
            (_, byte) => self.cell.push(byte),
        }
    }

    fn into_row(mut self) -> Option<Row> {
        self.end_cell();
        let is_empty = self.fault.is_none() && self.cells.iter().all(|cell| trimmed(cell).is_empty());
        (!is_empty).then_some(Row { line: self.line, cells: self.cells, fault: self.fault })
    }
}

impl<R: BufRead> Delimited<R> {
    pub(in super::super) fn new(source: R, delimiter: u8) -> Self {
        Self { source, delimiter, lines: Lines { line: 1, is_after_return: false }, is_over: false }
    }

    fn end_with(&mut self, problem: Problem) -> Result<Row, Problem> {
        self.is_over = true;
        Err(problem)
    }

    /// The draft at the end of the text.
    fn last(&mut self, draft: Draft) -> Option<Result<Row, Problem>> {
        self.is_over = true;
        if draft.state == State::Quoted {
            let reason =
                "the quotation mark that opens here is never closed: close it, or double it if it belongs to the text";
            return Some(Err(Problem::fatal(draft.quote_line, Fault::new(Kind::Syntax, reason))));
        }
        draft.into_row().map(Ok)
    }
}

impl<R: BufRead> Iterator for Delimited<R> {
    type Item = Result<Row, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut draft = Draft::new(self.lines.line);
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) => {
                    let problem = unreadable(self.lines.line, &error);
                    return Some(self.end_with(problem));
                }
            };
            if buffer.is_empty() {
                return self.last(draft);
            }
            let mut used = 0;
            let mut is_whole = false;
            for byte in buffer.iter().copied() {
                used += 1;
                let is_line_end = matches!(byte, b'\r' | b'\n');
                let is_second_half = byte == b'\n' && self.lines.is_after_return;
                let line = self.lines.line;
                self.lines.count(byte);
                if is_line_end && draft.state != State::Quoted {
                    if is_second_half && draft.begins_here() {
                        continue;
                    }
                    is_whole = true;
                    break;
                }
                if draft.begins_here() && draft.state == State::Plain {
                    draft.line = line;
                }
                draft.take(byte, self.delimiter, line);
            }
            self.source.consume(used);
            draft.bytes += used;
            if draft.bytes > MAX_ROW_BYTES {
                let line = if draft.state == State::Quoted { draft.quote_line } else { draft.line };
                let reason = "a row of more than 16 MiB begins here: a quotation mark may not be closed";
                return Some(self.end_with(Problem::fatal(line, Fault::new(Kind::TooLarge, reason))));
            }
            if is_whole {
                let next = Draft::new(self.lines.line);
                if let Some(row) = std::mem::replace(&mut draft, next).into_row() {
                    return Some(Ok(row));
                }
            }
        }
    }
}

/// The first rows of a text, whose last one may be cut off.
pub(crate) fn rows_of_head(head: &str, delimiter: u8, rows: usize) -> Vec<StringRecord> {
    Delimited::new(head.as_bytes(), delimiter).map_while(Result::ok).take(rows).map(|row| row.cells).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let rows = Delimited::new(text.as_bytes(), b',').map(Result::unwrap);
        rows.map(|row| (row.line, row.cells.iter().map(str::to_owned).collect())).collect()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn a_row_knows_its_line_whatever_ends_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"two", "lines\",c", "", "", "d,e"].join(end);
            let lines: Vec<u64> = rows(&text).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [1, 3, 7], "{end:?}");
        }
        assert_eq!(rows("a\n\rb\r\n\n\rc"), [row(1, &["a"]), row(3, &["b"]), row(6, &["c"])]);
    }

    #[test]
    fn quotation_marks_may_stand_behind_a_blank_and_before_one() {
        let text = "ann , \"a,b \"\"c\"\"\" ,\u{a0}7\u{a0}\n \"bea\"\t,x \"y\" z,\n";
        assert_eq!(rows(text), [row(1, &["ann", "a,b \"c\"", "7"]), row(2, &["bea", "x \"y\" z", ""])]);
    }

    #[test]
    fn text_behind_a_closing_quotation_mark_is_a_fault_of_its_row_alone() {
        let rows: Vec<_> = Delimited::new(&b"a,\"b\"c\nd,e"[..], b',').map(Result::unwrap).collect();
        assert!(rows[0].fault.as_ref().unwrap().reason.contains("cell 2 goes on"), "{rows:?}");
        assert!(rows[1].fault.is_none());
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_is_named_by_its_own_line() {
        let rows: Vec<_> = Delimited::new(&b"a,b\nc,\"d\ne,f\n"[..], b',').collect();
        assert_eq!(rows.last().unwrap().as_ref().unwrap_err().line, Some(2));
    }

    proptest! {
        #[test]
        fn rows_that_the_csv_crate_writes_are_read_back(
            cells in prop::collection::vec(prop::collection::vec("[^\u{0}]{1,6}", 1..5), 1..10), windows in any::<bool>(),
        ) {
            let terminator = if windows { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new()
                .flexible(true).terminator(terminator).quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found: Vec<Vec<String>> = rows(&text).into_iter().map(|(_, row)| row).collect();
            // A mark that begins a later row is a fault, so that row is not passed over as a blank one.
            let is_found = |(place, row): &(usize, Vec<String>)| {
                (*place > 0 && row[0].starts_with(MARK)) || row.iter().any(|cell| !trimmed(cell).is_empty())
            };
            let expected: Vec<_> = cells.into_iter().enumerate().filter(is_found).map(|(_, row)| row).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn lines_never_go_backwards_nor_past_the_end(text in "[a\",\r\n ]{0,60}") {
            let ends = text.replace("\r\n", "\n").chars().filter(|end| matches!(end, '\r' | '\n')).count() as u64;
            let mut last = 1;
            for row in Delimited::new(text.as_bytes(), b',') {
                let line = row.map_or_else(|problem| problem.line.unwrap(), |row| row.line);
                prop_assert!((last..=ends + 1).contains(&line) || line <= ends + 1);
                last = line;
            }
        }
    }
}
