//! The room that a staged room becomes.

use thiserror::Error;

use super::{
    Builder, FieldChange, FieldValue, Fields, Person,
    room_match::{FoundBy, StoredRoom},
    room_names::RoomName,
    room_source::RoomSource,
    stable_id::stable_id,
    text, texts,
};
use crate::domain::{
    field_value::Date,
    record_type::RecordType,
    staged::{ChannelType, StagedChannel, texts as stored_texts},
};

/// The value of `roomRolePriorities.<rid>` that an owner's account carries.
///
/// Source: `apps/meteor/lib/roles/calculateRoomRolePriorityFromRoles.ts`.
pub const OWNER_PRIORITY: i64 = 0;

/// Why a staged room cannot become one. The texts are Rocket.Chat's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoomError {
    #[error("importer-channel-missing-import-id")]
    MissingImportId,
    #[error("importer-channel-missing-name")]
    MissingName,
    #[error("importer-channel-invalid-type")]
    InvalidType,
    /// A direct message of people none of whom, or not all of whom, are known.
    #[error("importer-channel-missing-users")]
    MissingUsers,
    /// Two records of one import have the same import id. The first is the room: to let a second one, of another type
    /// perhaps, decide would mix private and public talk. Rocket.Chat has no word for it.
    #[error("importer-channel-repeated-import-id")]
    RepeatedImportId,
}

/// Checks what every room needs.
///
/// # Errors
/// With Rocket.Chat's word for the missing value.
pub fn check(staged: StagedChannel<'_>) -> Result<ChannelType, RoomError> {
    staged.first_import_id().ok_or(RoomError::MissingImportId)?;
    let kind = staged.kind().ok_or(RoomError::InvalidType)?;
    if kind != ChannelType::DirectMessage && staged.name().is_none() {
        return Err(RoomError::MissingName);
    }
    Ok(kind)
}

/// The people of a room, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members<'a> {
    /// The owner of a channel or private group.
    pub owner: Option<&'a Person>,
    /// Everybody, the owner last unless he is listed.
    pub people: Vec<&'a Person>,
    /// Import ids of members that are not known.
    pub unknown: Vec<String>,
    /// The import id of the creator, if he is not known: somebody else owns the room.
    pub unknown_creator: Option<String>,
}

/// Unknown members that a note names.
const NAMED_MEMBERS: usize = 5;

impl Members<'_> {
    /// Says who of the source's people is not known here, and what becomes of the room without them.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let owner = self.owner.and_then(|owner| owner.username.as_deref()).unwrap_or("nobody");
        let creator = self.unknown_creator.as_ref();
        let of_creator = creator.map(|id| format!("The creator {id} is not known here: {owner} owns the room."));
        let named = self.unknown.iter().take(NAMED_MEMBERS).map(String::as_str).collect::<Vec<_>>().join(", ");
        let of_members = match self.unknown.len().saturating_sub(NAMED_MEMBERS) {
            _ if self.unknown.is_empty() => None,
            0 => Some(format!("Members who are not known here are not in the room: {named}.")),
            more => Some(format!("Members who are not known here are not in the room: {named} and {more} more.")),
        };
        let sentences: Vec<String> = of_creator.into_iter().chain(of_members).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// Resolves the people of a staged room.
///
/// The creator owns a channel or private group, whatever he may do himself. If he is not known, the person who imports
/// does: a room without an owner cannot be looked after. That person joins no room otherwise.
///
/// # Errors
/// When a member of a direct message is not known: his messages would reach fewer people than they were meant for.
///
/// Source: `apps/meteor/server/lib/import/classes/converters/RoomConverter.ts`.
pub fn members<'a>(
    staged: StagedChannel<'_>,
    kind: ChannelType,
    importing: &'a Person,
    person: impl Fn(&str) -> Option<&'a Person>,
) -> Result<Members<'a>, RoomError> {
    let mut people: Vec<&Person> = Vec::new();
    let mut unknown: Vec<String> = Vec::new();
    for id in staged.members() {
        match person(id).filter(|person| person.username.is_some()) {
            Some(member) if people.iter().all(|known| known.id != member.id) => people.push(member),
            None if unknown.iter().all(|known| known != id) => unknown.push(id.to_owned()),
            _ => {}
        }
    }
    if kind == ChannelType::DirectMessage {
        let is_complete = !people.is_empty() && unknown.is_empty();
        let members = Members { owner: None, people, unknown, unknown_creator: None };
        return if is_complete { Ok(members) } else { Err(RoomError::MissingUsers) };
    }
    let creator = staged.creator().and_then(&person).filter(|owner| owner.username.is_some());
    let unknown_creator = staged.creator().filter(|_| creator.is_none()).map(str::to_owned);
    let owner = creator.unwrap_or(importing);
    if people.iter().all(|member| member.id != owner.id) {
        people.push(owner);
    }
    Ok(Members { owner: Some(owner), people, unknown, unknown_creator })
}

/// The `_id` of the room that the staged room becomes if it is made by the importer `importer`.
///
/// A direct message's follows from its members, so that the same people never get two rooms.
#[must_use]
pub fn room_id(staged: StagedChannel<'_>, kind: ChannelType, importer: &str, members: &Members<'_>) -> String {
    if kind == ChannelType::DirectMessage {
        return stable_id(RecordType::Channel, &[&["direct message"], sorted_ids(members).as_slice()].concat());
    }
    stable_id(RecordType::Channel, &["room", importer, kind.letter(), staged.first_import_id().unwrap_or_default()])
}

/// Whether an import made the room, so that its members follow the source. Rooms made by Rocket.Chat's own importer are
/// none of them.
#[must_use]
pub fn is_made_here(room: StoredRoom<'_>, made_id: &str) -> bool {
    room.id() == made_id
}

fn sorted_ids<'a>(members: &Members<'a>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = members.people.iter().map(|person| person.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

/// Makes a new channel or private group, in the order in which Rocket.Chat stores its fields.
///
/// Source: `apps/meteor/server/lib/rooms/createRoom.ts`, `RoomConverter.ts`.
#[must_use]
pub fn new_room(
    staged: StagedChannel<'_>,
    kind: ChannelType,
    id: &str,
    name: &RoomName,
    members: &Members<'_>,
    now: Date,
) -> Fields {
    let mut room = Builder::default();
    room.put_text("_id", id).put_text("fname", &name.fname).put_date("_updatedAt", now);
    room.put_text("name", &name.name).put_text("t", kind.letter()).put_number("msgs", 0);
    room.put("usersCount", count(members.people.len())).put_some("u", members.owner.map(Person::reference));
    room.put_date("ts", staged.created_at().unwrap_or(now)).put_flag("ro", false);
    put_source(&mut room, staged);
    if staged.is_archived() {
        room.put_flag("archived", true);
    }
    room.build()
}

/// Makes a new direct message, in the order in which Rocket.Chat stores its fields.
///
/// Source: `apps/meteor/server/lib/rooms/createDirectRoom.ts`.
#[must_use]
pub fn new_direct_message(staged: StagedChannel<'_>, id: &str, members: &Members<'_>, now: Date) -> Fields {
    let mut by_label = members.people.clone();
    by_label.sort_by(|one, other| {
        (one.label().to_lowercase(), one.label()).cmp(&(other.label().to_lowercase(), other.label()))
    });
    let usernames = by_label.iter().filter_map(|person| person.username.as_deref());
    let mut room = Builder::default();
    room.put_text("_id", id).put_text("t", ChannelType::DirectMessage.letter()).put("usernames", texts(usernames));
    room.put("usersCount", count(members.people.len())).put_number("msgs", 0);
    room.put_date("ts", staged.created_at().unwrap_or(now)).put("uids", texts(sorted_ids(members)));
    if members.people.len() == 2 && members.people.iter().any(|person| !person.is_active) {
        room.put_flag("ro", true).put_flag("reactWhenReadOnly", false);
    }
    room.put_date("_updatedAt", now);
    put_source(&mut room, staged);
    room.build()
}

/// What Rocket.Chat adds in one update, whose new fields MongoDB stores in the order of their names.
fn put_source(room: &mut Builder, staged: StagedChannel<'_>) {
    room.put_some("description", staged.description().map(text)).put("importIds", texts(staged.import_ids()));
    room.put_some("topic", staged.topic().map(text));
}

fn count(people: usize) -> FieldValue {
    FieldValue::Integer(people.try_into().unwrap_or(i64::MAX))
}

/// What importing a staged room changes in a room that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomChanges {
    /// Import ids that the room lacks.
    pub import_ids: Vec<String>,
    pub set: Vec<FieldChange>,
    /// Whether the room and its subscriptions become archived.
    pub archive: bool,
}

impl RoomChanges {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.import_ids.is_empty() && self.set.is_empty() && !self.archive
    }
}

/// The changes of a room that is there.
///
/// A room that an earlier import made follows what changed at its source in date, topic, description and archiving, as long
/// as people here change nothing of it; `earlier` is what an earlier import noted. One that people here made, found by its
/// name or because it is the general channel, keeps them unless `update` says otherwise: it only takes the import id. A
/// direct message takes the import id alone.
#[must_use]
pub fn changes(
    staged: StagedChannel<'_>,
    room: StoredRoom<'_>,
    found: FoundBy,
    earlier: Option<&RoomSource>,
    update: bool,
) -> RoomChanges {
    let stored = room.fields();
    let missing = |id: &&str| !stored_texts(stored, "importIds").any(|known| known == *id);
    let import_ids = staged.import_ids().filter(missing).map(str::to_owned).collect();
    let is_general = room.id() == super::room_match::GENERAL;
    let follows = update || (found == FoundBy::ImportId && !is_general);
    if !follows || staged.kind() == Some(ChannelType::DirectMessage) {
        return RoomChanges { import_ids, set: Vec::new(), archive: false };
    }
    let source = RoomSource::of(staged);
    let earlier = earlier.filter(|_| !update);
    RoomChanges {
        import_ids,
        set: source.changes(stored, earlier),
        archive: source.archives(stored, earlier) && !is_general,
    }
}

/// The members that join a room which an import made: those of the source who are no members, and of whom no earlier
/// import noted that they joined. Somebody who left since stays away.
pub fn joining<'a>(
    members: &Members<'a>,
    is_member: impl Fn(&str) -> bool,
    joined_before: impl Fn(&str) -> bool,
) -> Vec<&'a Person> {
    members.people.iter().copied().filter(|person| !is_member(&person.id) && !joined_before(&person.id)).collect()
}
