//! Memberships of new accounts: in the default channels, and in those that their records name.
//!
//! Only an account that this very record made joins anything. So the same file on the next night adds nobody again who has
//! left a channel meanwhile. The `_id` of a membership follows from room and account: done again, it meets itself.

use std::collections::{BTreeMap, HashMap};

use super::ReadyUser;
use crate::{
    domain::{
        document::{
            Person,
            account::PLACEHOLDER,
            room_match::StoredRoom,
            subscription::{Part, room_subscription},
        },
        field_value::{Date, Fields},
        receipt::Outcome,
        staged::StagedUser,
    },
    engine::convert::Stored,
    repository::{JoinedPeople, Joining, People, Repositories, RepositoryError, Rooms, Subscriptions},
};

/// Lets new accounts join channels.
#[derive(Debug)]
pub(in crate::engine) struct Memberships {
    /// The channels that every new account joins.
    defaults: Vec<Fields>,
    people: People,
    rooms: Rooms,
    subscriptions: Subscriptions,
}

/// The sentence about `channels` with a value that cannot be read.
pub(super) const UNREADABLE: &str = "channels must be a list of names of channels: what is none is passed over.";

/// The channels that records name, by these names, or why nobody joins one of them.
type NamedChannels = HashMap<String, Result<Fields, String>>;

impl Memberships {
    /// Reads the default channels if new accounts join them.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn new(
        repositories: &Repositories,
        joins_default_channels: bool,
    ) -> Result<Self, RepositoryError> {
        let defaults = if joins_default_channels { repositories.rooms.defaults().await? } else { Vec::new() };
        Ok(Self { defaults, ..Self::of_records(repositories) })
    }

    /// Those that records name, and no others.
    pub(in crate::engine) fn of_records(repositories: &Repositories) -> Self {
        let Repositories { people, rooms, subscriptions, .. } = repositories;
        Self {
            defaults: Vec::new(),
            people: people.clone(),
            rooms: rooms.clone(),
            subscriptions: subscriptions.clone(),
        }
    }

    /// The `_id`s of the channels that every new account joins.
    pub(super) fn default_ids(&self) -> Vec<&str> {
        self.defaults.iter().map(|room| StoredRoom::new(room).id()).collect()
    }

    /// Finds the channels of these names.
    pub(super) async fn named(&self, names: &[&str]) -> Result<NamedChannels, RepositoryError> {
        if names.is_empty() {
            return Ok(NamedChannels::new());
        }
        let rooms = self.rooms.called(names).await?;
        let rooms: Vec<StoredRoom<'_>> = rooms.iter().map(StoredRoom::new).collect();
        Ok(names.iter().map(|name| ((*name).to_owned(), meant(&rooms, name))).collect())
    }

    /// Lets those of the users who got a new account join their channels, and notes it in what became of them.
    ///
    /// # Errors
    /// Some may have joined all the same; done again, it comes to the same.
    pub(super) async fn join(
        &self,
        users: &[&ReadyUser],
        outcomes: &mut [Result<Stored, String>],
    ) -> Result<(), RepositoryError> {
        let is_new =
            |outcome: &Result<Stored, String>| outcome.as_ref().is_ok_and(|stored| stored.outcome == Outcome::Created);
        let new: Vec<usize> = (0..users.len()).filter(|position| is_new(&outcomes[*position])).collect();
        let channels_of = |position: usize| StagedUser::new(&users[position].record).channels();
        let mut names: Vec<&str> = new.iter().flat_map(|position| channels_of(*position)).collect();
        names.sort_unstable();
        names.dedup();
        let is_unreadable = |position: &usize| StagedUser::new(&users[*position].record).has_unreadable_channels();
        for position in new.iter().filter(|position| is_unreadable(position)) {
            add_note(&mut outcomes[*position], UNREADABLE);
        }
        if new.is_empty() || (self.defaults.is_empty() && names.is_empty()) {
            return Ok(());
        }
        let channels = self.named(&names).await?;
        let ids = new.iter().filter_map(|position| Some(outcomes[*position].as_ref().ok()?.became.clone()));
        let ids: Vec<String> = ids.collect();
        let people = self.people.newcomers(&ids.iter().map(String::as_str).collect::<Vec<_>>(), PLACEHOLDER).await?;
        let people: HashMap<&str, &Person> = people.iter().map(|person| (person.id.as_str(), person)).collect();
        let (mut joining, mut notes) = (Channels::default(), Vec::new());
        for (position, id) in new.iter().copied().zip(&ids) {
            let Some(person) = people.get(id.as_str()) else { continue };
            if person.username.is_none() {
                // Rocket.Chat lets such a person join the default channels when he chooses a name.
                if channels_of(position).next().is_some() {
                    notes.push((position, "Nobody joins a channel without a user name.".to_owned()));
                }
                continue;
            }
            self.defaults.iter().for_each(|room| joining.add(room, position, person));
            for name in channels_of(position) {
                match channels.get(name) {
                    Some(Ok(room)) => joining.add(room, position, person),
                    Some(Err(reason)) => notes.push((position, reason.clone())),
                    None => {}
                }
            }
        }
        for (id, Channel { room, people }) in joining.0 {
            self.join_one(&id, room, &people, outcomes, &mut notes).await?;
        }
        for (position, note) in notes {
            add_note(&mut outcomes[position], &note);
        }
        Ok(())
    }

    async fn join_one(
        &self,
        id: &str,
        room: &Fields,
        people: &BTreeMap<usize, &Person>,
        outcomes: &mut [Result<Stored, String>],
        notes: &mut Vec<(usize, String)>,
    ) -> Result<(), RepositoryError> {
        let now = Date::now();
        let documents: Vec<Fields> =
            people.values().map(|person| room_subscription(room, person, Part::Newcomer, now)).collect();
        let joined = self.subscriptions.join(&documents.iter().collect::<Vec<_>>()).await?;
        let mut members = Vec::with_capacity(people.len());
        for ((position, person), joined) in people.iter().zip(joined) {
            match joined {
                Joining::Joined => {
                    members.push(person.id.as_str());
                    if let Ok(stored) = &mut outcomes[*position] {
                        stored.joined.push(id.to_owned());
                    }
                }
                Joining::WasThere => {}
                Joining::Refused(reason) => notes.push((*position, format!("The channel {id}: {reason}"))),
            }
        }
        self.people.add_rooms(&[JoinedPeople { room: id, people: members, owner: None }]).await
    }
}

fn add_note(outcome: &mut Result<Stored, String>, note: &str) {
    if let Ok(stored) = outcome {
        stored.note = Some(stored.note.take().map_or(note.to_owned(), |before| format!("{before} {note}")));
    }
}

/// Channels with those who join them, by the channels' `_id`s.
#[derive(Default)]
struct Channels<'a>(BTreeMap<String, Channel<'a>>);

struct Channel<'a> {
    room: &'a Fields,
    /// By the positions of their records.
    people: BTreeMap<usize, &'a Person>,
}

impl<'a> Channels<'a> {
    fn add(&mut self, room: &'a Fields, position: usize, person: &'a Person) {
        let channel = self.0.entry(StoredRoom::new(room).id().to_owned());
        channel.or_insert_with(|| Channel { room, people: BTreeMap::new() }).people.insert(position, person);
    }
}

/// The room that is meant by a name: its name in addresses goes before the one that is shown.
fn meant(rooms: &[StoredRoom<'_>], name: &str) -> Result<Fields, String> {
    let by_name = rooms.iter().find(|room| room.has_name(name));
    let mut shown = rooms.iter().filter(|room| room.is_named(name));
    let room = match (by_name, shown.next(), shown.next()) {
        (Some(room), ..) | (None, Some(room), None) => room,
        (None, Some(_), Some(_)) => return Err(format!("Several channels are shown as {name}.")),
        (None, None, _) => return Err(format!("There is no channel {name}.")),
    };
    match room.refuses_members() {
        Some(reason) => Err(format!("The channel {name} {reason}.")),
        None => Ok(room.fields().clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field_value::FieldValue;

    fn room(id: &str, name: &str, shown: &str, more: &[(&str, FieldValue)]) -> Fields {
        let text = |text: &str| FieldValue::Text(text.into());
        let fields = [("_id", text(id)), ("name", text(name)), ("fname", text(shown)), ("t", text("c"))];
        fields.into_iter().chain(more.iter().cloned()).collect()
    }

    #[test]
    fn a_channel_is_meant_by_its_own_name_before_others_that_are_shown_so() {
        let yes = FieldValue::Boolean(true);
        let documents = [
            room("1", "sales", "Sales", &[]),
            room("2", "sales-2", "sales", &[]),
            room("3", "a", "Two", &[]),
            room("4", "b", "Two", &[]),
            room("5", "far", "far", &[("federated", yes.clone())]),
            room("6", "team", "team", &[("teamMain", yes)]),
        ];
        let rooms: Vec<StoredRoom<'_>> = documents.iter().map(StoredRoom::new).collect();
        let found = |name| meant(&rooms, name).map(|room| StoredRoom::new(&room).id().to_owned());
        assert_eq!(found("sales").as_deref(), Ok("1"));
        assert_eq!(found("Sales").as_deref(), Ok("1"));
        for (name, told) in [
            ("Two", "Several channels are shown as Two."),
            ("none", "There is no channel none."),
            ("far", "The channel far is shared with other servers."),
            ("team", "The channel team is the main channel of a team, which people join by the team."),
        ] {
            assert_eq!(found(name).unwrap_err(), told);
        }
    }
}
