//! What a run found of its messages in the histories of rooms, as its end has noted it.

use bson::{DateTime, Document, doc};

use super::{Receipts, expiry};
use crate::{
    domain::room_history::{HistoryCheck, MissingMessages},
    repository::{
        RepositoryError,
        bson::numbers::{signed, unsigned},
    },
};

impl Receipts {
    /// Notes what was found in the histories of the operation's rooms, in place of what was noted before.
    ///
    /// # Errors
    /// It may be noted all the same.
    pub async fn note_history(&self, operation: &str, check: &HistoryCheck) -> Result<(), RepositoryError> {
        let id = history_id(operation);
        let missing = check.missing.iter().map(|missing| {
            doc! {
                "room": &missing.room,
                "day": &missing.day,
                "imported": signed(missing.imported),
                "inHistory": signed(missing.in_history),
            }
        });
        let at = DateTime::now();
        let note = doc! {
            "_id": &id,
            "rooms": signed(check.rooms),
            "messages": signed(check.messages),
            "days": signed(check.days),
            "missing": missing.collect::<Vec<_>>(),
            "at": at,
            "expires": expiry(at, self.lifetime),
        };
        let notes = self.receipts.clone_with_type::<Document>();
        notes.replace_one(doc! { "_id": id }, note).upsert(true).await?;
        Ok(())
    }

    /// Returns what was found in the histories of the operation's rooms; `None` if it did not come to its end.
    ///
    /// # Errors
    /// As for every read.
    pub async fn history(&self, operation: &str) -> Result<Option<HistoryCheck>, RepositoryError> {
        let notes = self.receipts.clone_with_type::<Document>();
        let note = notes.find_one(doc! { "_id": history_id(operation) }).await?;
        Ok(note.as_ref().map(check_of))
    }
}

fn check_of(note: &Document) -> HistoryCheck {
    let number = |name: &str| unsigned(note.get(name));
    let missing = note.get_array("missing").into_iter().flatten().filter_map(bson::Bson::as_document);
    let missing = missing.map(|missing| MissingMessages {
        room: missing.get_str("room").unwrap_or_default().to_owned(),
        day: missing.get_str("day").unwrap_or_default().to_owned(),
        imported: unsigned(missing.get("imported")),
        in_history: unsigned(missing.get("inHistory")),
    });
    HistoryCheck {
        rooms: number("rooms"),
        messages: number("messages"),
        days: number("days"),
        missing: missing.collect(),
    }
}

/// Not among the ids of batches.
fn history_id(operation: &str) -> String {
    format!("{operation}#history")
}
