//! Staged records as JSON lines, `{"dataType":"user|contact|channel|message","data":{…}}` each: plain, compressed with
//! gzip, or in a zip. Anybody can write a converter to this form.
//!
//! The lines may stand in any order; the file is read once for each type.

use std::{
    io::{self, BufRead, Read},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

use super::{
    Options,
    archive::{Archive, Limits, Listed, Shape},
    entries::{buffered, opened},
    held_names::is_among_held_files,
    json::{date, field_value},
    moments::told,
    read_at::{ReadAt, Stretch},
    reader::{Elements, Parts},
    record::{Element, PassedOver, Place, Problem, Record, Refusal},
};

/// The longest line that is read; MongoDB stores no document above 16 MiB.
const MAX_LINE_BYTES: usize = 16 << 20;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZIP_MAGIC: &[u8] = b"PK";
/// Names of files with JSON lines in a zip end with one of these.
const ENDINGS: [&str; 2] = [".jsonl", ".ndjson"];
/// Fields that are dates.
const DATES: [&str; 4] = ["ts", "tlm", "editedAt", "pinnedAt"];

/// Lines with their places, or the reasons why they cannot be read.
type FoundLines = Box<dyn Iterator<Item = Result<(Place, Vec<u8>), Problem>> + Send>;

/// A file of records.
#[derive(Debug)]
pub(super) struct RecordFile {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Plain(Arc<dyn ReadAt>),
    Gzip(Arc<dyn ReadAt>, Limits),
    Zip(Arc<Archive>, Vec<u64>),
}

impl RecordFile {
    pub(super) fn open(file: Arc<dyn ReadAt>, options: &Options) -> Result<Self, Refusal> {
        let mut head = Vec::new();
        let whole = Stretch::whole(file.clone()).map_err(|error| Refusal::unreadable(&error))?;
        whole.take(2).read_to_end(&mut head).map_err(|error| Refusal::unreadable(&error))?;
        let source = if head.starts_with(ZIP_MAGIC) {
            let archive = Archive::open(file, Shape::default(), options.limits)?;
            let files = archive.listed().filter_map(|listed| match listed {
                Listed::File(entry) if is_lines(&entry.name) => Some(entry.offset),
                _ => None,
            });
            let files: Vec<u64> = files.collect();
            if files.is_empty() {
                return Err(Refusal::new("The archive holds no file whose name ends with .jsonl or .ndjson."));
            }
            Source::Zip(Arc::new(archive), files)
        } else if head.starts_with(GZIP_MAGIC) {
            Source::Gzip(file, options.limits)
        } else {
            Source::Plain(file)
        };
        let file = Self { source };
        file.check_beginning()?;
        Ok(file)
    }

    /// A file whose first line is no record is not one of this format.
    fn check_beginning(&self) -> Result<(), Refusal> {
        match self.lines().find(|line| !matches!(line, Ok((_, text)) if is_blank(text))) {
            None => Err(Refusal::new("The file holds no records.")),
            Some(Ok((_, line))) if line.trim_ascii_start().starts_with(b"{") => Ok(()),
            Some(Ok(_)) => Err(Refusal::new("The file's first line is no JSON object; this is no file of records.")),
            Some(Err(problem)) => Err(Refusal::new(problem.reason)),
        }
    }

    fn lines(&self) -> FoundLines {
        match self.source.clone() {
            Source::Plain(file) => match Stretch::whole(file) {
                Ok(stretch) => Box::new(Lines::new(buffered(stretch), Place::default())),
                Err(error) => Box::new(std::iter::once(Err(unreadable(&Place::default(), &error)))),
            },
            Source::Gzip(file, limits) => {
                match Stretch::whole(file.clone()).and_then(|file_bytes| Ok((file_bytes, file.len()?))) {
                    Ok((stretch, size)) => {
                        let most = size.saturating_mul(limits.ratio).saturating_add(limits.unpacked_slack_bytes);
                        let bounded =
                            Bounded { source: MultiGzDecoder::new(stretch), left: most.min(limits.unpacked_bytes) };
                        Box::new(Lines::new(buffered(bounded), Place::default()))
                    }
                    Err(error) => Box::new(std::iter::once(Err(unreadable(&Place::default(), &error)))),
                }
            }
            Source::Zip(archive, files) => Box::new(files.into_iter().flat_map(move |offset| {
                let reader = match archive.entry_at(offset) {
                    Ok(entry) => opened(&archive, &entry),
                    Err(error) => Err(unreadable(&Place::default(), &error)),
                };
                let lines: Box<dyn Iterator<Item = _> + Send> = match reader {
                    Ok((place, reader)) => Box::new(Lines::new(buffered(reader), place)),
                    Err(problem) => Box::new(std::iter::once(Err(problem))),
                };
                lines
            })),
        }
    }

    /// What in a zip is no file of records.
    fn passed_over(&self) -> Vec<Element> {
        let Source::Zip(archive, _) = &self.source else { return Vec::new() };
        let mut others: Option<PassedOver> = None;
        let mut elements = Vec::new();
        for listed in archive.listed() {
            let place = match listed {
                Listed::Folder => continue,
                Listed::Refused(problem) => {
                    elements.push(problem.into());
                    continue;
                }
                Listed::SystemFile(place) => place,
                Listed::File(entry) if is_lines(&entry.name) => continue,
                Listed::File(entry) => entry.place(),
            };
            let reason = "No file of JSON lines.".to_owned();
            others.get_or_insert(PassedOver { kind: "unknown file", reason, count: 0, place }).count += 1;
        }
        elements.extend(others.map(Element::from));
        elements
    }
}

fn is_lines(name: &str) -> bool {
    let lower = name.to_lowercase();
    ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

impl Parts for RecordFile {
    fn part(&mut self, number: u64) -> Option<Elements> {
        let number = usize::try_from(number).ok()?;
        if number == RecordType::ALL.len() {
            return Some(Box::new(self.passed_over().into_iter()));
        }
        let kind = *RecordType::ALL.get(number)?;
        // What has no type at all is told once, with the first of them.
        let is_first = number == 0;
        Some(Box::new(self.lines().filter_map(move |line| match line {
            Ok((_, line)) if is_blank(&line) => None,
            Ok((place, line)) => element(place, &line, kind, is_first),
            Err(problem) => is_first.then(|| problem.into()),
        })))
    }

    fn reads_held_files_alone(&self) -> bool {
        match &self.source {
            Source::Plain(_) | Source::Gzip(..) => false,
            Source::Zip(archive, files) => {
                let mut entries = files.iter().map(|offset| archive.entry_at(*offset));
                entries.all(|entry| entry.is_ok_and(|entry| is_among_held_files(&entry.name)))
            }
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    data_type: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The record on a line, if it is of this type.
fn element(place: Place, line: &[u8], wanted: RecordType, is_first: bool) -> Option<Element> {
    let untyped = |reason: String, place: Place| {
        is_first.then(|| Problem { place, kind: "record", ids: Vec::new(), reason }.into())
    };
    let parsed: Line<'_> = match serde_json::from_slice(line) {
        Ok(parsed) => parsed,
        Err(_) => return untyped(r#"The line is not of the form {"dataType":"…","data":{…}}."#.to_owned(), place),
    };
    let Some(kind) = RecordType::from_data_type(&parsed.data_type) else {
        return untyped("The line's dataType is none of user, contact, channel and message.".to_owned(), place);
    };
    if kind != wanted {
        return None;
    }
    let Ok(Value::Object(members)) = serde_json::from_str(parsed.data.get()) else {
        return Some(Problem::new(kind, place, "The record's data is no object.").into());
    };
    let mut data = Vec::with_capacity(members.len());
    for (name, value) in members {
        if value.is_null() {
            continue;
        }
        let value = if DATES.contains(&name.as_str()) {
            match date_of(&value) {
                Some(value) => value,
                None => return Some(Problem::new(kind, place, format!("The field {name} holds no date.")).into()),
            }
        } else {
            field_value(value)
        };
        data.push((name, value));
    }
    let data: Fields = data.into_iter().collect();
    Some(match missing(kind, &data) {
        None => Record::new(kind, data, place).into(),
        Some(reason) => {
            let ids = texts(&data, "importIds").chain(text(&data, "_id")).map(str::to_owned).collect::<Vec<_>>();
            Problem::new(kind, place, reason).with_ids(ids).into()
        }
    })
}

/// What a record of this type lacks.
fn missing(kind: RecordType, data: &Fields) -> Option<&'static str> {
    let has_import_id = texts(data, "importIds").any(|id| !id.is_empty());
    if kind != RecordType::Message && !has_import_id {
        return Some("The record needs importIds, a list of at least one text.");
    }
    let has = |name| text(data, name).is_some_and(|text| !text.is_empty());
    match kind {
        RecordType::User | RecordType::Contact | RecordType::File | RecordType::Avatar => None,
        RecordType::Channel => match text(data, "t") {
            Some("d") => texts(data, "users").next().is_none().then_some("A direct message needs users."),
            Some("c" | "p") => (!has("name")).then_some("A channel needs a name."),
            _ => Some("A channel's t is one of c, p and d."),
        },
        RecordType::Message => {
            let author = data.get("u").and_then(FieldValue::as_object).and_then(|author| text(author, "_id"));
            if !has("rid") || author.is_none_or(str::is_empty) {
                return Some("A message needs rid and u._id.");
            }
            if data.get("ts").is_none() {
                return Some("A message needs ts.");
            }
            (data.get("msg").is_none() && data.get("attachments").is_none()).then_some("A message needs msg.")
        }
    }
}

fn text<'f>(data: &'f Fields, name: &str) -> Option<&'f str> {
    data.get(name)?.as_text()
}

fn texts<'f>(data: &'f Fields, name: &str) -> impl Iterator<Item = &'f str> {
    let values = match data.get(name) {
        Some(FieldValue::List(values)) => values.as_slice(),
        _ => &[],
    };
    values.iter().filter_map(FieldValue::as_text)
}

/// A date as milliseconds, as ISO 8601, or as MongoDB's extended JSON.
fn date_of(value: &Value) -> Option<FieldValue> {
    let value = value.get("$date").unwrap_or(value);
    let value = value.get("$numberLong").unwrap_or(value);
    match value {
        Value::Number(number) => number.as_i64().map(date),
        Value::String(text) => told(text).map(|told| date(told.millis)),
        _ => None,
    }
}

fn unreadable(place: &Place, error: &io::Error) -> Problem {
    Problem::entry(place.clone(), format!("It cannot be read from here on: {error}."))
}

/// Lines with their numbers, each of bounded length.
struct Lines<R> {
    source: R,
    place: Place,
    line: u64,
    over: bool,
}

impl<R: BufRead> Lines<R> {
    const fn new(source: R, place: Place) -> Self {
        Self { source, place, line: 0, over: false }
    }

    /// Copies a line without its end; false if it is too long, and nothing at the end of the file.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        let mut fits = true;
        let mut any = false;
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any.then_some(fits));
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            fits &= line.len() + part.len() <= MAX_LINE_BYTES;
            if fits {
                line.extend_from_slice(part);
            }
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.source.consume(length);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(Place, Vec<u8>), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let mut line = Vec::new();
        self.line += 1;
        let place = self.place.line(self.line);
        match self.read_line(&mut line) {
            Ok(None) => None,
            Ok(Some(true)) => {
                if self.line == 1 && line.starts_with("\u{feff}".as_bytes()) {
                    line.drain(..3);
                }
                Some(Ok((place, line)))
            }
            Ok(Some(false)) => {
                let reason = format!("The line is longer than {MAX_LINE_BYTES} bytes.");
                Some(Err(Problem { place, kind: "record", ids: Vec::new(), reason }))
            }
            Err(error) => {
                self.over = true;
                Some(Err(unreadable(&place, &error)))
            }
        }
    }
}

/// A source that fails once it has given more than it may.
#[derive(Debug)]
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it unpacks to more than a file of its size may")
        })?;
        Ok(read)
    }
}
