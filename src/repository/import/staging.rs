//! The staging area, `rocketchat_import_data`: the records that are to be imported.
//!
//! Records of ours carry the operation they belong to, in `operation`. An operation that goes on with the records of
//! another one names that one as their *root*. Records without `operation` were staged by Rocket.Chat or by an older
//! release of this service; the run of the newest operation adopts them.
//!
//! Every write names the operation, so a late one changes nothing of a newer operation.

use bson::{Bson, DateTime, Document, RawDocument, RawDocumentBuf, doc};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mongodb::{Collection, action::Find, options::Hint};

use super::{
    staged_filters::{importable, records_of, unlabelled},
    staged_id::StagedId,
};
use crate::{
    domain::{
        field_value::{Date, Fields},
        record_type::RecordType,
    },
    repository::{
        Connection, RepositoryError,
        bson::{read::read_fields, write::size_of},
        connection::error::has_code,
    },
};

pub(in crate::repository) const COLLECTION: &str = "rocketchat_import_data";
/// The mark of a record of a person who was left out and is needed all the same.
pub(super) const PLACEHOLDER_MARK: &str = "placeholder";
/// Records the database sends at a time; it sends no more than 16 MiB in any case.
pub(super) const CURSOR_BATCH: u32 = 1000;
/// How much more it costs the database to find a record by an index and read it than to read it in turn.
const INDEX_COST: u64 = 3;
/// How much more it costs the database to find a record by an index, and to sort it, than to pass over one in turn.
const SORT_COST: u64 = 4;
/// Gaps that are looked into at once.
const LOOKS_AT_ONCE: usize = 16;
/// The codes of a document that would exceed 16 MiB after an update.
const TOO_LARGE_CODES: [i32; 2] = [10_334, 17_419];

/// The longest document that the database stores, in bytes.
const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// More bytes than a staged record has beside its data.
const BESIDE_DATA_BYTES: usize = 1024;

/// Reads and writes staged records.
#[derive(Debug, Clone)]
pub struct Staging {
    connection: Connection,
    pub(super) records: Collection<RawDocumentBuf>,
}

/// A record that waits to be imported.
#[derive(Debug)]
pub struct StagedRecord {
    pub id: StagedId,
    /// The staged data, or why it cannot be read.
    pub data: Result<Fields, String>,
    /// The reason of a failure that an earlier run left on the record.
    pub failure: Option<String>,
    /// Whether the person was left out of the import, and is linked or becomes a placeholder.
    pub is_placeholder: bool,
    /// The size of the data as it is stored.
    pub bytes: usize,
}

/// A range of staged ids, both ends exclusive; `None` for an open end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gap {
    pub after: Option<StagedId>,
    pub before: Option<StagedId>,
}

/// Whether the data fits into a staged record.
pub(crate) fn can_be_staged(data: &Fields) -> bool {
    size_of(data).is_none_or(|bytes| bytes + BESIDE_DATA_BYTES <= DOCUMENT_BYTES)
}

impl Staging {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), records: connection.collection(COLLECTION) }
    }

    /// The records of this type within the gap, in the order of their ids.
    ///
    /// # Errors
    /// As for every read. After an error the caller may begin again after the last id it saw.
    pub async fn records(
        &self,
        root: &str,
        kind: RecordType,
        gap: &Gap,
    ) -> Result<impl Stream<Item = Result<StagedRecord, RepositoryError>> + Send + use<>, RepositoryError> {
        let projection = doc! { "data": 1, "errors": 1, PLACEHOLDER_MARK: 1 };
        let are_few = self.are_few(kind).await?;
        let records = self.find_in(root, kind, gap, are_few).projection(projection).batch_size(CURSOR_BATCH);
        let after = gap.after.clone();
        let records = records.await?.map(|record| record.map(|record| staged_record(&record)));
        Ok(records.map_err(RepositoryError::from).try_filter(move |record| {
            let is_after = after.as_ref() != Some(&record.id);
            async move { is_after }
        }))
    }

    /// Whether there is a record of this type within any of the gaps.
    pub async fn has_any(&self, root: &str, kind: RecordType, gaps: &[Gap]) -> Result<bool, RepositoryError> {
        let are_few = self.are_few(kind).await?;
        // Over places and not the gaps: a closure over references is not general enough for a task.
        let looks = stream::iter(0..gaps.len()).map(|place| async move {
            let gap = &gaps[place];
            // The lower end is not within the gap, but the database's bound is inclusive.
            let records = self.find_in(root, kind, gap, are_few).projection(doc! { "_id": 1 }).limit(2).batch_size(2);
            let ids: Vec<StagedId> = records.await?.map_ok(|record| id_of(&record)).try_collect().await?;
            Ok::<bool, RepositoryError>(ids.iter().any(|id| Some(id) != gap.after.as_ref()))
        });
        looks.buffer_unordered(LOOKS_AT_ONCE).try_any(|is_there| async move { is_there }).await
    }

    /// Whether so few of all records have this type that the index of the types finds them best.
    async fn are_few(&self, kind: RecordType) -> Result<bool, RepositoryError> {
        match kind {
            RecordType::Contact | RecordType::Channel => Ok(true),
            // All that is staged, or a few beside many messages.
            RecordType::User => {
                let most = self.records.estimated_document_count().await? / SORT_COST;
                let users = self.records.count_documents(doc! { "dataType": kind.data_type() });
                Ok(most > 0 && users.limit(most + 1).await? <= most)
            }
            RecordType::Message | RecordType::File | RecordType::Avatar => Ok(false),
        }
    }

    /// The records of this type from the gap's lower end, inclusive, to its upper one, in the order of their ids.
    fn find_in(&self, root: &str, kind: RecordType, gap: &Gap, are_few: bool) -> Find<'_, RawDocumentBuf> {
        let mut filter = records_of(root, kind);
        if are_few {
            filter.extend(within(gap));
            // By the type as well, so that the database does not pass over all others in the order of `_id`.
            return self.records.find(filter).sort(doc! { "dataType": 1, "_id": 1 }).allow_disk_use(true);
        }
        let mut records = self.records.find(filter).sort(doc! { "_id": 1 });
        // Bounds of the index and not conditions: those compare within one type of id only.
        records = records.hint(Hint::Keys(doc! { "_id": 1 }));
        if let Some(after) = &gap.after {
            records = records.min(doc! { "_id": &after.0 });
        }
        if let Some(before) = &gap.before {
            records = records.max(doc! { "_id": &before.0 });
        }
        records
    }

    /// The number of records of this type that belong to the root.
    pub async fn count(&self, root: &str, kind: RecordType) -> Result<u64, RepositoryError> {
        Ok(self.records.count_documents(records_of(root, kind)).await?)
    }

    /// Whether a staged user names channels, or, if that is taken from the records, says whether the account is active.
    pub async fn touch_rooms(&self, activity_is_taken: bool) -> Result<bool, RepositoryError> {
        let mut touching = vec![doc! { "data.channels.0": { "$exists": true } }];
        if activity_is_taken {
            touching.push(doc! { "data.deleted": { "$ne": null } });
        }
        let touching = doc! { "dataType": RecordType::User.data_type(), "$or": touching };
        Ok(self.records.find_one(touching).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// The number of records of any type that belong to the root.
    pub async fn count_all(&self, root: &str) -> Result<u64, RepositoryError> {
        // Rocket.Chat's index is by type.
        let types = RecordType::ALL.map(RecordType::data_type).to_vec();
        Ok(self.records.count_documents(doc! { "dataType": { "$in": types }, "operation": root }).await?)
    }

    /// The number of records of this type that somebody chose to leave out.
    pub async fn count_left_out(&self, root: &str, kind: RecordType) -> Result<u64, RepositoryError> {
        let left_out = doc! { "operation": root, "dataType": kind.data_type(), "skipped": true };
        Ok(self.records.count_documents(left_out).await?)
    }

    /// The number of records of these types that belong to no operation, where about `of_types` records have these types.
    pub async fn count_unlabelled(&self, kinds: &[RecordType], of_types: u64) -> Result<u64, RepositoryError> {
        self.count_among(unlabelled(kinds), of_types).await
    }

    /// Gives the records without an operation to this root. Only the holder of the lease may call this.
    ///
    /// # Errors
    /// Some records may have been adopted all the same.
    pub async fn adopt(&self, root: &str) -> Result<(), RepositoryError> {
        self.adopt_those(doc! {}, root).await
    }

    /// As [`Self::adopt`], for records of these types, of which there are few.
    pub async fn adopt_of(&self, kinds: &[RecordType], root: &str) -> Result<(), RepositoryError> {
        let types: Vec<&str> = kinds.iter().map(|kind| kind.data_type()).collect();
        self.adopt_those(doc! { "dataType": { "$in": types } }, root).await
    }

    async fn adopt_those(&self, mut records: Document, root: &str) -> Result<(), RepositoryError> {
        records.insert("operation", doc! { "$exists": false });
        self.records.update_many(records, doc! { "$set": { "operation": root } }).await?;
        Ok(())
    }

    /// The highest id of a record that belongs to no operation.
    pub async fn last_unlabelled(&self) -> Result<Option<StagedId>, RepositoryError> {
        self.last(doc! { "operation": { "$exists": false } }).await
    }

    /// The highest id of all records.
    pub async fn last_of_all(&self) -> Result<Option<StagedId>, RepositoryError> {
        self.last(doc! {}).await
    }

    /// The operations that staged records name.
    pub async fn roots(&self) -> Result<Vec<String>, RepositoryError> {
        let roots = self.records.distinct("operation", doc! {}).await?;
        Ok(roots.iter().filter_map(Bson::as_str).map(str::to_owned).collect())
    }

    async fn last(&self, filter: Document) -> Result<Option<StagedId>, RepositoryError> {
        let last = self.records.find_one(filter).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 }).await?;
        Ok(last.map(|record| id_of(&record)))
    }

    /// The number of records of this type that the newest operation would import, where about `of_type` records have it;
    /// zero is an unknown number.
    pub async fn count_importable(&self, root: &str, kind: RecordType, of_type: u64) -> Result<u64, RepositoryError> {
        self.count_among(importable(root, kind), of_type).await
    }

    /// Counts records, where about `of_types` have their types. Zero is an unknown number.
    async fn count_among(&self, records: Document, of_types: u64) -> Result<u64, RepositoryError> {
        let mut count = self.records.count_documents(records);
        if of_types > 0
            && let Some(in_turn) = in_turn(of_types, self.records.estimated_document_count().await?)
        {
            count = count.hint(in_turn);
        }
        Ok(count.await?)
    }

    /// Leaves the reasons on failed records, unless a later run has written there. A record that has no room for its
    /// reason stays as it is: the receipt holds the reason, too.
    ///
    /// # Errors
    /// Some records may have got their reason all the same.
    pub async fn mark_failed(
        &self,
        root: &str,
        epoch: i64,
        failed: &[(StagedId, String)],
    ) -> Result<(), RepositoryError> {
        if failed.is_empty() {
            return Ok(());
        }
        let now = DateTime::now();
        let mark = |(id, reason): &(StagedId, String)| {
            let record = doc! { "_id": &id.0, "operation": root, "run": { "$not": { "$gt": epoch } } };
            let change = doc! { "$set": { "errors": [{ "message": reason }], "run": epoch, "_updatedAt": now } };
            (record, change)
        };
        let updates: Vec<Document> = failed.iter().map(&mark).map(|(q, u)| doc! { "q": q, "u": u }).collect();
        let command = doc! { "update": COLLECTION, "updates": updates, "ordered": false };
        let answer = self.connection.database().run_command(command).await?;
        if !answer.contains_key("writeErrors") && !answer.contains_key("writeConcernError") {
            return Ok(());
        }
        // One by one, so that the driver says of each what is wrong.
        for (record, change) in failed.iter().map(mark) {
            match self.records.update_one(record, change).await {
                Err(error) if !has_code(&error, &TOO_LARGE_CODES) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the clear-text passwords of users who failed before then; of how many users.
    ///
    /// # Errors
    /// Some may have been removed all the same.
    pub async fn forget_passwords(&self, before: Date) -> Result<u64, RepositoryError> {
        let failed = doc! {
            "dataType": RecordType::User.data_type(),
            "operation": { "$exists": true },
            "errors.0": { "$exists": true },
            "data.password": { "$exists": true },
            "_updatedAt": { "$lt": DateTime::from_millis(before.epoch_millis()) },
        };
        let changed = self.records.update_many(failed, doc! { "$unset": { "data.password": 1 } }).await?;
        Ok(changed.modified_count)
    }
}

/// The way to `of_types` records among all of them without the index of the types, where that is faster: the index costs
/// more for each record than the record itself.
pub(super) fn in_turn(of_types: u64, all: u64) -> Option<Hint> {
    (of_types.saturating_mul(INDEX_COST) >= all).then(|| Hint::Keys(doc! { "$natural": 1 }))
}

/// The condition on the ids, in the order of the index: ids may have several types.
fn within(gap: &Gap) -> Document {
    let compared = |with: &str, end: &StagedId| doc! { with: ["$_id", { "$literal": &end.0 }] };
    let after = gap.after.iter().map(|after| compared("$gt", after));
    let before = gap.before.iter().map(|before| compared("$lt", before));
    doc! { "$expr": { "$and": after.chain(before).collect::<Vec<_>>() } }
}

pub(super) fn id_of(record: &RawDocument) -> StagedId {
    StagedId(record.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok()).unwrap_or(Bson::Null))
}

fn staged_record(record: &RawDocument) -> StagedRecord {
    let data = match record.get_document("data") {
        Ok(data) => read_fields(data).map_err(|error| format!("The record cannot be read: {error}")),
        Err(_) => Err("The record holds nothing to import.".to_owned()),
    };
    let is_placeholder = record.get_bool(PLACEHOLDER_MARK).unwrap_or_default();
    let failure = record.get_array("errors").ok().map(|errors| {
        let first = errors.get_document(0).ok().and_then(|error| error.get_str("message").ok());
        first.unwrap_or("The record failed before, and the reason is not known.").to_owned()
    });
    StagedRecord { id: id_of(record), data, failure, is_placeholder, bytes: record.as_bytes().len() }
}
