//! Staged rooms become rooms with subscriptions.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::TryStreamExt as _;

use super::{
    BatchPlan, Converter, Identity, StoreError, Stored, UniqueValue,
    lookups::PeopleLookup,
    new_rooms::{NewRoom, make, make_together},
    room_members::{RoomToJoin, join},
};
use crate::{
    domain::{
        document::{
            FieldChange, Person,
            room::{self, Members, RoomChanges, RoomError},
            room_match::{FoundBy, StoredRoom, existing_room},
            room_names::RoomNames,
            room_source::RoomSource,
        },
        field_value::{FieldValue, Fields},
        receipt::Outcome,
        record_type::RecordType,
        staged::{ChannelType, StagedChannel},
    },
    repository::{ChangedField, PlannedChange, Repositories, RepositoryError, RoomNote, RoomsWanted, StagedId},
};

const ARCHIVED: &str = "archived";

/// Makes a room of each staged one, or links the one that is there.
#[derive(Debug)]
pub(in crate::engine) struct Rooms {
    repositories: Repositories,
    root: String,
    importer: String,
    /// The person who imports.
    importing: Person,
    names: RoomNames,
    people: PeopleLookup,
    /// The first record of each import id that several records have.
    first_records: HashMap<String, StagedId>,
}

/// A staged room with the id of its record.
#[derive(Debug)]
pub(in crate::engine) struct ReadRoom {
    record: StagedId,
    data: Fields,
}

type Result<T> = std::result::Result<T, RepositoryError>;
type Storing<T> = std::result::Result<T, StoreError>;
/// What became of one room, or why it failed.
type RoomOutcome = std::result::Result<Stored, String>;
/// What became of one room, and who is to join it.
type Settled<'p> = (RoomOutcome, Option<RoomToJoin<'p>>);

/// The new rooms of a batch, and notes to be made on all rooms of it.
struct MadeRooms {
    notes: HashMap<String, RoomNote>,
    /// Those that are stored, by `_id`.
    rooms: HashMap<String, Fields>,
    /// What the sources say of rooms that follow them.
    sources: Vec<(String, RoomSource)>,
    /// Rooms of people here, which were found by their names.
    linked: Vec<String>,
}

impl Rooms {
    /// A converter for the rooms of the root operation, which `user` imports.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn new(
        repositories: &Repositories,
        root: &str,
        importer: &str,
        user: &str,
    ) -> Result<Self> {
        let unknown = || Person { id: user.to_owned(), username: None, name: None, is_active: false };
        Ok(Self {
            repositories: repositories.clone(),
            root: root.to_owned(),
            importer: importer.to_owned(),
            importing: repositories.people.by_id(user).await?.unwrap_or_else(unknown),
            names: repositories.settings.room_names().await?,
            people: PeopleLookup::new(repositories.people.clone()),
            first_records: first_records(repositories, root).await?,
        })
    }

    /// The rooms that may be those of a batch.
    async fn candidates(&self, batch: &[&ReadRoom], people: &People) -> Result<Vec<Fields>> {
        let mut wanted = RoomsWanted::default();
        for staged in batch.iter().map(|read| StagedChannel::new(&read.data)) {
            wanted.import_ids.extend(staged.import_ids().map(str::to_owned));
            if staged.kind() == Some(ChannelType::DirectMessage) {
                let members: HashSet<&str> =
                    staged.members().filter_map(|id| people.get(id)).map(|person| person.id.as_str()).collect();
                wanted.members.push(members.into_iter().map(str::to_owned).collect());
            } else {
                wanted.names.extend(staged.name().map(RoomNames::existing_names).unwrap_or_default());
            }
        }
        self.repositories.rooms.candidates(&wanted).await
    }

    /// Makes or links a room. Its members are to join it then.
    async fn room<'p>(
        &self,
        read: &ReadRoom,
        room: NewRoom<'p>,
        candidates: &mut Vec<Fields>,
        made: &mut MadeRooms,
        plan: &BatchPlan<'_>,
    ) -> Storing<Settled<'p>> {
        if let Some((found, by)) = found(&room, candidates) {
            return self.link(read, (found.clone(), by), room, candidates, made, plan).await;
        }
        let stored = match made.rooms.remove(&room.id) {
            Some(stored) => stored,
            None => match make(&self.repositories.rooms, &self.names, &room).await? {
                Ok(stored) => stored,
                Err(reason) => return Ok((Err(reason), None)),
            },
        };
        candidates.push(stored.clone());
        let NewRoom { staged, kind, id, members } = room;
        if kind != ChannelType::DirectMessage {
            made.sources.push((id.clone(), RoomSource::of(staged)));
        }
        let note = made.notes.remove(&id).unwrap_or_default();
        let created = Ok(Stored { note: members.note(), ..Stored::new(Outcome::Created, id.clone()) });
        Ok((created, Some(RoomToJoin { room: stored, id, kind, members, note })))
    }

    fn new_room<'p>(&'p self, read: &'p ReadRoom, people: &'p People) -> std::result::Result<NewRoom<'p>, String> {
        let (kind, members) = self.members(read, people).map_err(|error| error.to_string())?;
        let staged = StagedChannel::new(&read.data);
        Ok(NewRoom { staged, kind, id: room::room_id(staged, kind, &self.importer, &members), members })
    }

    /// Notes the rooms that are not there, and stores those that can be stored together.
    async fn begin(&self, new: &[&NewRoom<'_>]) -> Result<MadeRooms> {
        let ids: Vec<&str> = new.iter().map(|room| room.id.as_str()).collect();
        let notes = self.repositories.room_notes.begin(&ids, &self.root).await?;
        let rooms = make_together(&self.repositories.rooms, &self.names, new).await?;
        Ok(MadeRooms { notes, rooms, sources: Vec::new(), linked: Vec::new() })
    }

    fn members<'p>(
        &'p self,
        read: &ReadRoom,
        people: &'p People,
    ) -> std::result::Result<(ChannelType, Members<'p>), RoomError> {
        let staged = StagedChannel::new(&read.data);
        let kind = room::check(staged)?;
        let is_second = |id: &str| self.first_records.get(id).is_some_and(|first| *first != read.record);
        if staged.import_ids().any(is_second) {
            return Err(RoomError::RepeatedImportId);
        }
        let person = |id: &str| people.get(id).map(|person| &**person);
        Ok((kind, room::members(staged, kind, &self.importing, person)?))
    }

    /// Takes over what the source says of a room that is there.
    async fn link<'p>(
        &self,
        read: &ReadRoom,
        (there, found): (Fields, FoundBy),
        NewRoom { staged, id: made_id, members, kind: staged_kind }: NewRoom<'p>,
        candidates: &mut [Fields],
        made: &mut MadeRooms,
        plan: &BatchPlan<'_>,
    ) -> Storing<Settled<'p>> {
        let view = StoredRoom::new(&there);
        let id = view.id().to_owned();
        let note = self.repositories.room_notes.find(&id).await?;
        let is_made_now = note.as_ref().is_some_and(|note| note.made_by == self.root);
        let record = read.record.as_text();
        let earlier = note.as_ref().and_then(|note| note.source.as_ref());
        let before = plan.earlier().of_record(&record).filter(|before| before.document == id);
        // A room that an earlier import, or an earlier try, found by its name stays one that people here made.
        let is_linked = match &note {
            Some(note) => note.is_linked,
            None => before.is_some_and(|before| before.outcome == Outcome::Linked),
        };
        let found = if is_linked { FoundBy::Name } else { found };
        let changes = room::changes(staged, view, found, earlier, false);
        let source = RoomSource::of(staged).after(earlier);
        match found {
            FoundBy::ImportId if staged_kind != ChannelType::DirectMessage && earlier != Some(&source) => {
                made.sources.push((id.clone(), source));
            }
            FoundBy::Name if note.is_none() => made.linked.push(id.clone()),
            _ => {}
        }
        if let Some(before) = before.filter(|before| is_made(before, &changes)) {
            return Ok((self.linked_before(before).await?, None));
        }
        if !changes.is_empty() {
            if !is_made_now {
                plan.note(vec![planned(record, id.clone(), &changes, &there)]).await?;
            }
            self.repositories.rooms.change(&id, &changes).await?;
            if changes.archive {
                self.repositories.subscriptions.archive(&id).await?;
            }
            if let Some(candidate) = candidates.iter_mut().find(|room| StoredRoom::new(room).id() == id) {
                *candidate = changed(candidate, &changes);
            }
        }
        let outcome = match &changes {
            _ if is_made_now => Outcome::Created,
            changes if changes.is_empty() => Outcome::Same,
            changes => outcome_of(changes),
        };
        let people_note = members.note().filter(|_| is_made_now);
        let fields = changed_fields(&changes, &there);
        let outcome = Ok(Stored { changed: fields, note: people_note, ..Stored::new(outcome, id.clone()) });
        let kind = view.kind().unwrap_or(ChannelType::PrivateGroup);
        let note = note.filter(|note| note.is_of_made_room() && room::is_made_here(view, &made_id));
        Ok((outcome, note.map(|note| RoomToJoin { room: there, id, kind, members, note })))
    }

    /// The outcome of a room that an earlier try has changed. It may have died before it archived the subscriptions.
    async fn linked_before(&self, before: &PlannedChange) -> Storing<RoomOutcome> {
        if before.changed.iter().any(|field| field.field == ARCHIVED) {
            self.repositories.subscriptions.archive(&before.document).await?;
        }
        let changed = before.changed.clone();
        Ok(Ok(Stored { changed, ..Stored::new(before.outcome, before.document.clone()) }))
    }
}

type People = HashMap<String, Arc<Person>>;

impl Converter for Rooms {
    const TYPE: RecordType = RecordType::Channel;
    const BATCH_RECORDS: usize = 100;
    // One after the other: of two rooms of one name the first one gets it.
    const BATCHES_IN_FLIGHT: usize = 1;
    type Ready = ReadRoom;

    fn id_for(&self, id: &StagedId) -> String {
        id.as_text()
    }

    fn identity(&self, data: &Fields) -> Identity {
        let staged = StagedChannel::new(data);
        Identity { import_ids: staged.import_ids().map(str::to_owned).collect(), ..Identity::default() }
    }

    async fn prepare(&self, id: &StagedId, data: Fields) -> std::result::Result<ReadRoom, String> {
        Ok(ReadRoom { record: id.clone(), data })
    }

    fn exclusive(&self, _: &ReadRoom) -> Vec<UniqueValue> {
        Vec::new()
    }

    async fn store(&self, batch: &[&ReadRoom], plan: &BatchPlan<'_>) -> Storing<Vec<RoomOutcome>> {
        let mut ids = HashSet::new();
        for read in batch {
            ids.extend(StagedChannel::new(&read.data).people());
        }
        let people = self.people.of(ids).await?;
        let mut candidates = self.candidates(batch, &people).await?;
        let rooms: Vec<_> = batch.iter().map(|read| self.new_room(read, &people)).collect();
        let new: Vec<&NewRoom<'_>> = rooms.iter().flatten().filter(|room| found(room, &candidates).is_none()).collect();
        let mut made = self.begin(&new).await?;
        let mut settled = Vec::with_capacity(batch.len());
        for (read, room) in batch.iter().zip(rooms) {
            settled.push(match room {
                Ok(room) => self.room(read, room, &mut candidates, &mut made, plan).await?,
                Err(reason) => (Err(reason), None),
            });
        }
        let (mut outcomes, to_join): (Vec<RoomOutcome>, Vec<Option<RoomToJoin<'_>>>) = settled.into_iter().unzip();
        let places: Vec<usize> = (0..to_join.len()).filter(|place| to_join[*place].is_some()).collect();
        let to_join: Vec<RoomToJoin<'_>> = to_join.into_iter().flatten().collect();
        for (place, joined) in places.into_iter().zip(join(&self.repositories, &to_join).await?) {
            if let Err(reason) = joined {
                outcomes[place] = Err(reason);
            }
        }
        self.repositories.room_notes.add_sources(&made.sources, &made.linked).await?;
        Ok(outcomes)
    }
}

/// The room that is there.
fn found<'c>(room: &NewRoom<'_>, candidates: &'c [Fields]) -> Option<(&'c Fields, FoundBy)> {
    let members: Vec<&str> = room.members.people.iter().map(|person| person.id.as_str()).collect();
    let views: Vec<StoredRoom<'c>> = candidates.iter().map(StoredRoom::new).collect();
    existing_room(room.staged, &members, &views).map(|(room, by)| (room.fields(), by))
}

/// The first record of each import id that more than one record has.
async fn first_records(repositories: &Repositories, root: &str) -> Result<HashMap<String, StagedId>> {
    let mut records = Box::pin(repositories.staged_choice.records(root, RecordType::Channel).await?);
    let mut first: HashMap<String, StagedId> = HashMap::new();
    let mut repeated: HashSet<String> = HashSet::new();
    while let Some(record) = records.try_next().await? {
        if record.is_left_out {
            continue;
        }
        for id in StagedChannel::new(&record.data).import_ids() {
            if first.contains_key(id) {
                repeated.insert(id.to_owned());
            } else {
                first.insert(id.to_owned(), record.id.clone());
            }
        }
    }
    first.retain(|id, _| repeated.contains(id));
    Ok(first)
}

fn changed(room: &Fields, changes: &RoomChanges) -> Fields {
    let mut room = room.clone();
    for FieldChange { field, after, .. } in &changes.set {
        room = room.with(field, after.clone());
    }
    let known = match room.get("importIds") {
        Some(FieldValue::List(known)) => known.clone(),
        _ => Vec::new(),
    };
    let import_ids = known.into_iter().chain(changes.import_ids.iter().map(|id| FieldValue::Text(id.into())));
    room.with("importIds", FieldValue::List(import_ids.collect()))
}

/// The outcome of a room that was there and is changed.
const fn outcome_of(changes: &RoomChanges) -> Outcome {
    if changes.set.is_empty() && !changes.archive { Outcome::Linked } else { Outcome::Updated }
}

/// Whether a planned change is made, by the changes that are left. A room that was linked is found by its import id from then
/// on, and would follow its source: in this run it does not.
fn is_made(before: &PlannedChange, left: &RoomChanges) -> bool {
    left.is_empty() || before.outcome == Outcome::Linked && left.import_ids.is_empty()
}

fn planned(record: String, document: String, changes: &RoomChanges, there: &Fields) -> PlannedChange {
    let outcome = outcome_of(changes);
    PlannedChange { record, document, outcome, found_by: None, changed: changed_fields(changes, there) }
}

/// What a receipt says of the changes of a room that was there.
fn changed_fields(changes: &RoomChanges, there: &Fields) -> Vec<ChangedField> {
    let values = |before: Option<FieldValue>, after: FieldValue| {
        before.map(|before| ("before", before)).into_iter().chain([("after", after)]).collect()
    };
    let of_field = |change: &FieldChange| ChangedField {
        field: change.field.clone(),
        values: values(change.before.clone(), change.after.clone()),
    };
    let mut fields: Vec<ChangedField> = changes.set.iter().map(of_field).collect();
    if changes.archive {
        let values = values(there.get(ARCHIVED).cloned(), FieldValue::Boolean(true));
        fields.push(ChangedField { field: ARCHIVED.to_owned(), values });
    }
    fields
}

/// Whether the room is one of direct messages.
pub(in crate::engine) fn is_direct(room: &Fields) -> bool {
    StoredRoom::new(room).kind() == Some(ChannelType::DirectMessage)
}
