//! The account of a file: how far its loading has come, and every element that is not staged.
//!
//! One document holds the progress, under the root operation's id; it is written after each batch, under the epoch of the
//! lease, so that a former holder cannot set it back. It outlives the lease, and a resumed import goes on from there.
//! Each batch with something to report has a document of its own. A batch that is stored again replaces its document with
//! the same.

use std::{collections::VecDeque, time::Duration};

use bson::{Bson, DateTime, Document, doc};
use futures::{Stream, TryStreamExt as _, stream};
use mongodb::Collection;

use super::part::Part;
use crate::{
    domain::{
        loading::{LoadProgress, NotStaged, ReportLine, StagedCounts},
        record_type::RecordType,
    },
    repository::{
        Connection, RECEIPT_LIFETIME, RepositoryError,
        bson::numbers::{signed, unsigned},
        connection::{error::is_duplicate_key, timeouts::with_default_timeout},
    },
};

const COLLECTION: &str = "rocketchat_import_service_reports";
/// Bytes of one text of a line, and ids of one line.
const TEXT_BYTES: usize = 1024;
const ID_BYTES: usize = 256;
const IDS: usize = 20;

/// Reads and writes reports of files.
#[derive(Debug, Clone)]
pub struct LoadReports {
    documents: Collection<Document>,
    lifetime: Duration,
}

/// The lines of one report, read a batch at a time.
#[derive(Debug)]
pub struct ReportLines {
    documents: Collection<Document>,
    batches: VecDeque<(String, u64)>,
    only: Option<NotStaged>,
    total: u64,
}

impl LoadReports {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { documents: connection.collection(COLLECTION), lifetime: RECEIPT_LIFETIME }
    }

    /// The same, with another time for which new reports are kept.
    #[must_use]
    pub fn kept_for(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// How far the loading of the root's file has come; `None` if it has not begun or its report has expired.
    pub async fn progress(&self, root: &str) -> Result<Option<LoadProgress>, RepositoryError> {
        Ok(self.documents.find_one(doc! { "_id": root }).await?.as_ref().map(progress_of))
    }

    /// Stores how far loading has come. False if a later acquisition of the lease has stored something.
    pub async fn store_progress(
        &self,
        root: &str,
        epoch: i64,
        progress: &LoadProgress,
    ) -> Result<bool, RepositoryError> {
        let not_later = doc! { "_id": root, "epoch": { "$not": { "$gt": epoch } } };
        let mut fields = fields_of(progress);
        fields.insert("epoch", epoch);
        fields.insert("at", DateTime::now());
        let mut change = Document::new();
        // A report that is not complete is what loading goes on from, however long that takes.
        if progress.is_complete {
            fields.insert("expires", self.expiry());
        } else {
            change.insert("$unset", doc! { "expires": "" });
        }
        change.insert("$set", fields);
        match self.documents.update_one(not_later, change).upsert(true).await {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate_key(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores the lines of a batch in place of those that it stored before.
    pub async fn store_batch(&self, root: &str, batch: u32, lines: &[ReportLine]) -> Result<(), RepositoryError> {
        let count = |outcome| {
            let lines = lines.iter().filter(|line| line.outcome == outcome).count();
            i64::try_from(lines).unwrap_or(i64::MAX)
        };
        let id = batch_id(root, batch);
        let document = doc! {
            "_id": &id,
            "operation": root,
            "batch": i64::from(batch),
            "failed": count(NotStaged::Failed),
            "passedOver": count(NotStaged::PassedOver),
            "lines": lines.iter().map(document_of).collect::<Vec<_>>(),
            "at": DateTime::now(),
            "expires": self.expiry(),
        };
        self.documents.replace_one(doc! { "_id": id }, document).upsert(true).await?;
        Ok(())
    }

    /// The lines about the root's file: all, or those with one outcome. Reads where they are, not the lines.
    pub async fn lines(&self, root: &str, only: Option<NotStaged>) -> Result<ReportLines, RepositoryError> {
        let shown = doc! { "failed": 1, "passedOver": 1 };
        let of_root = doc! { "_id": { "$gt": format!("{root}:"), "$lt": format!("{root};") } };
        let mut found = self.documents.find(of_root).sort(doc! { "_id": 1 }).projection(shown).await?;
        let (mut batches, mut total) = (VecDeque::new(), 0);
        while let Some(batch) = found.try_next().await? {
            let failed = unsigned(batch.get("failed"));
            let passed_over = unsigned(batch.get("passedOver"));
            let lines = match only {
                None => failed + passed_over,
                Some(NotStaged::Failed) => failed,
                Some(NotStaged::PassedOver) => passed_over,
            };
            total += lines;
            if lines > 0 {
                batches.push_back((batch.get_str("_id").unwrap_or_default().to_owned(), lines));
            }
        }
        Ok(ReportLines { documents: self.documents.clone(), batches, only, total })
    }

    fn expiry(&self) -> DateTime {
        let lifetime = i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX);
        DateTime::from_millis(DateTime::now().timestamp_millis().saturating_add(lifetime))
    }
}

impl ReportLines {
    /// The number of lines.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The lines of this part, in the order of the file.
    pub fn read(
        mut self,
        Part { mut offset, limit }: Part,
    ) -> impl Stream<Item = Result<ReportLine, RepositoryError>> + Send + 'static {
        while let Some((_, lines)) = self.batches.front().filter(|(_, lines)| *lines <= offset) {
            offset -= lines;
            self.batches.pop_front();
        }
        let reading = Reading { list: self, offset, left: limit, lines: VecDeque::new() };
        stream::try_unfold(reading, |mut reading| async move { Ok(reading.next().await?.map(|line| (line, reading))) })
    }
}

struct Reading {
    list: ReportLines,
    /// Lines of the next batch to leave out.
    offset: u64,
    left: u64,
    /// The rest of the batch that was read last.
    lines: VecDeque<ReportLine>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<ReportLine>, RepositoryError> {
        while self.left > 0 {
            if let Some(line) = self.lines.pop_front() {
                self.left -= 1;
                return Ok(Some(line));
            }
            let Some((id, _)) = self.list.batches.pop_front() else { return Ok(None) };
            let find = async { Ok(self.list.documents.find_one(doc! { "_id": &id }).await?) };
            // A batch that has expired meanwhile is left out.
            let Some(batch) = with_default_timeout(find).await? else { continue };
            let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
            self.offset = 0;
            let only = self.list.only;
            let lines = batch.get_array("lines").map(Vec::as_slice).unwrap_or_default();
            let lines = lines.iter().filter_map(|line| line_of(line.as_document()?));
            self.lines = lines.filter(|line| only.is_none_or(|only| only == line.outcome)).skip(offset).collect();
        }
        Ok(None)
    }
}

fn batch_id(root: &str, batch: u32) -> String {
    format!("{root}:{batch:010}")
}

fn document_of(line: &ReportLine) -> Document {
    let ids: Vec<&str> = line.ids.iter().take(IDS).map(|id| cut(id, ID_BYTES)).collect();
    doc! {
        "outcome": line.outcome.as_str(),
        "type": cut(&line.kind, ID_BYTES),
        "place": cut(&line.place, TEXT_BYTES),
        "ids": ids,
        "reason": cut(&line.reason, TEXT_BYTES),
        "count": signed(line.count),
    }
}

fn line_of(stored: &Document) -> Option<ReportLine> {
    let text = |name: &str| stored.get_str(name).unwrap_or_default().to_owned();
    let ids = stored.get_array("ids").map(Vec::as_slice).unwrap_or_default();
    Some(ReportLine {
        outcome: NotStaged::from_word(stored.get_str("outcome").ok()?)?,
        kind: text("type"),
        place: text("place"),
        ids: ids.iter().filter_map(Bson::as_str).map(str::to_owned).collect(),
        reason: text("reason"),
        count: unsigned(stored.get("count")),
    })
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

fn fields_of(progress: &LoadProgress) -> Document {
    let mut staged = Document::new();
    for kind in RecordType::ALL {
        staged.insert(kind.data_type(), signed(progress.staged.of(kind)));
    }
    // Names of their own would have to do without dots.
    let list = |counts: &std::collections::BTreeMap<String, u64>| {
        counts.iter().map(|(name, count)| doc! { "name": name, "count": signed(*count) }).collect::<Vec<_>>()
    };
    let mut fields = doc! {
        "part": signed(progress.part),
        "done": signed(progress.done),
        "batches": i64::from(progress.batches),
        "staged": staged,
        "failed": list(&progress.failed),
        "passedOver": list(&progress.passed_over),
        "notes": list(&progress.notes),
        "isComplete": progress.is_complete,
    };
    if let Some(most) = progress.direct_message_max_users {
        fields.insert("directMessageMaxUsers", signed(most));
    }
    fields
}

fn progress_of(stored: &Document) -> LoadProgress {
    let list = |name: &str| {
        let counts = stored.get_array(name).map(Vec::as_slice).unwrap_or_default();
        let counts = counts.iter().filter_map(|count| {
            let count = count.as_document()?;
            Some((count.get_str("name").ok()?.to_owned(), unsigned(count.get("count"))))
        });
        counts.collect()
    };
    let staged = stored.get_document("staged").ok();
    let of_type = |kind: RecordType| unsigned(staged.and_then(|staged| staged.get(kind.data_type())));
    LoadProgress {
        part: unsigned(stored.get("part")),
        done: unsigned(stored.get("done")),
        batches: u32::try_from(unsigned(stored.get("batches"))).unwrap_or(u32::MAX),
        direct_message_max_users: stored.get("directMessageMaxUsers").map(|most| unsigned(Some(most))),
        staged: RecordType::ALL
            .into_iter()
            .fold(StagedCounts::default(), |counts, kind| counts.with_more(kind, of_type(kind))),
        failed: list("failed"),
        passed_over: list("passedOver"),
        notes: list("notes"),
        is_complete: stored.get_bool("isComplete").unwrap_or_default(),
    }
}
