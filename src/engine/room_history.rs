//! The history of rooms, as Rocket.Chat's clients see it, beside what the receipts of an import say of it.

use std::{collections::HashMap, pin::pin};

use futures::TryStreamExt as _;

use crate::{
    domain::room_history::{HistoryCheck, MissingMessages},
    repository::{Repositories, RepositoryError},
};

/// Asks for each room of the operation's receipts Rocket.Chat's own history query. Each day that lacks messages goes to
/// `lacking`, too.
///
/// # Errors
/// As for every read.
pub(crate) async fn compare_history(
    repositories: &Repositories,
    operation: &str,
    mut lacking: impl FnMut(&MissingMessages),
) -> Result<HistoryCheck, RepositoryError> {
    let Repositories { messages, receipts, settings, .. } = repositories;
    let hidden_types = settings.hidden_types().await?;
    let mut compared = HistoryCheck::default();
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
            let missing = MissingMessages { room, day, imported, in_history };
            lacking(&missing);
            compared.add(missing);
        }
        current = Some((place.room, days));
    }
    Ok(compared)
}
