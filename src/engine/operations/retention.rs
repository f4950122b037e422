//! Messages that the workspace would remove as soon as they are imported.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures::TryStreamExt as _;

use super::{Operations, Refusal};
use crate::{
    domain::{
        document::{
            room_match::{StoredRoom, existing_room},
            room_names::RoomNames,
        },
        field_value::{Date, Fields},
        retention::{OldestMessages, Retention, RoomRetention, before},
        selection::{LeftOutRooms, Selection},
        staged::{ChannelType, StagedChannel},
    },
    repository::{Repositories, RepositoryError, Rooms, RoomsWanted, StagedView, with_default_timeout, with_timeout},
};

/// How long old messages are looked for among all that are staged.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rooms that are looked up together.
const ROOMS_AT_A_TIME: usize = 500;

impl Operations {
    /// Refuses messages that are older than the workspace keeps any in their room. Rooms that the selection leaves out do
    /// not count.
    ///
    /// # Errors
    /// With that reason, or when the database does not answer.
    pub(super) async fn require_that_messages_stay(
        &self,
        root: &str,
        selection: Option<&Selection>,
    ) -> Result<(), Refusal> {
        let Repositories { settings, rooms, staged_view, .. } = self.repositories();
        let Some(policy) = with_default_timeout(settings.retention()).await? else { return Ok(()) };
        let of_rooms = with_default_timeout(rooms.shortest_retention()).await?;
        let Some(shortest) = policy.shortest().into_iter().chain(of_rooms).min() else { return Ok(()) };
        let now = Date::now();
        let kept = with_timeout(PATIENCE, async {
            let staged = StagedRooms::read(staged_view, root, selection).await?;
            let check = Check { policy, now, rooms, staged };
            let oldest = staged_view.oldest_messages(root, before(now, shortest)).await?;
            let mut oldest = Box::pin(oldest.try_chunks(ROOMS_AT_A_TIME));
            let mut kept = None;
            while let Some(oldest) = oldest.try_next().await.map_err(|error| error.1)? {
                kept = check.shortest_that_removes(&oldest).await?.into_iter().chain(kept).min();
            }
            Ok(kept)
        });
        kept.await?.map_or(Ok(()), |kept| Err(Refusal::Retention { kept }))
    }
}

/// The staged rooms.
#[derive(Debug, Default)]
struct StagedRooms {
    /// Those that are imported, by their import ids.
    taken: HashMap<String, Arc<Fields>>,
    left_out: LeftOutRooms,
}

impl StagedRooms {
    async fn read(
        staged_view: &StagedView,
        root: &str,
        selection: Option<&Selection>,
    ) -> Result<Self, RepositoryError> {
        let mut records = Box::pin(staged_view.rooms(root).await?);
        let mut rooms = Self::default();
        while let Some(data) = records.try_next().await? {
            let data = Arc::new(data);
            let staged = StagedChannel::new(&data);
            if selection.is_none_or(|selection| selection.takes_channel(staged)) {
                for id in staged.import_ids() {
                    // A later record with the same id fails.
                    rooms.taken.entry(id.to_owned()).or_insert_with(|| Arc::clone(&data));
                }
            } else {
                rooms.left_out.add(staged);
            }
        }
        Ok(rooms)
    }

    fn get(&self, import_id: &str) -> Option<StagedChannel<'_>> {
        self.taken.get(import_id).map(|data| StagedChannel::new(data))
    }
}

/// Finds the rooms of messages, and how long they keep them.
struct Check<'a> {
    policy: Retention,
    now: Date,
    rooms: &'a Rooms,
    staged: StagedRooms,
}

impl Check<'_> {
    /// The shortest time that messages stay in those of these rooms that would lose some; `None` if none would.
    async fn shortest_that_removes(&self, oldest: &[OldestMessages]) -> Result<Option<TimeDelta>, RepositoryError> {
        let (mut wanted, mut unlisted) = (RoomsWanted::default(), Vec::new());
        for OldestMessages { room, .. } in oldest {
            if let Some(staged) = self.staged.get(room) {
                wanted.import_ids.extend(staged.import_ids().map(str::to_owned));
                if staged.kind() != Some(ChannelType::DirectMessage) {
                    wanted.names.extend(staged.name().map(RoomNames::existing_names).unwrap_or_default());
                }
            } else if !self.staged.left_out.has(room) {
                unlisted.push(room.as_str());
            }
        }
        let candidates = self.rooms.candidates(&wanted).await?;
        let candidates: Vec<StoredRoom<'_>> = candidates.iter().map(StoredRoom::new).collect();
        let named = self.rooms.named(&unlisted).await?;
        let named: Vec<StoredRoom<'_>> = named.iter().map(StoredRoom::new).collect();
        let retention = |room: &str| match self.staged.get(room) {
            Some(staged) => self.of_staged(staged, &candidates),
            None if self.staged.left_out.has(room) => None,
            None => self.of_unlisted(room, &named),
        };
        let removing = oldest.iter().filter_map(|oldest| {
            let retention = retention(&oldest.room)?;
            retention.removes(oldest, self.now).then_some(retention.kept)
        });
        Ok(removing.min())
    }

    /// How messages are removed from the room that a staged one becomes.
    fn of_staged(&self, staged: StagedChannel<'_>, candidates: &[StoredRoom<'_>]) -> Option<RoomRetention> {
        let kind = staged.kind()?;
        let found = if kind == ChannelType::DirectMessage {
            // Its people may have no account yet, so that an import id is all to know it by.
            let is_same = |room: &&StoredRoom<'_>| {
                room.kind() == Some(kind) && staged.import_ids().any(|id| room.has_import_id(id))
            };
            candidates.iter().find(is_same).copied()
        } else {
            existing_room(staged, &[], candidates).map(|(room, _)| room)
        };
        found.map_or_else(|| self.policy.of_kind(kind), |room| self.policy.of_room(room.fields()))
    }

    /// How messages are removed from the room that they name without any staged one. A run finds it by the same.
    fn of_unlisted(&self, name: &str, rooms: &[StoredRoom<'_>]) -> Option<RoomRetention> {
        let by_import_id = rooms.iter().find(|room| room.has_import_id(name));
        let found = by_import_id.or_else(|| rooms.iter().find(|room| room.is_plainly_called(name)))?;
        self.policy.of_room(found.fields())
    }
}

/// A number of days for a person to read.
pub(super) fn in_days(time: TimeDelta) -> String {
    match time.num_days() {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}
