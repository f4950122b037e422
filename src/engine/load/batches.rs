//! Batches of elements, read by a thread that may wait.
//!
//! Where a batch ends follows from the file alone, so that a batch that is read again is the same.

use std::{collections::BTreeMap, io, sync::Arc};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::source;
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        loading::{NotStaged, ReportLine},
        record_type::RecordType,
        staged::StagedUser,
    },
    engine::attempts::{PassingError, Stop},
    importers::{self, Element, Format, OpenError, Options, PassedOver, Position, Problem, ReadAt, Reader, Record},
    repository::NewRecord,
};

/// Elements of a batch, and the bytes of its records. A record alone may have more.
const BATCH_ELEMENTS: usize = 500;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// What a value takes beside its text.
const VALUE_BYTES: usize = 16;
/// Elements without a record after which a batch ends, so that progress is kept while nothing but they come.
const LINES: usize = 500;

/// Elements that are stored together: records of one type, and what lies between them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The type of the records; `None` if there are none.
    pub(super) kind: Option<RecordType>,
    pub(super) records: Vec<NewRecord>,
    /// The ids of each record, for the report.
    pub(super) ids: Vec<Vec<String>>,
    pub(super) lines: Vec<ReportLine>,
    pub(super) notes: BTreeMap<&'static str, u64>,
    /// The place after the last element.
    pub(super) position: Position,
    /// The archive's entry of the last record.
    pub(super) entry: Option<Arc<str>>,
}

/// Reads the file from the position on. The thread that reads ends soon after the receiver is dropped.
pub(super) fn read(
    format: Format,
    file: Arc<dyn ReadAt>,
    options: Options,
    position: Position,
) -> Receiver<Result<Batch, Stop>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        if let Err(stop) = send(format, file, &options, position, &sender) {
            // Nobody waits for it if loading has stopped.
            let _ = sender.blocking_send(Err(stop));
        }
    });
    receiver
}

fn send(
    format: Format,
    file: Arc<dyn ReadAt>,
    options: &Options,
    position: Position,
    batches: &Sender<Result<Batch, Stop>>,
) -> Result<(), Stop> {
    let mut reader = importers::open(format, file, options).map_err(|error| match error {
        OpenError::Refused(refusal) => Stop::Failed(refusal.reason),
        OpenError::Unreachable(error) => unreachable_file(&error),
    })?;
    reader.resume(position);
    let mut cutter = Cutter { reader, next: None };
    while let Some(batch) = cutter.batch().map_err(|error| unreachable_file(&error))? {
        if batches.blocking_send(Ok(batch)).is_err() {
            break;
        }
    }
    Ok(())
}

fn unreachable_file(error: &io::Error) -> Stop {
    let is_gone = matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::UnexpectedEof
    );
    match source::database_error(error) {
        Some(error) => error.into(),
        None if is_gone => Stop::Failed(format!("The file cannot be read: {error}.")),
        None => Stop::Again(PassingError::new(format!("the file cannot be read: {error}"))),
    }
}

/// Cuts the elements of a file into batches.
struct Cutter {
    reader: Reader,
    /// The first record of the next batch, if it was read already.
    next: Option<Record>,
}

impl Cutter {
    /// The next batch; `None` at the end of the file.
    fn batch(&mut self) -> io::Result<Option<Batch>> {
        let mut batch = Batch { position: self.reader.position(), ..Batch::default() };
        let mut bytes = 0;
        if let Some(record) = self.next.take() {
            bytes += weight(&record.data);
            batch.add_record(record);
        }
        let mut is_at_end = false;
        while batch.records.len() + batch.lines.len() < BATCH_ELEMENTS && bytes < BATCH_BYTES {
            let Some(element) = self.reader.next().transpose()? else {
                is_at_end = true;
                break;
            };
            match element {
                Element::Record(record) => {
                    let size = weight(&record.data);
                    let is_of_another_type = batch.kind.is_some_and(|kind| kind != record.kind);
                    let is_too_much = !batch.records.is_empty() && bytes + size > BATCH_BYTES;
                    if is_of_another_type || is_too_much {
                        // The position is still the one before this record.
                        self.next = Some(record);
                        return Ok(Some(batch));
                    }
                    bytes += size;
                    batch.add_record(record);
                }
                Element::Problem(problem) => batch.lines.push(failed(problem)),
                Element::PassedOver(passed) => batch.add_passed_over(passed),
            }
            batch.position = self.reader.position();
            if batch.lines.len() >= LINES {
                break;
            }
        }
        let is_empty = batch.records.is_empty() && batch.lines.is_empty();
        Ok((!is_at_end || !is_empty).then_some(batch))
    }
}

impl Batch {
    fn add_record(&mut self, record: Record) {
        let Record { kind, data, place, notes } = record;
        self.kind = Some(kind);
        for note in notes {
            *self.notes.entry(note.label()).or_default() += 1;
        }
        self.ids.push(ids_of(kind, &data));
        self.records.push(NewRecord { data, place: place.to_string() });
        self.entry = place.entry;
    }

    /// Elements that are passed over for one reason make one line.
    fn add_passed_over(&mut self, passed: PassedOver) {
        let PassedOver { kind, reason, count, place } = passed;
        if count == 0 {
            return;
        }
        let is_same = |line: &&mut ReportLine| {
            line.outcome == NotStaged::PassedOver && line.kind == kind && line.reason == reason
        };
        match self.lines.iter_mut().find(is_same) {
            Some(line) => line.count += count,
            None => self.lines.push(ReportLine {
                outcome: NotStaged::PassedOver,
                kind: kind.to_owned(),
                place: place.to_string(),
                ids: Vec::new(),
                reason,
                count,
            }),
        }
    }
}

fn failed(problem: Problem) -> ReportLine {
    let Problem { place, kind, ids, reason } = problem;
    let (kind, place) = (kind.to_owned(), place.to_string());
    ReportLine { outcome: NotStaged::Failed, kind, place, ids, reason, count: 1 }
}

/// The ids by which the source knows a record.
fn ids_of(kind: RecordType, data: &Fields) -> Vec<String> {
    if kind == RecordType::Message {
        return data.get("_id").and_then(FieldValue::as_text).map(str::to_owned).into_iter().collect();
    }
    StagedUser::new(data).import_ids().map(str::to_owned).collect()
}

/// About the bytes that the fields take in the database.
fn weight(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + weight_of(value)).sum()
}

fn weight_of(value: &FieldValue) -> usize {
    VALUE_BYTES
        + match value {
            FieldValue::Text(text) => text.len(),
            FieldValue::List(values) => values.iter().map(weight_of).sum(),
            FieldValue::Object(fields) => weight(fields),
            _ => 0,
        }
}
