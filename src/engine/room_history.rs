//! The history of rooms, as Rocket.Chat's clients see it, beside what the receipts of an import say of it.

use std::{future::ready, pin::pin};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::{
    domain::room_history::{HistoryCheck, MissingMessages},
    repository::{Repositories, RepositoryError, RoomReceipt},
};

/// Rooms whose histories are read at once.
const ROOMS_AT_ONCE: usize = 2;

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
    let places = receipts.messages(operation, 0, 0).await?.try_filter(|place| ready(place.in_history > 0));
    let histories = by_room(places).map_ok(async |places: Vec<RoomReceipt>| {
        let room = places.first().map_or("", |place| &place.room);
        let days = messages.history_by_day(room, &hidden_types).await?;
        Ok((places, days))
    });
    let mut histories = pin!(histories.try_buffered(ROOMS_AT_ONCE));
    let mut compared = HistoryCheck::default();
    while let Some((places, days)) = histories.try_next().await? {
        compared.rooms += 1;
        for place in places {
            let imported = u64::try_from(place.in_history).unwrap_or_default();
            let in_history = days.get(&place.day).copied().unwrap_or_default();
            compared.messages += imported;
            if in_history < imported {
                let missing = MissingMessages { room: place.room, day: place.day, imported, in_history };
                lacking(&missing);
                compared.add(missing);
            }
        }
    }
    Ok(compared)
}

/// The places of one room after the other.
fn by_room(
    places: impl Stream<Item = Result<RoomReceipt, RepositoryError>>,
) -> impl Stream<Item = Result<Vec<RoomReceipt>, RepositoryError>> {
    stream::try_unfold(Box::pin(places.peekable()), |mut places| async move {
        let Some(first) = places.try_next().await? else { return Ok(None) };
        let mut of_room = vec![first];
        let is_next = |place: &Result<RoomReceipt, RepositoryError>, room: &str| {
            place.as_ref().is_ok_and(|place| place.room == room)
        };
        while let Some(next) = places.as_mut().next_if(|next| is_next(next, &of_room[0].room)).await {
            of_room.push(next?);
        }
        Ok(Some((of_room, places)))
    })
}
