//! Staged records for people to look at: as a stream, and only the fields that are shown, which no password is among.
//! And the ages of staged messages, room by room.

use std::collections::HashMap;

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mongodb::{Collection, options::Hint};

use super::{
    part::Part,
    staged_filters::{failures, importable},
    staged_id::StagedId,
    staging,
};
use crate::{
    domain::{
        field_value::{Date, Fields},
        record_type::RecordType,
        retention::{OldestMessages, Spared},
        staged::ChannelType,
    },
    repository::{Connection, RepositoryError, bson::read::read_fields},
};

/// Records that the database sends at a time. They may be large.
const CURSOR_BATCH: u32 = 200;
/// Names of the oldest messages beside those that are spared, in the order of [`Spared::ALL`].
const OLDEST: [&str; 4] = ["any", "notPinned", "inNoThread", "neither"];
/// Values of a list that are shown.
const SHOWN_VALUES: i32 = 20;
/// The fields of a staged user that he can be sent again with. None is a secret.
const SENDABLE: [&str; 14] = [
    "username",
    "emails",
    "importIds",
    "name",
    "roles",
    "requirePasswordChange",
    "type",
    "deleted",
    "utcOffset",
    "bio",
    "statusText",
    "channels",
    "avatarUrl",
    "customFields",
];
/// Bytes of the largest value that is handed out whole: a cell of a spreadsheet holds no more.
const WHOLE_BYTES: i32 = 32 * 1024;

/// Reads staged records for people.
#[derive(Debug, Clone)]
pub struct StagedView {
    records: Collection<RawDocumentBuf>,
}

impl StagedView {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { records: connection.collection(staging::COLLECTION) }
    }

    /// Every staged user of the root operation in the order they were staged: `username`, `emails`, `importIds`, `deleted` and `type`.
    pub async fn users(
        &self,
        root: &str,
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        self.choices(importable(root, RecordType::User), &["username", "deleted", "type"], &["emails", "importIds"])
            .await
    }

    /// Every staged room of the root operation that can be chosen by itself: `name`, `t`, `archived` and `importIds`.
    pub async fn channels(
        &self,
        root: &str,
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        let mut channels = importable(root, RecordType::Channel);
        channels.insert("data.t", doc! { "$ne": ChannelType::DirectMessage.letter() });
        self.choices(channels, &["name", "t", "archived"], &["importIds"]).await
    }

    /// Every staged contact of the root operation: `name`, `emails`, `phones` and `importIds`.
    pub async fn contacts(
        &self,
        root: &str,
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        self.choices(importable(root, RecordType::Contact), &["name"], &["emails", "phones", "importIds"]).await
    }

    /// Whether a direct message of the root operation is staged.
    pub async fn has_direct_messages(&self, root: &str) -> Result<bool, RepositoryError> {
        let mut direct = importable(root, RecordType::Channel);
        direct.insert("data.t", ChannelType::DirectMessage.letter());
        Ok(self.records.find_one(direct).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// Every staged room of the root operation in the order they were staged, as far as it tells which room it is: `_id`,
    /// `importIds`, `name` and `t`.
    pub async fn rooms(
        &self,
        root: &str,
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        // By the type as well, so that the database does not pass over all messages in the order of `_id`.
        let order = doc! { "dataType": 1, "_id": 1 };
        self.data(importable(root, RecordType::Channel), order, data_shown(&["_id", "importIds", "name", "t"], &[]))
            .await
    }

    /// The oldest messages of the root operation in each room that has some from before this moment. The database looks at
    /// every message.
    pub async fn oldest_messages(
        &self,
        root: &str,
        before: Date,
    ) -> Result<impl Stream<Item = Result<OldestMessages, RepositoryError>> + Send + use<>, RepositoryError> {
        let mut older = importable(root, RecordType::Message);
        older.insert("data.ts", doc! { "$lt": DateTime::from_millis(before.epoch_millis()) });
        let is_pinned = doc! { "$eq": ["$data.pinned", true] };
        // Whatever is there is more than null.
        let is_in_thread = ["$data.tmid", "$data.tcount"].map(|field| doc! { "$gt": [field, Bson::Null] });
        let mut oldest = doc! { "_id": "$data.rid" };
        for (name, spared) in OLDEST.into_iter().zip(Spared::ALL) {
            let pinned = spared.pinned.then(|| is_pinned.clone());
            let threads = spared.threads.then(|| is_in_thread.clone());
            let is_spared: Vec<Document> = pinned.into_iter().chain(threads.into_iter().flatten()).collect();
            oldest.insert(name, doc! { "$min": { "$cond": [{ "$or": is_spared }, Bson::Null, "$data.ts"] } });
        }
        let rooms = self.records.clone_with_type::<Document>();
        let rooms = rooms.aggregate([doc! { "$match": older }, doc! { "$group": oldest }]).allow_disk_use(true);
        // Most records are messages, and one after the other they are read faster than by the index of the types.
        let rooms = rooms.hint(Hint::Keys(doc! { "$natural": 1 })).await?;
        let date = |room: &Document, name: &str| {
            room.get_datetime(name).ok().map(|date| Date::from_epoch_millis(date.timestamp_millis()))
        };
        Ok(rooms.map_err(RepositoryError::from).try_filter_map(move |room| {
            let name = room.get_str("_id").ok().map(str::to_owned);
            let dates = OLDEST.into_iter().zip(Spared::ALL);
            let beside = dates.filter_map(|(name, spared)| Some((spared, date(&room, name)?))).collect();
            async move { Ok(name.map(|room| OldestMessages { room, beside })) }
        }))
    }

    /// Where these staged records stand in their file: `place` and `dataType`, and of their `data` `line`, `name` and `roles`,
    /// by their ids as texts.
    pub async fn places(&self, ids: &[StagedId]) -> Result<HashMap<String, Fields>, RepositoryError> {
        let ids: Vec<&Bson> = ids.iter().map(|id| &id.0).collect();
        let mut shown = data_shown(&["line", "name"], &["roles"]);
        shown.extend(doc! { "dataType": 1, "place": 1 });
        let found = self.records.find(doc! { "_id": { "$in": ids } }).projection(shown).await?;
        by_id(found.map_err(RepositoryError::from)).await
    }

    /// The data of these records: single fields, and the first values of lists.
    async fn choices(
        &self,
        filter: Document,
        fields: &[&str],
        lists: &[&str],
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        self.data(filter, doc! { "_id": 1 }, data_shown(fields, lists)).await
    }

    /// What these records show of their data, in this order.
    async fn data(
        &self,
        filter: Document,
        order: Document,
        mut shown: Document,
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        shown.insert("_id", 0);
        let found = self.records.find(filter).sort(order).projection(shown).allow_disk_use(true);
        let found = found.batch_size(CURSOR_BATCH).await?;
        let records = found.map_err(RepositoryError::from).map(|record| read(&record?));
        // A record without data in it is nothing to choose.
        Ok(records
            .try_filter_map(|record| async move { Ok(record.get("data").and_then(|data| data.as_object()).cloned()) }))
    }

    /// The number of staged users of the root operation that failed.
    pub async fn count_failed(&self, root: &str) -> Result<u64, RepositoryError> {
        Ok(self.records.count_documents(failures(root)).await?)
    }

    /// The staged users of the root operation that failed in the order they were staged: `_id`, `errors`, `dataType`, `place`,
    /// and of their `data` `line`, `username`, `name`, `emails`, `importIds` and `roles`.
    pub async fn failed(
        &self,
        root: &str,
        Part { offset, limit }: Part,
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        let mut shown = data_shown(&["line", "username", "name"], &["emails", "importIds", "roles"]);
        shown.extend(doc! { "errors": { "$slice": SHOWN_VALUES }, "dataType": 1, "place": 1 });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self.records.find(failures(root)).sort(doc! { "_id": 1 }).skip(offset).limit(limit);
        let found = found.projection(shown).batch_size(CURSOR_BATCH).await?;
        Ok(found.map_err(RepositoryError::from).map(|record| read(&record?)))
    }

    /// What these staged records can be sent again with, by their ids as texts: `user`, an object of whole values, and `leftOut`, the
    /// names of those that are too large to be in it.
    pub async fn sendable(&self, ids: &[StagedId]) -> Result<HashMap<String, Fields>, RepositoryError> {
        let ids: Vec<&Bson> = ids.iter().map(|id| &id.0).collect();
        let (mut user, mut left_out) = (Document::new(), Vec::new());
        for name in SENDABLE {
            let value = format!("$data.{name}");
            // The size of a value is that of an object around it, whatever its kind.
            let is_small = doc! { "$lte": [{ "$bsonSize": { "v": &value } }, WHOLE_BYTES] };
            user.insert(name, doc! { "$cond": [&is_small, &value, "$$REMOVE"] });
            left_out.push(doc! { "$cond": [is_small, [], [name]] });
        }
        let shown = doc! { "_id": 1, "user": user, "leftOut": { "$concatArrays": left_out } };
        let of_users = doc! { "_id": { "$in": ids }, "dataType": RecordType::User.data_type() };
        let found = self.records.find(of_users).projection(shown).await?;
        by_id(found.map_err(RepositoryError::from)).await
    }
}

/// Records by their ids as texts.
async fn by_id(
    records: impl Stream<Item = Result<RawDocumentBuf, RepositoryError>>,
) -> Result<HashMap<String, Fields>, RepositoryError> {
    let id = |record: &Fields| record.get("_id").and_then(|id| id.as_text()).map(str::to_owned);
    let records = records.map(|record| read(&record?));
    records.try_filter_map(|record| async move { Ok(id(&record).map(|id| (id, record))) }).try_collect().await
}

/// A projection to these fields of a record's data, and to the first values of these lists in it.
fn data_shown(fields: &[&str], lists: &[&str]) -> Document {
    let fields = fields.iter().map(|name| (format!("data.{name}"), Bson::Int32(1)));
    let lists = lists.iter().map(|name| (format!("data.{name}"), Bson::from(doc! { "$slice": SHOWN_VALUES })));
    fields.chain(lists).collect()
}

fn read(record: &RawDocumentBuf) -> Result<Fields, RepositoryError> {
    read_fields(record).map_err(|reason| RepositoryError::Unreadable { collection: staging::COLLECTION, reason })
}
