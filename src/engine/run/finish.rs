//! The end of a run with messages: the numbers and the last messages of rooms. It may be repeated.

use std::{collections::HashMap, pin::pin};

use futures::{TryStreamExt as _, future::try_join_all};

use crate::{
    domain::{
        document::{room_match::StoredRoom, subscription::subscription_id},
        field_value::Fields,
        operation::Operation,
        receipt::Outcome,
        record_type::RecordType,
        room_history::{HistoryCheck, MissingMessages},
        state::State,
    },
    engine::{convert::is_direct, room_history::compare_history},
    repository::{JoinedRoom, LastMessage, Repositories, RepositoryError, RoomGrowth, RoomNote, with_default_timeout},
};

/// Rooms whose marks are taken off together.
const ROOMS_AT_A_TIME: usize = 100;
/// Rooms that are changed at once.
const ROOMS_AT_ONCE: usize = 8;
/// Subscriptions that one query counts.
const SUBSCRIPTIONS_AT_A_TIME: usize = 1000;
/// Days that the log names.
const LOGGED_DAYS: usize = 20;
/// Operations that one goes on with, at most, one after the other.
const MOST_PREDECESSORS: usize = 1000;

/// What an operation did in one room.
#[derive(Debug, Default)]
struct Added {
    messages: u64,
    /// New accounts that joined it.
    joined: u64,
    last: Option<LastMessage>,
}

/// Brings the rooms of the operation up to date, and those of the operations that it goes on with, which never came to
/// their ends.
pub(super) async fn finish(
    repositories: &Repositories,
    operation: &Operation,
    root: &str,
) -> Result<(), RepositoryError> {
    let mut ids = vec![operation.id().unwrap_or_default().to_owned()];
    let mut resumed = operation.resumes().map(str::to_owned);
    while let Some(id) = resumed.filter(|_| ids.len() < MOST_PREDECESSORS) {
        let before = repositories.imports.find(&id).await?;
        if before.as_ref().is_some_and(|before| before.state() == Some(State::Done)) {
            break;
        }
        resumed = before.as_ref().and_then(Operation::resumes).map(str::to_owned);
        ids.push(id);
    }
    for id in ids {
        finish_rooms(repositories, &id, root).await?;
        check_history(repositories, &id).await?;
    }
    Ok(())
}

/// Counts the people whom a run of users let into channels, once. It may be repeated.
pub(super) async fn count_newcomers(
    repositories: &Repositories,
    operation: &str,
    root: &str,
) -> Result<(), RepositoryError> {
    let (joined, _) = repositories.receipts.newcomers(operation).await?;
    let added = joined.into_iter().map(|(room, joined)| (room, Added { joined, ..Added::default() })).collect();
    grow_rooms(repositories, operation, root, &added).await
}

/// Notes for the account, and says in the log, whether clients find what was imported.
async fn check_history(repositories: &Repositories, operation: &str) -> Result<(), RepositoryError> {
    let check = compare_history(repositories, operation, |_| ()).await?;
    repositories.receipts.note_history(operation, &check).await?;
    let HistoryCheck { rooms, messages, days, missing } = check;
    for MissingMessages { room, day, imported, in_history } in missing.iter().take(LOGGED_DAYS) {
        log::warn!(
            "operation {operation}: the history of room {room} holds {in_history} messages of {day}, {imported} were imported"
        );
    }
    log::info!(
        "operation {operation}: {messages} messages looked for in the history of {rooms} rooms, {days} days lack some"
    );
    Ok(())
}

async fn finish_rooms(repositories: &Repositories, operation: &str, root: &str) -> Result<(), RepositoryError> {
    let added = added(repositories, operation).await?;
    grow_rooms(repositories, operation, root, &added).await
}

async fn grow_rooms(
    repositories: &Repositories,
    operation: &str,
    root: &str,
    added: &HashMap<String, Added>,
) -> Result<(), RepositoryError> {
    if added.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = added.keys().map(String::as_str).collect();
    if !repositories.receipts.are_rooms_counted(operation).await? {
        let keeps_last_message = repositories.settings.stores_last_message().await?;
        let finishing = Finishing { repositories, operation, root, keeps_last_message };
        for ids in ids.chunks(ROOMS_AT_ONCE) {
            let rooms = repositories.rooms.of(ids).await?;
            let mut work = Vec::with_capacity(rooms.len());
            for (id, room) in &rooms {
                if let Some(added) = added.get(id) {
                    work.push(finishing.room(id, room, added));
                }
            }
            try_join_all(work).await?;
        }
        repositories.receipts.note_rooms_counted(operation).await?;
    }
    for ids in ids.chunks(ROOMS_AT_A_TIME) {
        repositories.rooms.end_growth(ids, operation).await?;
    }
    Ok(())
}

struct Finishing<'a> {
    repositories: &'a Repositories,
    operation: &'a str,
    root: &'a str,
    keeps_last_message: bool,
}

impl Finishing<'_> {
    async fn room(&self, id: &str, room: &Fields, added: &Added) -> Result<(), RepositoryError> {
        let Repositories { messages, room_notes, rooms, subscriptions, .. } = self.repositories;
        let note = room_notes.find(id).await?.filter(RoomNote::is_of_made_room);
        let people = match &note {
            Some(_) => Some(subscriptions.count(id).await?),
            None => None,
        };
        let last = match &added.last {
            Some(last) => messages.of(&[&last.id]).await?.remove(&last.id).map(|message| (last.ts(), message)),
            None => None,
        };
        // People of a room that an import made are counted anew.
        let joined = if people.is_some() { 0 } else { added.joined };
        let growth = RoomGrowth { messages: added.messages, people, joined, last };
        rooms.grow(id, self.operation, &growth, self.keeps_last_message).await?;
        // In a room that was there, people have opened or closed it themselves.
        let is_made_now = note.is_some_and(|note| note.made_by == self.root);
        if is_made_now && added.messages > 0 && is_direct(room) {
            subscriptions.open(id).await?;
        }
        Ok(())
    }
}

/// What the receipts of the operation say of each room.
async fn added(repositories: &Repositories, operation: &str) -> Result<HashMap<String, Added>, RepositoryError> {
    let mut receipts = pin!(with_default_timeout(repositories.receipts.of_operation(operation)).await?);
    let mut rooms: HashMap<String, Added> = HashMap::new();
    let mut accounts = Vec::new();
    while let Some(receipt) = with_default_timeout(receipts.try_next()).await? {
        for JoinedRoom { room, people } in receipt.joined.iter().flatten() {
            rooms.entry(room.clone()).or_default().joined += u64::try_from(*people).unwrap_or_default();
        }
        // A release before this one left it to the end to count.
        if receipt.record_type == RecordType::User && receipt.joined.is_none() {
            let created = receipt.records.iter().filter(|record| record.outcome == Outcome::Created);
            accounts.extend(created.filter_map(|record| record.became.clone()));
        }
        if receipt.record_type == RecordType::Channel {
            for room in receipt.records.into_iter().filter(|record| record.reason.is_none()) {
                rooms.entry(room.became.unwrap_or_default()).or_default();
            }
        }
        for room in receipt.rooms {
            let added = rooms.entry(room.room).or_default();
            added.messages += u64::try_from(room.created).unwrap_or_default();
            let is_later = |last: &LastMessage| added.last.as_ref().is_none_or(|known| known.ts() <= last.ts());
            if let Some(last) = room.last.filter(is_later) {
                added.last = Some(last);
            }
        }
    }
    let defaults = if accounts.is_empty() { Vec::new() } else { repositories.rooms.defaults().await? };
    for room in defaults {
        let id = StoredRoom::new(&room).id().to_owned();
        for accounts in accounts.chunks(SUBSCRIPTIONS_AT_A_TIME) {
            let ids: Vec<String> = accounts.iter().map(|account| subscription_id(&id, account)).collect();
            let joined = repositories.subscriptions.count_of(&ids).await?;
            if joined > 0 {
                rooms.entry(id.clone()).or_default().joined += joined;
            }
        }
    }
    Ok(rooms)
}
