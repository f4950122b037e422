//! Comparing the receipt of an operation with the accounts, rooms and messages that are there.

use std::{collections::HashMap, pin::pin};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::{
    domain::{
        counts::Counts, field_value::FieldValue, operation::State, receipt::Outcome, record_type::RecordType,
        room_history::MissingMessages,
    },
    engine::{
        Engine,
        pending::{ReadBack, StoredBytes},
        room_history::compare_history,
    },
    repository::{
        Identity, LeftAccount, Part, ReceiptRecords, RecordReceipt, Repositories, RepositoryError, Shelf, Which,
        with_default_timeout,
    },
};

/// Records that are compared together.
const RECORDS_AT_A_TIME: usize = 500;
/// The field of the addresses.
const EMAILS: &str = "emails";
/// The end of a text that a receipt has cut.
const CUT_MARK: char = '…';

/// A difference between a receipt and the database.
#[derive(Debug)]
pub(crate) enum Difference {
    /// There is no such account any more.
    Missing(RecordReceipt),
    /// The account has lost import ids.
    ImportIds { record: RecordReceipt, lost: Vec<String> },
    /// The account has lost addresses that it was created or updated with.
    Emails { record: RecordReceipt, lost: Vec<String>, present: Vec<String> },
    /// There is no such room any more.
    MissingRoom(RecordReceipt),
    /// A room's history has lost messages.
    Messages(MissingMessages),
    /// The upload of a file or a picture is gone, or its bytes are not all there.
    MissingFile { record: RecordReceipt, expected: Option<u64>, stored: Option<u64> },
    /// The file of an upload has as many bytes as were stored, but not the same.
    ChangedFile(ChangedFile),
    /// The file of an upload could not be read back; why, in a sentence.
    UnreadFile { record: RecordReceipt, reason: String },
    /// An account that was deactivated is active again.
    Active(LeftAccount),
    /// The operation's own counters are others than those of its receipt.
    Counts { receipt: Counts, operation: Counts },
}

/// A file or a picture that somebody has changed in its store.
#[derive(Debug)]
pub(crate) struct ChangedFile {
    pub(crate) record_type: RecordType,
    pub(crate) record: RecordReceipt,
    /// The `_id` of the upload.
    pub(crate) upload: String,
    /// The name of the file, or of the person.
    pub(crate) name: String,
    /// SHA-256 in hex digits, as it was recorded and as it is.
    pub(crate) expected: String,
    pub(crate) stored: String,
}

/// What was compared, and how many differences there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct VerifySummary {
    /// Records in the receipt.
    pub(crate) records: u64,
    /// Records among them whose accounts were looked for.
    pub(crate) accounts: u64,
    /// Rooms among them that were looked for.
    pub(crate) rooms: u64,
    /// New messages that were looked for in the histories of rooms.
    pub(crate) messages: u64,
    /// Records among them that failed.
    pub(crate) failed: u64,
    /// Accounts that were deactivated, as the source no longer holds their people.
    pub(crate) deactivated: u64,
    pub(crate) differences: u64,
}

/// A part of the comparison; the summary is the last.
#[derive(Debug)]
pub(crate) enum Finding {
    Difference(Box<Difference>),
    Summary(VerifySummary),
}

/// Compares each record of the operation's receipt with its account or room, and the messages with the rooms' histories.
pub(crate) async fn verify(
    engine: &Engine,
    operation: &str,
) -> Result<impl Stream<Item = Result<Finding, RepositoryError>> + Send + 'static, RepositoryError> {
    let repositories = &engine.shared.repositories;
    let counted = counts_of_ended(repositories, operation).await?;
    let records = ReceiptRecords::of(&repositories.receipts, operation, Which::All).await?;
    let everything = Part { offset: 0, limit: u64::MAX };
    let chunks = records.read(everything).try_chunks(RECORDS_AT_A_TIME).map_err(|error| error.1);
    // Messages that are in have no record each; those that failed have one.
    let counts = with_default_timeout(repositories.receipts.counts(operation)).await?;
    let messages = counts.get(&RecordType::Message).map_or(0, |counts| counts.completed);
    let comparison = Comparison {
        repositories: repositories.clone(),
        files: ReadBack::new(engine).await?,
        operation: operation.to_owned(),
        counted,
        receipt: Counts { completed: messages, error: 0 },
        summary: VerifySummary { records: messages, ..VerifySummary::default() },
    };
    let findings = stream::try_unfold(Some((Box::pin(chunks), comparison)), |state| async {
        let Some((mut chunks, mut comparison)) = state else { return Ok::<_, RepositoryError>(None) };
        Ok(Some(match chunks.next().await.transpose()? {
            Some(records) => (comparison.compare(records).await?, Some((chunks, comparison))),
            None => (comparison.end().await?, None),
        }))
    });
    Ok(findings.map_ok(|findings| stream::iter(findings).map(Ok)).try_flatten())
}

/// The counters of an operation that is done; those of another one may still move.
async fn counts_of_ended(
    Repositories { imports, .. }: &Repositories,
    operation: &str,
) -> Result<Option<Counts>, RepositoryError> {
    let operation = imports.find(operation).await?.filter(|operation| operation.state() == Some(State::Done));
    Ok(operation.map(|operation| operation.counts()))
}

struct Comparison {
    repositories: Repositories,
    files: ReadBack,
    operation: String,
    /// The operation's own counters, if they do not move any more.
    counted: Option<Counts>,
    receipt: Counts,
    summary: VerifySummary,
}

impl Comparison {
    async fn compare(&mut self, records: Vec<(RecordType, RecordReceipt)>) -> Result<Vec<Finding>, RepositoryError> {
        let mut expected: HashMap<String, Vec<RecordReceipt>> = HashMap::new();
        let mut rooms: HashMap<String, RecordReceipt> = HashMap::new();
        let mut files: Vec<(RecordType, String, RecordReceipt)> = Vec::new();
        for (kind, record) in records {
            self.summary.records += 1;
            if record.outcome == Outcome::Failed {
                self.receipt.error += 1;
                self.summary.failed += 1;
                continue;
            }
            self.receipt.completed += 1;
            match (kind, &record.became) {
                (RecordType::User, Some(account)) => {
                    self.summary.accounts += 1;
                    expected.entry(account.clone()).or_default().push(record);
                }
                (RecordType::Channel, Some(room)) => {
                    self.summary.rooms += 1;
                    rooms.insert(room.clone(), record);
                }
                (RecordType::File, Some(upload)) => {
                    let upload = upload.clone();
                    files.push((kind, upload, record));
                }
                (RecordType::Avatar, Some(account)) => {
                    // One that is there already was left as it was.
                    let avatars = self.repositories.rocketchat_files.avatars_of(account, "");
                    let avatar = with_default_timeout(avatars).await?.pop().unwrap_or_default();
                    files.push((kind, avatar, record));
                }
                _ => {}
            }
        }
        let ids: Vec<String> = expected.keys().cloned().collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = with_default_timeout(self.repositories.identities.of(&ids)).await?;
        futures::pin_mut!(found);
        let mut differences = Vec::new();
        while let Some(identity) = with_default_timeout(async { found.next().await.transpose() }).await? {
            for record in expected.remove(&identity.id).unwrap_or_default() {
                compare(record, &identity, &mut differences);
            }
        }
        differences.extend(expected.into_values().flatten().map(Difference::Missing));
        let ids: Vec<&str> = rooms.keys().map(String::as_str).collect();
        let present = with_default_timeout(self.repositories.rooms.of(&ids)).await?;
        let gone = rooms.into_iter().filter(|(id, _)| !present.contains_key(id));
        differences.extend(gone.map(|(_, record)| Difference::MissingRoom(record)));
        for (kind, id, record) in files {
            differences.extend(self.file(kind, &id, record).await?);
        }
        self.summary.differences += differences.len() as u64;
        Ok(differences.into_iter().map(|difference| Finding::Difference(Box::new(difference))).collect())
    }

    /// Reads a file back, and compares it with what was stored.
    async fn file(
        &mut self,
        kind: RecordType,
        id: &str,
        record: RecordReceipt,
    ) -> Result<Option<Difference>, RepositoryError> {
        let Repositories { own_uploads, rocketchat_files: files, .. } = &self.repositories;
        let on = if kind == RecordType::Avatar { Shelf::Avatars } else { Shelf::Uploads };
        let Some(upload) = with_default_timeout(files.complete_upload(on, id)).await? else {
            return Ok(Some(Difference::MissingFile { record, expected: None, stored: None }));
        };
        // Uploads of releases before have no hash, and those of Rocket.Chat's own no record.
        let hash = with_default_timeout(own_uploads.find(id)).await?.and_then(|own| own.sha256);
        let expected = Some(upload.size());
        Ok(match self.files.bytes_of(on, &upload).await? {
            StoredBytes::Unread(reason) => Some(Difference::UnreadFile { record, reason }),
            StoredBytes::Read(Some(stored)) if Some(stored.bytes) == expected => {
                hash.filter(|hash| *hash != stored.sha256).map(|expected| {
                    let (name, stored) = (upload.text("name").to_owned(), stored.sha256);
                    let changed = ChangedFile { record_type: kind, record, upload: upload.id, name, expected, stored };
                    Difference::ChangedFile(changed)
                })
            }
            StoredBytes::Read(stored) => {
                Some(Difference::MissingFile { record, expected, stored: stored.map(|content| content.bytes) })
            }
        })
    }

    /// Looks for the accounts that were deactivated; those of them that are active.
    async fn active_again(&mut self) -> Result<Vec<LeftAccount>, RepositoryError> {
        let everything = Part { offset: 0, limit: u64::MAX };
        let left = self.repositories.receipts.left(&self.operation, everything).try_chunks(RECORDS_AT_A_TIME);
        let mut left = pin!(left.map_err(|error| error.1));
        let mut active = Vec::new();
        while let Some(left) = left.try_next().await? {
            self.summary.deactivated += left.len() as u64;
            let ids: Vec<&str> = left.iter().map(|left| left.id.as_str()).collect();
            let found = with_default_timeout(self.repositories.identities.active_among(&ids)).await?;
            active.extend(left.into_iter().filter(|left| found.contains(&left.id)));
        }
        Ok(active)
    }

    async fn end(mut self) -> Result<Vec<Finding>, RepositoryError> {
        let mut missing = Vec::new();
        let lacking = |day: &MissingMessages| missing.push(day.clone());
        self.summary.messages = compare_history(&self.repositories, &self.operation, lacking).await?.messages;
        self.summary.differences += missing.len() as u64;
        let active = self.active_again().await?;
        self.summary.differences += active.len() as u64;
        let lost = |missing| Finding::Difference(Box::new(Difference::Messages(missing)));
        let mut findings: Vec<Finding> = missing.into_iter().map(lost).collect();
        findings.extend(active.into_iter().map(|left| Finding::Difference(Box::new(Difference::Active(left)))));
        if let Some(operation) = self.counted.filter(|counted| *counted != self.receipt) {
            self.summary.differences += 1;
            let difference = Difference::Counts { receipt: self.receipt, operation };
            findings.push(Finding::Difference(Box::new(difference)));
        }
        findings.push(Finding::Summary(self.summary));
        Ok(findings)
    }
}

fn compare(record: RecordReceipt, account: &Identity, differences: &mut Vec<Difference>) {
    // An account that was left as it was need not have the record's.
    let lost = if record.outcome == Outcome::Same { Vec::new() } else { lost(&record.import_ids, &account.import_ids) };
    if !lost.is_empty() {
        differences.push(Difference::ImportIds { record: record.clone(), lost });
    }
    // An account that was only linked keeps its own addresses; one that was updated got those that nobody else has.
    let is_given = record.outcome == Outcome::Created
        || (record.outcome == Outcome::Updated && record.changed.iter().any(|change| change.field == EMAILS));
    if is_given {
        let given = if record.outcome == Outcome::Created { record.emails.clone() } else { given_emails(&record) };
        let lost = self::lost(&given, &account.emails);
        if !lost.is_empty() {
            differences.push(Difference::Emails { record, lost, present: account.emails.clone() });
        }
    }
}

/// The addresses that an update gave to the account.
fn given_emails(record: &RecordReceipt) -> Vec<String> {
    let after =
        record.changed.iter().find(|change| change.field == EMAILS).and_then(|change| change.values.get("after"));
    let Some(FieldValue::List(emails)) = after else { return Vec::new() };
    emails.iter().filter_map(|email| Some(email.as_object()?.get("address")?.as_text()?.to_owned())).collect()
}

/// The texts of a receipt that are not among those that are stored now.
fn lost(receipt: &[String], stored: &[String]) -> Vec<String> {
    let is_stored = |text: &String| {
        let beginning = text.strip_suffix(CUT_MARK);
        stored.iter().any(|stored| stored == text || beginning.is_some_and(|beginning| stored.starts_with(beginning)))
    };
    receipt.iter().filter(|text| !is_stored(text)).cloned().collect()
}
