//! People join the rooms that imports make.

use std::collections::HashSet;

use crate::{
    domain::{
        document::{
            Person,
            room::{Members, joining},
            subscription::{Part, direct_subscription, room_subscription},
        },
        field_value::{Date, Fields},
        staged::ChannelType,
    },
    repository::{Repositories, RepositoryError, RoomNote},
};

/// A room that an import made, and everybody who belongs into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomToJoin<'a> {
    pub(super) room: &'a Fields,
    /// Its `_id`.
    pub(super) id: &'a str,
    pub(super) kind: ChannelType,
    pub(super) members: &'a Members<'a>,
    pub(super) note: &'a RoomNote,
}

/// Lets the members join who are not in the room and have not joined it by an import before. Done again, it changes
/// nothing.
///
/// # Errors
/// Some may have joined all the same. The text says why the database refused somebody.
pub(super) async fn join(
    repositories: &Repositories,
    to_join: RoomToJoin<'_>,
) -> Result<Result<(), String>, RepositoryError> {
    let RoomToJoin { room, id, kind, members, note } = to_join;
    let ids: Vec<&str> = members.people.iter().map(|person| person.id.as_str()).collect();
    let present: HashSet<String> = repositories.subscriptions.members(id, &ids).await?;
    let new = joining(members, |person| present.contains(person), |person| note.joined.contains(person));
    let now = Date::now();
    let owner = members.owner.map(|owner| owner.id.as_str());
    let subscription = |person: &Person| match kind {
        ChannelType::DirectMessage => direct_subscription(id, person, &members.people, now),
        ChannelType::Channel | ChannelType::PrivateGroup => {
            let part = if owner == Some(&person.id) { Part::Owner } else { Part::Member };
            room_subscription(room, person, part, now)
        }
    };
    let subscriptions: Vec<Fields> = new.iter().map(|person| subscription(person)).collect();
    let subscriptions: Vec<&Fields> = subscriptions.iter().collect();
    if let Some(reason) = repositories.subscriptions.insert(&subscriptions).await? {
        return Ok(Err(reason));
    }
    // Those who came in by an attempt before as well: it may have ended right here.
    let joined: Vec<&str> = ids.iter().copied().filter(|person| !note.joined.contains(*person)).collect();
    if kind != ChannelType::DirectMessage && !joined.is_empty() {
        let owner = owner.filter(|owner| joined.contains(owner));
        repositories.people.add_room(id, &joined, owner).await?;
    }
    repositories.room_notes.add_joined(id, &joined).await?;
    Ok(Ok(()))
}
