//! The history of rooms, as Rocket.Chat's clients see it, beside what the receipts of an import say of it.

use std::{collections::HashMap, pin::pin};

use futures::TryStreamExt as _;

use crate::repository::{Repositories, RepositoryError};

/// A day of a room on which the history holds fewer messages than an import brought there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingMessages {
    /// The `_id` of the room.
    pub(crate) room: String,
    pub(crate) day: String,
    /// New messages of the import that the history is to hold.
    pub(crate) imported: u64,
    pub(crate) in_history: u64,
}

/// What the histories were compared with.
#[derive(Debug, Default)]
pub(crate) struct ComparedHistory {
    pub(crate) rooms: u64,
    pub(crate) messages: u64,
    pub(crate) missing: Vec<MissingMessages>,
}

/// Asks for each room of the operation's receipts Rocket.Chat's own history query.
///
/// # Errors
/// As for every read.
pub(crate) async fn compare_history(
    repositories: &Repositories,
    operation: &str,
) -> Result<ComparedHistory, RepositoryError> {
    let Repositories { messages, receipts, settings, .. } = repositories;
    let hidden_types = settings.hidden_types().await?;
    let mut compared = ComparedHistory::default();
    let mut places = pin!(receipts.messages(operation, 0, 0).await?);
    let mut current: Option<(String, HashMap<String, u64>)> = None;
    while let Some(place) = places.try_next().await? {
        let imported = u64::try_from(place.in_history).unwrap_or_default();
        if imported == 0 {
            continue;
        }
        let days = if let Some((_, days)) = current.take().filter(|(room, _)| *room == place.room) {
            days
        } else {
            compared.rooms += 1;
            messages.history_by_day(&place.room, &hidden_types).await?
        };
        let in_history = days.get(&place.day).copied().unwrap_or_default();
        compared.messages += imported;
        if in_history < imported {
            let (room, day) = (place.room.clone(), place.day);
            compared.missing.push(MissingMessages { room, day, imported, in_history });
        }
        current = Some((place.room, days));
    }
    Ok(compared)
}
