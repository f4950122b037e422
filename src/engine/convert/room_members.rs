//! People join the rooms that imports make.

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};

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
    repository::{JoinedPeople, Repositories, RepositoryError, RoomNote, Subscriptions},
};

/// Rooms that people join at once. Leaves room among the driver's ten connections for everybody else.
const ROOMS_AT_ONCE: usize = 4;
/// Members that rooms have whose people join together; a room alone may have more.
const JOINED_TOGETHER: usize = 10_000;

/// A room that an import made, and everybody who belongs into it.
#[derive(Debug)]
pub(super) struct RoomToJoin<'a> {
    pub(super) room: Fields,
    /// Its `_id`.
    pub(super) id: String,
    pub(super) kind: ChannelType,
    pub(super) members: Members<'a>,
    pub(super) note: RoomNote,
}

impl RoomToJoin<'_> {
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.members.people.iter().map(|person| person.id.as_str())
    }

    fn owner(&self) -> Option<&str> {
        self.members.owner.map(|owner| owner.id.as_str())
    }

    /// Everybody who joins it by this import, also by an attempt before: it may have ended right then.
    fn joined(&self) -> JoinedPeople<'_> {
        let people: Vec<&str> = self.ids().filter(|person| !self.note.joined.contains(*person)).collect();
        let owner = self.owner().filter(|owner| people.contains(owner));
        JoinedPeople { room: &self.id, people, owner }
    }

    /// Lets the members join who are not in the room and have not joined it by an import before.
    async fn subscribe(&self, subscriptions: &Subscriptions) -> Result<Result<(), String>, RepositoryError> {
        let Self { room, id, kind, members, note } = self;
        let present: HashSet<String> = subscriptions.members(id, &self.ids().collect::<Vec<_>>()).await?;
        let new = joining(members, |person| present.contains(person), |person| note.joined.contains(person));
        let now = Date::now();
        let subscription = |person: &Person| match kind {
            ChannelType::DirectMessage => direct_subscription(id, person, &members.people, now),
            ChannelType::Channel | ChannelType::PrivateGroup => {
                let part = if self.owner() == Some(&person.id) { Part::Owner } else { Part::Member };
                room_subscription(room, person, part, now)
            }
        };
        let new: Vec<Fields> = new.iter().map(|person| subscription(person)).collect();
        Ok(subscriptions.insert(&new.iter().collect::<Vec<_>>()).await?.map_or(Ok(()), Err))
    }
}

/// Lets people join their rooms. Done again, it changes nothing. For each room why the database refused somebody, if it
/// did.
///
/// # Errors
/// Some may have joined all the same.
pub(super) async fn join(
    repositories: &Repositories,
    rooms: &[RoomToJoin<'_>],
) -> Result<Vec<Result<(), String>>, RepositoryError> {
    let mut joined = Vec::with_capacity(rooms.len());
    let mut rest = rooms;
    while !rest.is_empty() {
        let (together, others) = rest.split_at(joined_together(rest));
        joined.extend(join_together(repositories, together).await?);
        rest = others;
    }
    Ok(joined)
}

/// The number of the first of these rooms that people join together.
fn joined_together(rooms: &[RoomToJoin<'_>]) -> usize {
    let people = rooms.iter().scan(0, |people, room| {
        *people += room.members.people.len();
        Some(*people)
    });
    people.take_while(|people| *people <= JOINED_TOGETHER).count().max(1)
}

async fn join_together(
    repositories: &Repositories,
    rooms: &[RoomToJoin<'_>],
) -> Result<Vec<Result<(), String>>, RepositoryError> {
    let subscribing: Vec<_> = rooms.iter().map(|room| room.subscribe(&repositories.subscriptions)).collect();
    let subscribed: Vec<Result<(), String>> = stream::iter(subscribing).buffered(ROOMS_AT_ONCE).try_collect().await?;
    let complete = || rooms.iter().zip(&subscribed).filter(|(_, subscribed)| subscribed.is_ok()).map(|(room, _)| room);
    // Direct messages are in nobody's list.
    let listed: Vec<JoinedPeople<'_>> =
        complete().filter(|room| room.kind != ChannelType::DirectMessage).map(RoomToJoin::joined).collect();
    repositories.people.add_rooms(&listed).await?;
    let joined: Vec<JoinedPeople<'_>> = complete().map(RoomToJoin::joined).collect();
    repositories.room_notes.add_joined(&joined).await?;
    Ok(subscribed)
}
