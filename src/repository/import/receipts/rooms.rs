//! The messages of a batch, by room and day.

use std::collections::BTreeMap;

use bson::{DateTime, Document, doc};
use futures::{Stream, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::{Receipts, of_operation};
use crate::{
    domain::field_value::Date,
    repository::{
        RepositoryError,
        bson::numbers::{signed, unsigned},
    },
};

/// The messages of one batch in one room on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomReceipt {
    /// The `_id` of the room.
    pub room: String,
    /// The day in UTC, as in `2024-01-31`.
    pub day: String,
    #[serde(default)]
    pub created: i64,
    #[serde(default)]
    pub updated: i64,
    #[serde(default)]
    pub same: i64,
    /// The new messages that the room's history holds.
    #[serde(default)]
    pub in_history: i64,
    /// The last of the new messages that the room itself shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastMessage>,
}

/// A message that may be the last one of its room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastMessage {
    #[serde(rename = "_id")]
    pub id: String,
    ts: DateTime,
}

/// A room that new accounts of one batch joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedRoom {
    /// The `_id` of the room.
    pub room: String,
    pub people: i64,
}

impl LastMessage {
    pub fn new(id: String, ts: Date) -> Self {
        Self { id, ts: DateTime::from_millis(ts.epoch_millis()) }
    }

    pub fn ts(&self) -> Date {
        Date::from_epoch_millis(self.ts.timestamp_millis())
    }
}

impl Receipts {
    /// Returns the messages of the operation by room and day, in the order of rooms and days; `limit` 0 is none.
    ///
    /// # Errors
    /// As for every read.
    pub async fn messages(
        &self,
        operation: &str,
        offset: u64,
        limit: u64,
    ) -> Result<impl Stream<Item = Result<RoomReceipt, RepositoryError>> + Send + use<>, RepositoryError> {
        let mut stages = by_room_and_day(operation);
        stages.extend([doc! { "$sort": { "_id": 1 } }, doc! { "$skip": signed(offset) }]);
        if limit > 0 {
            stages.push(doc! { "$limit": signed(limit) });
        }
        let places = self.receipts.clone_with_type::<Document>();
        let shown = doc! {
            "_id": 0, "room": "$_id.room", "day": "$_id.day", "created": 1, "updated": 1, "same": 1, "in_history": 1,
        };
        stages.push(doc! { "$project": shown });
        let places = places.aggregate(stages).allow_disk_use(true).with_type::<RoomReceipt>().await?;
        Ok(places.map_err(RepositoryError::from))
    }

    /// Returns how many new accounts of the operation joined each room, and how many came without a password.
    ///
    /// # Errors
    /// As for every read.
    pub async fn newcomers(&self, operation: &str) -> Result<(BTreeMap<String, u64>, u64), RepositoryError> {
        let shown = doc! { "joined": 1, "withoutPassword": 1 };
        let receipts = self.receipts.clone_with_type::<Document>();
        let mut receipts = receipts.find(of_operation(operation)).projection(shown).await?;
        let (mut joined, mut without_password) = (BTreeMap::new(), 0);
        while let Some(receipt) = receipts.try_next().await? {
            without_password += unsigned(receipt.get("withoutPassword"));
            for room in receipt.get_array("joined").into_iter().flatten().filter_map(bson::Bson::as_document) {
                let id = room.get_str("room").unwrap_or_default().to_owned();
                *joined.entry(id).or_default() += unsigned(room.get("people"));
            }
        }
        Ok((joined, without_password))
    }

    /// Returns in how many rooms and on how many of their days the operation has messages.
    pub async fn count_places(&self, operation: &str) -> Result<u64, RepositoryError> {
        let mut stages = by_room_and_day(operation);
        stages.push(doc! { "$count": "places" });
        let receipts = self.receipts.clone_with_type::<Document>();
        let counted = receipts.aggregate(stages).allow_disk_use(true).await?.try_next().await?;
        Ok(counted.map_or(0, |counted| unsigned(counted.get("places"))))
    }
}

fn by_room_and_day(operation: &str) -> Vec<Document> {
    let mut place = doc! { "_id": { "room": "$rooms.room", "day": "$rooms.day" } };
    for field in ["created", "updated", "same", "in_history"] {
        place.insert(field, doc! { "$sum": format!("$rooms.{field}") });
    }
    vec![doc! { "$match": of_operation(operation) }, doc! { "$unwind": "$rooms" }, doc! { "$group": place }]
}
