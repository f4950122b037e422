//! Users in CSV: a header with the fields' names, a row for each user.

use std::{cell::RefCell, collections::VecDeque, io::Read, rc::Rc};

use csv::{ByteRecord, ReaderBuilder};

use super::{
    fields::{Field, User},
    record::{Problem, Record},
};

/// The first is taken when none fits better.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Rows of a CSV file, a few kilobytes of it at a time in memory.
pub(super) struct CsvUsers<R> {
    reader: csv::Reader<Counted<R>>,
    line_ends: LineEnds,
    header: Header,
}

enum Header {
    NotRead,
    Read(Vec<Field>),
    /// No row can be understood without it.
    Unusable,
}

impl<R: Read> CsvUsers<R> {
    /// `head` is the beginning of the file, enough for the delimiter to be told.
    pub(super) fn new(source: R, head: &[u8]) -> Self {
        let line_ends = LineEnds::default();
        let counted = Counted { source, line_ends: line_ends.clone(), offset: 0 };
        let reader =
            ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter_of(head)).from_reader(counted);
        Self { reader, line_ends, header: Header::NotRead }
    }

    fn next_row(&mut self) -> Option<Result<(u64, ByteRecord), Problem>> {
        let mut row = ByteRecord::new();
        match self.reader.read_byte_record(&mut row) {
            Ok(false) => None,
            Ok(true) => {
                let offset = row.position().map(csv::Position::byte).unwrap_or_default();
                Some(Ok((self.line_ends.line_at(offset), row)))
            }
            Err(error) => {
                self.header = Header::Unusable;
                Some(Err(Problem::new(self.reader.position().line(), format!("cannot be read: {error}"))))
            }
        }
    }

    fn read_header(&mut self) -> Option<Result<(), Problem>> {
        let (line, row) = match self.next_row()? {
            Ok(row) => row,
            Err(problem) => return Some(Err(problem)),
        };
        self.header = Header::Unusable;
        let fields = columns(&row);
        Some(fields.map(|fields| self.header = Header::Read(fields)).map_err(|reason| Problem::new(line, reason)))
    }
}

impl<R: Read> Iterator for CsvUsers<R> {
    type Item = Result<Record, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.header, Header::NotRead)
            && let Err(problem) = self.read_header()?
        {
            return Some(Err(problem));
        }
        if matches!(self.header, Header::Unusable) {
            return None;
        }
        let (line, row) = match self.next_row()? {
            Ok(row) => row,
            Err(problem) => return Some(Err(problem)),
        };
        let Header::Read(fields) = &self.header else { return None };
        Some(user_in(&row, fields).map(|user| Record { line, user }).map_err(|reason| Problem::new(line, reason)))
    }
}

fn columns(header: &ByteRecord) -> Result<Vec<Field>, String> {
    let mut fields: Vec<Field> = Vec::new();
    let mut problems = Vec::new();
    for name in header {
        let name = String::from_utf8_lossy(name);
        match Field::named(name.trim()) {
            Ok(field) if fields.contains(&field) => problems.push(format!("column {:?} is there twice", field.name)),
            Ok(field) => fields.push(field),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(fields) } else { Err(problems.join("; ")) }
}

fn user_in(row: &ByteRecord, fields: &[Field]) -> Result<User, String> {
    if row.len() != fields.len() {
        let spans_lines = row.iter().any(|cell| cell.contains(&b'\n'));
        let hint = if spans_lines { "; a quotation mark may not be closed" } else { "" };
        return Err(format!("has {} columns where the header has {}{hint}", row.len(), fields.len()));
    }
    let mut user = User::new();
    let mut problems = Vec::new();
    for (field, cell) in fields.iter().zip(row) {
        match std::str::from_utf8(cell).map_err(|_| format!("{} is not valid UTF-8", field.name)) {
            Ok("") => {}
            Ok(cell) => match field.read_cell(cell) {
                Ok(value) => drop(user.insert(field.name.to_owned(), value)),
                Err(problem) => problems.push(problem),
            },
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(user) } else { Err(problems.join("; ")) }
}

/// The delimiter by which most of the first line's columns have a known name.
fn delimiter_of(head: &[u8]) -> u8 {
    let first_line = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let known_names = |delimiter: u8| {
        let names = first_line.split(|byte| *byte == delimiter);
        let names = names.map(|name| String::from_utf8_lossy(name.trim_ascii()).trim_matches('"').to_owned());
        names.filter(|name| Field::named(name).is_ok()).count()
    };
    // The last of several that are equal is what `max_by_key` gives.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| known_names(*delimiter)).unwrap_or(DELIMITERS[0])
}

/// Where lines end in what was read but not yet asked for: the reader itself does not tell the line of a record behind
/// an empty line or a `\r\n`.
#[derive(Debug, Clone, Default)]
struct LineEnds(Rc<RefCell<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Offset and byte of every `\r` and `\n` from the last asked place on.
    ends: VecDeque<(u64, u8)>,
    /// `\n` before them.
    lines: u64,
}

impl LineEnds {
    /// The line, from 1 on, of the first character from `offset` on that is not a line's end. Never asked backwards.
    fn line_at(&self, mut offset: u64) -> u64 {
        let mut seen = self.0.borrow_mut();
        while let Some((end, byte)) = seen.ends.front().copied() {
            if end > offset {
                break;
            }
            seen.ends.pop_front();
            seen.lines += u64::from(byte == b'\n');
            if end == offset {
                offset += 1;
            }
        }
        seen.lines + 1
    }
}

struct Counted<R> {
    source: R,
    line_ends: LineEnds,
    offset: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.source.read(buffer)?;
        let ends = &mut self.line_ends.0.borrow_mut().ends;
        let marks = buffer[..length].iter().zip(self.offset..).filter(|(byte, _)| matches!(byte, b'\r' | b'\n'));
        ends.extend(marks.map(|(byte, offset)| (offset, *byte)));
        self.offset += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Vec<Result<Record, Problem>> {
        CsvUsers::new(text.as_bytes(), text.as_bytes()).collect()
    }

    fn lines(text: &str) -> Vec<u64> {
        read(text).into_iter().map(|row| row.map_or_else(|problem| problem.line, |record| record.line)).collect()
    }

    #[test]
    fn columns_become_fields() {
        let text = "username,emails,importId,deleted,utcOffset,bio\nann,a@b.c; d@e.f,7,yes,5.5,\n";
        let user = read(text).remove(0).unwrap().user;
        let expected = json!({
            "username": "ann", "emails": ["a@b.c", "d@e.f"], "importIds": ["7"], "deleted": true, "utcOffset": 5.5,
        });
        assert_eq!(serde_json::Value::Object(user), expected);
    }

    #[test]
    fn the_delimiter_is_told_by_the_header() {
        for delimiter in [",", ";", "\t"] {
            let text =
                ["username", "email", "importId"].join(delimiter) + "\n" + &["ann", "a@b.c", "1"].join(delimiter);
            assert_eq!(read(&text).remove(0).unwrap().user["importIds"], json!(["1"]), "{delimiter:?}");
        }
    }

    #[test]
    fn a_row_knows_its_line_whatever_ends_lines() {
        for end in ["\n", "\r\n"] {
            let text = ["email,bio", "a@b.c,x", "", "b@b.c,\"two", "lines\"", "", "", "c@b.c,z"].join(end);
            assert_eq!(lines(&text), [2, 4, 8], "{end:?}");
        }
    }

    #[test]
    fn problems_name_the_line_and_the_column() {
        let text = "email,importId,deleted\na@b.c,1,perhaps\nb@b.c,2\nc@b.c,\"3,true\nd@b.c,4,true\n";
        let problems: Vec<Problem> = read(text).into_iter().filter_map(Result::err).collect();
        let told: Vec<(u64, &str)> = problems.iter().map(|problem| (problem.line, problem.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                (2, "deleted must be true or false, not \"perhaps\""),
                (3, "has 2 columns where the header has 3"),
                (4, "has 2 columns where the header has 3; a quotation mark may not be closed"),
            ]
        );
        let header = read("emial,username,username\nx,y,z\n");
        assert_eq!(header.len(), 1, "nothing is said of rows below a header that is wrong");
        let problem = header.into_iter().next().unwrap().unwrap_err();
        assert_eq!(problem.line, 1);
        assert!(problem.reason.contains("did you mean \"email\"") && problem.reason.contains("twice"), "{problem:?}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in prop::collection::vec(("[^\u{0}]{1,12}", "[^;\\s]{1,8}"), 1..20), windows in any::<bool>(),
        ) {
            let mut writer = csv::WriterBuilder::new()
                .terminator(if windows { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
                .from_writer(Vec::new());
            writer.write_record(["name", "email"]).unwrap();
            let mut expected_line = 2;
            let mut expected = Vec::new();
            for (name, email) in &rows {
                writer.write_record([name, email]).unwrap();
                expected.push((expected_line, name.clone(), email.clone()));
                expected_line += 1 + name.matches('\n').count() as u64;
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found: Vec<_> = read(&text).into_iter().map(Result::unwrap).map(|record| {
                let email = record.user["emails"][0].as_str().unwrap().to_owned();
                (record.line, record.user["name"].as_str().unwrap().to_owned(), email)
            }).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            CsvUsers::new(bytes.as_slice(), &bytes).for_each(drop);
        }
    }
}
