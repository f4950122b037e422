//! Messages, `rocketchat_message`.

use std::collections::{HashMap, HashSet};

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use super::bulk::{Refused, insert_each, read_all, set_of, text_of};
use crate::{
    domain::{
        document::FieldChange,
        field_value::{FieldValue, Fields},
        upload::pending_file::IMPORT_FILE,
    },
    repository::{Connection, RepositoryError},
};

/// Messages that a client reads of a room it opens.
const HISTORY_PAGE: i64 = 50;
pub(in crate::repository) const COLLECTION: &str = "rocketchat_message";

/// Reads and writes messages.
#[derive(Debug, Clone)]
pub struct Messages {
    messages: Collection<Document>,
}

impl Messages {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { messages: connection.collection(COLLECTION) }
    }

    /// Stores new messages, by a majority; those that were refused.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn insert(&self, messages: &[&Fields]) -> Result<Vec<Refused>, RepositoryError> {
        insert_each(&self.messages, messages).await
    }

    /// Returns which of these ids belong to a message.
    pub async fn existing(&self, ids: &[&str]) -> Result<HashSet<String>, RepositoryError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let found = self.messages.find(doc! { "_id": { "$in": ids } }).projection(doc! { "_id": 1 }).await?;
        let ids = found.try_filter_map(|message| async move { Ok(message.get_str("_id").ok().map(str::to_owned)) });
        Ok(ids.try_collect().await?)
    }

    /// Returns the messages with these ids.
    pub async fn of(&self, ids: &[&str]) -> Result<HashMap<String, Fields>, RepositoryError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let messages = self.messages.clone_with_type::<RawDocumentBuf>();
        let found = read_all(messages.find(doc! { "_id": { "$in": ids } }).await?, COLLECTION).await?;
        Ok(found.into_iter().map(|message| (text_of(&message, "_id").to_owned(), message)).collect())
    }

    /// Changes a message unless somebody has edited it since it was read as `stored`, or its file came meanwhile, where that is
    /// to change. False if so.
    pub async fn change(
        &self,
        stored: &Fields,
        set: &[FieldChange],
        unset: &[&'static str],
    ) -> Result<bool, RepositoryError> {
        let edited_at = match stored.get("editedAt") {
            Some(FieldValue::Date(date)) => Bson::DateTime(DateTime::from_millis(date.epoch_millis())),
            _ => Bson::Null,
        };
        let mut unedited = doc! { "_id": text_of(stored, "_id"), "rid": text_of(stored, "rid"), "editedAt": edited_at };
        if set.iter().any(|change| change.field == IMPORT_FILE) {
            unedited.insert(format!("{IMPORT_FILE}.downloaded"), doc! { "$ne": true });
        }
        let mut fields = set_of(set);
        fields.insert("_updatedAt", DateTime::now());
        let mut update = doc! { "$set": fields };
        if !unset.is_empty() {
            let fields: Document =
                unset.iter().map(|field| ((*field).to_owned(), Bson::String(String::new()))).collect();
            update.insert("$unset", fields);
        }
        Ok(self.messages.update_one(unedited, update).await?.matched_count == 1)
    }

    /// Reads the newest page of a room as a client does that opens it, for the time that takes.
    ///
    /// Source: `packages/models/src/models/Messages.ts` (`findVisibleByRoomIdNotContainingTypesBeforeTs`).
    pub async fn open_history(&self, room: &str) -> Result<(), RepositoryError> {
        let history = doc! {
            "_hidden": { "$ne": true },
            "rid": room,
            "ts": { "$lt": DateTime::now() },
            "$or": [{ "tmid": { "$exists": false } }, { "tshow": true }],
        };
        let messages = self.messages.clone_with_type::<RawDocumentBuf>();
        messages.find(history).sort(doc! { "ts": -1 }).limit(HISTORY_PAGE).await?.try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// Returns how many messages Rocket.Chat's own history query finds in the room, by day in UTC.
    ///
    /// Source: `packages/models/src/models/Messages.ts` (`findVisibleByRoomIdNotContainingTypesBeforeTs`).
    pub async fn history_by_day(
        &self,
        room: &str,
        hidden_types: &[String],
    ) -> Result<HashMap<String, u64>, RepositoryError> {
        let history = doc! {
            "_hidden": { "$ne": true },
            "rid": room,
            "t": { "$nin": hidden_types },
            "ts": { "$type": "date" },
            "$or": [{ "tmid": { "$exists": false } }, { "tshow": true }],
        };
        let day = doc! { "$dateToString": { "date": "$ts", "format": "%Y-%m-%d" } };
        let by_day = doc! { "_id": day, "messages": { "$sum": 1_i64 } };
        let mut days = self.messages.aggregate([doc! { "$match": history }, doc! { "$group": by_day }]).await?;
        let mut found = HashMap::new();
        while let Some(day) = days.try_next().await? {
            let messages = day.get_i64("messages").ok().and_then(|number| u64::try_from(number).ok());
            found.insert(day.get_str("_id").unwrap_or_default().to_owned(), messages.unwrap_or_default());
        }
        Ok(found)
    }
}
