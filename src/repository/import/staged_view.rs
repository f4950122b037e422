//! Staged records for people to look at: as a stream, and only the fields that are shown, which no password is among.

use std::collections::HashMap;

use bson::{Bson, Document, RawDocumentBuf, doc};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mongodb::Collection;

use super::{
    part::Part,
    staged_filters::{failures, importable},
    staged_id::StagedId,
    staging,
};
use crate::{
    domain::{field_value::Fields, record_type::RecordType, staged::ChannelType},
    repository::{Connection, RepositoryError, bson::read::read_fields},
};

/// Records that the database sends at a time. They may be large.
const CURSOR_BATCH: u32 = 200;
/// Values of a list that are shown.
const SHOWN_VALUES: i32 = 20;

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

    /// The kinds of the staged rooms of the root operation.
    pub async fn channel_types(&self, root: &str) -> Result<Vec<ChannelType>, RepositoryError> {
        let found = self.records.distinct("data.t", importable(root, RecordType::Channel)).await?;
        Ok(found.iter().filter_map(|kind| ChannelType::from_letter(kind.as_str()?)).collect())
    }

    /// Whether a message of the root operation is staged that was written before then.
    pub async fn has_message_before(&self, root: &str, then: DateTime<Utc>) -> Result<bool, RepositoryError> {
        let mut older = importable(root, RecordType::Message);
        older.insert("data.ts", doc! { "$lt": bson::DateTime::from_chrono(then) });
        Ok(self.records.find_one(older).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// Where these staged records stand in their file: `place` and `dataType`, and of their `data` `line`, `name` and `roles`,
    /// by their ids as texts.
    pub async fn places(&self, ids: &[StagedId]) -> Result<HashMap<String, Fields>, RepositoryError> {
        let ids: Vec<&Bson> = ids.iter().map(|id| &id.0).collect();
        let mut shown = data_shown(&["line", "name"], &["roles"]);
        shown.extend(doc! { "dataType": 1, "place": 1 });
        let found = self.records.find(doc! { "_id": { "$in": ids } }).projection(shown).await?;
        let records = found.map_err(RepositoryError::from).map(|record| read(&record?));
        let id = |record: &Fields| record.get("_id").and_then(|id| id.as_text()).map(str::to_owned);
        records.try_filter_map(|record| async move { Ok(id(&record).map(|id| (id, record))) }).try_collect().await
    }

    /// The data of these records: single fields, and the first values of lists.
    async fn choices(
        &self,
        filter: Document,
        fields: &[&str],
        lists: &[&str],
    ) -> Result<impl Stream<Item = Result<Fields, RepositoryError>> + Send + use<>, RepositoryError> {
        let mut shown = data_shown(fields, lists);
        shown.insert("_id", 0);
        let found =
            self.records.find(filter).sort(doc! { "_id": 1 }).projection(shown).batch_size(CURSOR_BATCH).await?;
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
