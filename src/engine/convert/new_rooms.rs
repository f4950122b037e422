//! The new rooms of a batch, stored together where none of them has to give way to another, else one after the other.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        document::{
            room::{self, Members},
            room_names::RoomNames,
        },
        field_value::{Date, Fields},
        staged::{ChannelType, StagedChannel},
    },
    repository::{RepositoryError, RoomInserted, Rooms},
};

/// Names that are tried for a new room.
const NAME_ATTEMPTS: u32 = 10_000;

/// A staged room as it would be made.
#[derive(Debug)]
pub(super) struct NewRoom<'a> {
    pub(super) staged: StagedChannel<'a>,
    pub(super) kind: ChannelType,
    /// The `_id`.
    pub(super) id: String,
    pub(super) members: Members<'a>,
}

impl NewRoom<'_> {
    fn document(&self, names: &RoomNames, attempt: u32) -> Fields {
        let Self { staged, kind, id, members } = self;
        if *kind == ChannelType::DirectMessage {
            return room::new_direct_message(*staged, id, members, Date::now());
        }
        room::new_room(*staged, *kind, id, &names.name(self.given_name(), attempt), members, Date::now())
    }

    fn given_name(&self) -> &str {
        self.staged.name().unwrap_or_default()
    }

    /// Every value by which another room of the batch could be taken for this one, or want its name.
    fn claims(&self, names: &RoomNames) -> HashSet<String> {
        if self.kind == ChannelType::DirectMessage {
            return HashSet::from([self.id.clone()]);
        }
        let name = names.name(self.given_name(), 0);
        RoomNames::existing_names(self.given_name()).into_iter().chain([name.name, name.fname]).collect()
    }
}

/// Stores new rooms with one command, if no name is taken and no two of them could be one; by `_id` those that are there
/// then.
///
/// # Errors
/// Some may have been stored all the same.
pub(super) async fn make_together(
    rooms: &Rooms,
    names: &RoomNames,
    new: &[&NewRoom<'_>],
) -> Result<HashMap<String, Fields>, RepositoryError> {
    let mut claimed = HashSet::new();
    let is_alone = |room: &&NewRoom<'_>| room.claims(names).into_iter().all(|claim| claimed.insert(claim));
    if !new.iter().all(is_alone) {
        return Ok(HashMap::new());
    }
    let wanted: Vec<String> = new
        .iter()
        .filter(|room| room.kind != ChannelType::DirectMessage)
        .map(|room| names.name(room.given_name(), 0).name)
        .collect();
    // Where the index of names is missing, this is all that keeps them apart.
    if rooms.is_any_taken(&wanted).await? {
        return Ok(HashMap::new());
    }
    let documents: Vec<Fields> = new.iter().map(|room| room.document(names, 0)).collect();
    let inserted = rooms.insert_all(&documents.iter().collect::<Vec<_>>()).await?;
    let made = new.iter().zip(documents).zip(inserted).filter(|(_, inserted)| *inserted == RoomInserted::Inserted);
    Ok(made.map(|((room, document), _)| (room.id.clone(), document)).collect())
}

/// Stores a new room under the first name that nobody has.
pub(super) async fn make(
    rooms: &Rooms,
    names: &RoomNames,
    new: &NewRoom<'_>,
) -> Result<Result<Fields, String>, RepositoryError> {
    let mut reason = "No name is free for the room.".to_owned();
    for attempt in 0..NAME_ATTEMPTS {
        // As above.
        if new.kind != ChannelType::DirectMessage
            && rooms.is_any_taken(&[names.name(new.given_name(), attempt).name]).await?
        {
            continue;
        }
        let made = new.document(names, attempt);
        match rooms.insert_all(&[&made]).await?.pop() {
            Some(RoomInserted::Inserted) => return Ok(Ok(made)),
            Some(RoomInserted::IsThere) => {
                let there = rooms.of(&[&new.id]).await?.remove(&new.id);
                return Ok(there.ok_or_else(|| "The room was removed while it was imported.".to_owned()));
            }
            Some(RoomInserted::NameTaken) | None => {}
            Some(RoomInserted::Refused(because)) => {
                reason = because;
                break;
            }
        }
    }
    Ok(Err(reason))
}
