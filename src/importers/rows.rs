//! Rows of a CSV file with the lines they begin on, one at a time, of bounded length.
//!
//! What Rocket.Chat's reader refuses for a quotation mark in the middle, a blank line or rows of unequal length is read
//! here as spreadsheets read it: a file must not be lost for one row.

use std::io::{BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, ReaderBuilder};

/// The longest row that is read; MongoDB stores no document above 16 MiB.
pub(super) const MAX_ROW_BYTES: usize = 16 << 20;
const READ_BYTES: usize = 64 * 1024;
const FIRST_ROW_BYTES: usize = 1024;
const FIRST_ROW_FIELDS: usize = 16;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const UTF16_MARKS: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Counted from 1.
    pub(super) line: u64,
    pub(super) fields: Vec<String>,
}

impl Row {
    /// The field without white space around it; empty if it is not there.
    pub(super) fn trimmed(&self, number: usize) -> &str {
        self.fields.get(number).map(|field| trimmed(field)).unwrap_or_default()
    }
}

/// The text without what JavaScript takes for white space around it, which includes the byte order mark.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRow {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// Which separators a file may have beside the comma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separators {
    /// Semicolons stand between the values of one field.
    CommaOrTab,
    Any,
}

#[derive(Debug)]
pub(super) struct Rows<R> {
    source: BufReader<R>,
    separators: Separators,
    parser: Option<Box<csv_core::Reader>>,
    text: Vec<u8>,
    ends: Vec<usize>,
    lines: Lines,
    over: bool,
}

/// Counts line breaks of all three kinds in what was read.
#[derive(Debug, Clone, Copy)]
struct Lines {
    line: u64,
    after_return: bool,
}

impl Lines {
    fn pass(&mut self, byte: u8) {
        match byte {
            b'\r' => self.line += 1,
            b'\n' if !self.after_return => self.line += 1,
            _ => {}
        }
        self.after_return = byte == b'\r';
    }
}

impl<R: Read> Rows<R> {
    pub(super) fn new(source: R, separators: Separators) -> Self {
        Self {
            source: BufReader::with_capacity(READ_BYTES, source),
            separators,
            parser: None,
            text: vec![0; FIRST_ROW_BYTES],
            ends: vec![0; FIRST_ROW_FIELDS],
            lines: Lines { line: 1, after_return: false },
            over: false,
        }
    }

    /// A parser for the file; none if it is empty, because building one takes time and archives hold many empty files.
    fn begin(&mut self) -> Result<Option<Box<csv_core::Reader>>, String> {
        let head = self.source.fill_buf().map_err(|error| format!("The file cannot be read: {error}."))?;
        if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) || (head.len() > 1 && (head[0] == 0) != (head[1] == 0))
        {
            return Err("The file is UTF-16; save it as UTF-8.".to_owned());
        }
        if head.is_empty() {
            return Ok(None);
        }
        let marked = head.starts_with(BYTE_ORDER_MARK);
        let separator = separator_of(head, self.separators);
        if marked {
            self.source.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Some(Box::new(ReaderBuilder::new().delimiter(separator).build())))
    }

    fn read(&mut self) -> Option<Result<Row, BadRow>> {
        let mut parser = match self.parser.take() {
            Some(parser) => parser,
            None => match self.begin() {
                Ok(Some(parser)) => parser,
                Ok(None) => {
                    self.over = true;
                    return None;
                }
                Err(reason) => return Some(self.fail(1, reason)),
            },
        };
        let (mut written, mut fields) = (0, 0);
        let mut begin: Option<u64> = None;
        let mut quotes = 0_u64;
        loop {
            let input = match self.source.fill_buf() {
                Ok(input) => input,
                Err(error) => {
                    let reason = format!("The file cannot be read from here on: {error}.");
                    return Some(self.fail(begin.unwrap_or(self.lines.line), reason));
                }
            };
            let at_end = input.is_empty();
            let (result, read, wrote, ended) =
                parser.read_record(input, &mut self.text[written..], &mut self.ends[fields..]);
            for byte in &input[..read] {
                if begin.is_none() && !matches!(byte, b'\r' | b'\n') {
                    begin = Some(self.lines.line);
                }
                quotes += u64::from(*byte == b'"');
                self.lines.pass(*byte);
            }
            self.source.consume(read);
            written += wrote;
            fields += ended;
            let line = begin.unwrap_or(self.lines.line);
            match result {
                ReadRecordResult::End => {
                    self.over = true;
                    return None;
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.text.len() >= MAX_ROW_BYTES => {
                    let reason =
                        format!("The row is longer than {MAX_ROW_BYTES} bytes; a quotation mark may not be closed.");
                    return Some(self.fail(line, reason));
                }
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_ROW_BYTES / 16 => {
                    return Some(self.fail(line, "The row has too many fields.".to_owned()));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    self.parser = Some(parser);
                    if at_end && quotes % 2 == 1 && self.lines.line > line {
                        let reason = "A quotation mark in this row is never closed.".to_owned();
                        return Some(Err(BadRow { line, reason }));
                    }
                    return Some(self.row(line, fields));
                }
            }
        }
    }

    fn row(&self, line: u64, fields: usize) -> Result<Row, BadRow> {
        let mut start = 0;
        let fields = self.ends[..fields].iter().map(|end| {
            let field = &self.text[start..*end];
            start = *end;
            std::str::from_utf8(field).map(str::to_owned)
        });
        let fields: Result<Vec<String>, _> = fields.collect();
        let not_utf8 = |_| BadRow { line, reason: "The row is not UTF-8; save the file as UTF-8.".to_owned() };
        Ok(Row { line, fields: fields.map_err(not_utf8)? })
    }

    fn fail(&mut self, line: u64, reason: String) -> Result<Row, BadRow> {
        self.over = true;
        Err(BadRow { line, reason })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        self.read()
    }
}

/// The separator that the first line shows.
fn separator_of(head: &[u8], separators: Separators) -> u8 {
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    let holds = |byte: u8| line.contains(&byte);
    match separators {
        _ if holds(b',') => b',',
        Separators::Any if holds(b';') => b';',
        _ if holds(b'\t') => b'\t',
        _ => b',',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<Row, BadRow>> {
        Rows::new(bytes, Separators::Any).collect()
    }

    fn fields(text: &str) -> Vec<(u64, Vec<String>)> {
        read(text.as_bytes()).into_iter().map(Result::unwrap).map(|row| (row.line, row.fields)).collect()
    }

    #[test]
    fn a_row_knows_its_line_whatever_ends_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"two", "lines\",c", "", "d,e"].join(end);
            let lines: Vec<u64> = fields(&text).iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, [1, 3, 6], "{end:?}");
        }
    }

    #[test]
    fn quotation_marks_in_the_middle_are_text() {
        assert_eq!(fields("ann,5,bad \"quote\" here\n")[0].1, ["ann", "5", "bad \"quote\" here"]);
        assert_eq!(fields("\u{feff}\"ann\",\"a \"\"b\"\"\"")[0].1, ["ann", "a \"b\""]);
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_names_its_line() {
        let rows = read(b"a,b\n\"c,d\ne,f\n");
        assert_eq!(rows[1].as_ref().unwrap_err().line, 2);
    }

    #[test]
    fn other_encodings_are_refused_with_the_line() {
        let rows = read(b"a,b\nM\xfcller,c\nd,e\n");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1].as_ref().unwrap_err().line, 2);
        assert!(read(b"\xff\xfea\0,\0")[0].as_ref().unwrap_err().reason.contains("UTF-16"));
    }

    #[test]
    fn a_row_of_any_length_is_bounded() {
        let mut text = b"a,\"".to_vec();
        text.resize(MAX_ROW_BYTES + 100, b'x');
        let rows = read(&text);
        assert!(rows[0].as_ref().unwrap_err().reason.contains("longer than"), "{:?}", rows[0]);
        assert_eq!(rows.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_lines_never_go_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let lines: Vec<u64> = read(&bytes).into_iter().map(|row| row.map_or_else(|bad| bad.line, |row| row.line)).collect();
            prop_assert!(lines.is_sorted());
        }
    }
}
