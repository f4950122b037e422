//! The staging area before a run: left-out records are marked, and people whom no list names are added.

use bson::{Bson, DateTime, Document, RawDocument, RawDocumentBuf, doc};
use futures::{Stream, StreamExt as _};
use mongodb::{Collection, options::Hint};

use super::{
    staged_filters::importable,
    staged_id::StagedId,
    staging::{self, PLACEHOLDER_MARK, id_of, in_turn},
};
use crate::{
    domain::{
        field_value::{Date, Fields},
        record_type::RecordType,
    },
    repository::{
        Connection, RepositoryError,
        bson::{read::read_fields, write::document_of},
        connection::{error::is_duplicate_key, read_ahead::read_ahead},
    },
};

/// Records the database sends at a time.
const CURSOR_BATCH: u32 = 1000;
/// Records that one command marks.
const MARKED_AT_A_TIME: usize = 1000;

/// Reads and marks staged records before a run.
#[derive(Debug, Clone)]
pub struct StagedChoice {
    records: Collection<RawDocumentBuf>,
}

/// A staged record that may be left out.
#[derive(Debug)]
pub struct ChoosableRecord {
    pub id: StagedId,
    /// What the choice depends on, not all of its fields.
    pub data: Fields,
    pub is_left_out: bool,
    pub is_placeholder: bool,
}

/// What a run does with a staged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Taken,
    /// The person was left out, and is linked or becomes a placeholder.
    Placeholder,
    LeftOut,
}

/// The links between staged messages and people.
#[derive(Debug)]
pub struct MessageLinks {
    /// The id of the message in its source.
    pub id: Option<String>,
    pub author: Option<String>,
    pub thread_root: Option<String>,
    pub ts: Option<Date>,
    pub is_hidden: bool,
    /// Whether the source says that others answer the message.
    pub is_answered: bool,
}

impl StagedChoice {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { records: connection.collection(staging::COLLECTION) }
    }

    /// Every record of this type, also those that were left out, in the order they were staged.
    pub async fn records(
        &self,
        root: &str,
        kind: RecordType,
    ) -> Result<impl Stream<Item = Result<ChoosableRecord, RepositoryError>> + Send + use<>, RepositoryError> {
        let shown = doc! {
            "data._id": 1, "data.importIds": 1, "data.t": 1, "data.users": 1, "data.u": 1, "data.username": 1,
            "data.emails": 1, "data.name": 1, "data.phones": 1, "skipped": 1, PLACEHOLDER_MARK: 1,
        };
        let found = self.records.find(doc! { "operation": root, "dataType": kind.data_type() });
        let found = found.projection(shown).sort(doc! { "_id": 1 }).allow_disk_use(true).batch_size(CURSOR_BATCH);
        Ok(found.await?.map(|record| {
            let record = record?;
            let flag = |name: &str| record.get_bool(name).unwrap_or_default();
            let data = record.get_document("data").ok().and_then(|data| read_fields(data).ok());
            Ok(ChoosableRecord {
                id: id_of(&record),
                data: data.unwrap_or_default(),
                is_left_out: flag("skipped"),
                is_placeholder: flag(PLACEHOLDER_MARK),
            })
        }))
    }

    /// Marks these records.
    ///
    /// # Errors
    /// Some may have been marked all the same.
    pub async fn mark(&self, root: &str, ids: &[StagedId], mark: Mark) -> Result<(), RepositoryError> {
        for ids in ids.chunks(MARKED_AT_A_TIME) {
            let ids: Vec<&Bson> = ids.iter().map(|id| &id.0).collect();
            self.records.update_many(doc! { "_id": { "$in": ids }, "operation": root }, change_of(mark)).await?;
        }
        Ok(())
    }

    /// Leaves out the messages of these rooms, and takes all others.
    ///
    /// # Errors
    /// Some may have been marked all the same.
    pub async fn leave_out_messages(&self, root: &str, rooms: &[&str]) -> Result<(), RepositoryError> {
        let of_rooms = |condition: Document| {
            doc! { "operation": root, "dataType": RecordType::Message.data_type(), "data.rid": condition }
        };
        let mut others = of_rooms(doc! { "$nin": rooms });
        others.insert("skipped", true);
        self.records.update_many(others, change_of(Mark::Taken)).await?;
        if !rooms.is_empty() {
            let mut left_out = of_rooms(doc! { "$in": rooms });
            left_out.insert("skipped", doc! { "$ne": true });
            self.records.update_many(left_out, change_of(Mark::LeftOut)).await?;
        }
        Ok(())
    }

    /// Stages the record of a person whom no list names, once. Its id follows from the import id.
    pub async fn add_person(&self, root: &str, import_id: &str, data: &Fields) -> Result<(), RepositoryError> {
        let record = doc! {
            "_id": StagedId::of_unlisted_person(root, import_id).0,
            "data": document_of(data),
            "dataType": RecordType::User.data_type(),
            "options": {},
            "_updatedAt": DateTime::now(),
            "operation": root,
            PLACEHOLDER_MARK: true,
        };
        match self.records.clone_with_type::<Document>().insert_one(record).await {
            Err(error) if !is_duplicate_key(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The links of every message that is not left out, in the order they were staged. Those that the root is about to adopt
    /// are among them.
    pub async fn message_links(
        &self,
        root: &str,
    ) -> Result<impl Stream<Item = Result<MessageLinks, RepositoryError>> + Send + use<>, RepositoryError> {
        let shown = doc! {
            "_id": 0, "data._id": 1, "data.u._id": 1, "data.tmid": 1, "data.ts": 1, "data._hidden": 1,
            "data.tcount": 1,
        };
        let messages = importable(root, RecordType::Message);
        let mut found = self.records.find(messages).projection(shown).batch_size(10 * CURSOR_BATCH);
        if let Some(in_turn) = self.messages_in_turn().await? {
            found = found.hint(in_turn);
        }
        Ok(read_ahead(found.await?).map(|record| Ok(message_links(&record?))))
    }

    /// The way to the messages that is faster than the index of the types, if there is one.
    async fn messages_in_turn(&self) -> Result<Option<Hint>, RepositoryError> {
        let others = RecordType::BESIDE_MESSAGES.map(RecordType::data_type).to_vec();
        let others = self.records.count_documents(doc! { "dataType": { "$in": others } }).await?;
        let all = self.records.estimated_document_count().await?;
        Ok(in_turn(all.saturating_sub(others), all))
    }
}

fn change_of(mark: Mark) -> Document {
    match mark {
        Mark::Taken => doc! { "$unset": { "skipped": "", PLACEHOLDER_MARK: "" } },
        Mark::Placeholder => doc! { "$set": { PLACEHOLDER_MARK: true }, "$unset": { "skipped": "" } },
        Mark::LeftOut => doc! { "$set": { "skipped": true }, "$unset": { PLACEHOLDER_MARK: "" } },
    }
}

fn message_links(record: &RawDocument) -> MessageLinks {
    let data = record.get_document("data").ok();
    let filled = |document: Option<&RawDocument>, name: &str| {
        let text = document.and_then(|document| document.get_str(name).ok());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    MessageLinks {
        id: filled(data, "_id"),
        author: filled(data.and_then(|data| data.get_document("u").ok()), "_id"),
        thread_root: filled(data, "tmid"),
        ts: data.and_then(|data| data.get_datetime("ts").ok()).map(|ts| Date::from_epoch_millis(ts.timestamp_millis())),
        is_hidden: data.is_some_and(|data| data.get_bool("_hidden").unwrap_or_default()),
        is_answered: data.is_some_and(|data| data.get("tcount").is_ok_and(|count| count.is_some())),
    }
}
