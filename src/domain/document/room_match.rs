//! Which of the rooms that are there a staged room means.

use super::{FieldValue, Fields, room_names::RoomNames};
use crate::domain::staged::{ChannelType, StagedChannel, filled, is_true, object, text, texts};

/// The `_id` of the room that every workspace begins with.
pub const GENERAL: &str = "GENERAL";

/// A view of a stored room, with the fields that matching reads.
#[derive(Debug, Clone, Copy)]
pub struct StoredRoom<'a>(&'a Fields);

impl<'a> StoredRoom<'a> {
    #[must_use]
    pub const fn new(document: &'a Fields) -> Self {
        Self(document)
    }

    #[must_use]
    pub const fn fields(self) -> &'a Fields {
        self.0
    }

    #[must_use]
    pub fn id(self) -> &'a str {
        text(self.0, "_id").unwrap_or_default()
    }

    #[must_use]
    pub fn kind(self) -> Option<ChannelType> {
        ChannelType::from_letter(text(self.0, "t")?)
    }

    #[must_use]
    pub fn has_import_id(self, import_id: &str) -> bool {
        texts(self.0, "importIds").any(|id| id == import_id)
    }

    /// Whether messages that name a room mean this one: by its name, and not one of a special kind.
    #[must_use]
    pub fn is_plainly_called(self, name: &str) -> bool {
        !self.is_special() && self.kind() != Some(ChannelType::DirectMessage) && text(self.0, "name") == Some(name)
    }

    /// Whether somebody who names channels for people means this one: by its name in addresses, else by the shown one.
    #[must_use]
    pub fn is_named(self, name: &str) -> bool {
        self.is_called(&[name.to_owned()])
    }

    /// Whether its name in addresses is this one.
    #[must_use]
    pub fn has_name(self, name: &str) -> bool {
        text(self.0, "name") == Some(name)
    }

    /// Why nobody can be put into the room by a membership alone; `None` for a plain channel or private group.
    ///
    /// Source: `apps/meteor/app/lib/server/functions/addUserToRoom.ts`, which has more to do in these.
    #[must_use]
    pub fn refuses_members(self) -> Option<&'static str> {
        if self.kind().is_none_or(|kind| kind == ChannelType::DirectMessage) {
            return Some("is no channel");
        }
        if is_true(self.0, "federated") || object(self.0, "federation").is_some() {
            return Some("is shared with other servers");
        }
        if is_true(self.0, "teamMain") {
            return Some("is the main channel of a team, which people join by the team");
        }
        let guards = self.0.get("abacAttributes");
        if guards.is_some_and(|guards| matches!(guards, FieldValue::List(guards) if !guards.is_empty())) {
            return Some("takes people by their attributes");
        }
        None
    }

    fn has_import_id_of(self, staged: StagedChannel<'_>) -> bool {
        texts(self.0, "importIds").any(|id| staged.import_ids().any(|staged| staged == id))
    }

    fn is_called(self, names: &[String]) -> bool {
        ["name", "fname"]
            .iter()
            .any(|field| filled(self.0, field).is_some_and(|name| names.iter().any(|one| one == name)))
    }

    /// Whether its messages cannot be plain ones of this workspace, or it is part of another room or of a team.
    fn is_special(self) -> bool {
        ["encrypted", "federated", "teamMain"].iter().any(|field| is_true(self.0, field))
            || ["prid", "teamId"].iter().any(|field| filled(self.0, field).is_some())
            || object(self.0, "federation").is_some()
    }

    fn has_exactly(self, members: &[&str]) -> bool {
        let mut stored: Vec<&str> = texts(self.0, "uids").collect();
        stored.sort_unstable();
        stored.dedup();
        stored == members
    }
}

/// How an existing room was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// The general channel of the source is the workspace's.
    General,
    ImportId,
    Name,
    /// A direct message of exactly these people.
    Members,
}

/// The room that a staged room means, and how it was found; `None` if it has to be made.
///
/// `candidates` are the rooms with one of its import ids, those whose `name` or `fname` is one of
/// [`RoomNames::existing_names`], for a direct message those whose `uids` are its members, and the room [`GENERAL`] if
/// the staged room is its source's general channel. `members` are the `_id`s of the members of a direct message.
///
/// A private room never becomes part of a public one, and a direct message only one of exactly the same people.
#[must_use]
pub fn existing_room<'a>(
    staged: StagedChannel<'_>,
    members: &[&str],
    candidates: &[StoredRoom<'a>],
) -> Option<(StoredRoom<'a>, FoundBy)> {
    let kind = staged.kind()?;
    let find = |fits: &dyn Fn(StoredRoom<'a>) -> bool| candidates.iter().copied().find(|room| fits(*room));
    if kind == ChannelType::DirectMessage {
        let mut people = members.to_vec();
        people.sort_unstable();
        people.dedup();
        let same = |room: StoredRoom<'_>| room.kind() == Some(kind) && !people.is_empty() && room.has_exactly(&people);
        return find(&|room| same(room) && room.has_import_id_of(staged))
            .map(|room| (room, FoundBy::ImportId))
            .or_else(|| Some((find(&|room| same(room) && !room.is_special())?, FoundBy::Members)));
    }
    if staged.is_general()
        && kind == ChannelType::Channel
        && let Some(general) = find(&|room| room.id() == GENERAL)
    {
        return Some((general, FoundBy::General));
    }
    let shows_no_more = |room: StoredRoom<'_>| {
        matches!((kind, room.kind()), (ChannelType::Channel, Some(ChannelType::Channel | ChannelType::PrivateGroup)))
            || (kind, room.kind()) == (ChannelType::PrivateGroup, Some(ChannelType::PrivateGroup))
    };
    if let Some(room) = find(&|room| shows_no_more(room) && room.has_import_id_of(staged)) {
        return Some((room, FoundBy::ImportId));
    }
    let names = RoomNames::existing_names(staged.name()?);
    let room = find(&|room| room.kind() == Some(kind) && !room.is_special() && room.is_called(&names))?;
    Some((room, FoundBy::Name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        document::{text as value, texts as list},
        field_value::FieldValue,
    };

    fn room(id: &str, kind: &str, name: &str) -> Fields {
        Fields::from_iter([("_id", value(id)), ("t", value(kind)), ("name", value(name))])
    }

    fn staged(kind: &str, name: &str) -> Fields {
        Fields::from_iter([("importIds", list(["C1"])), ("t", value(kind)), ("name", value(name))])
    }

    fn found(staged: &Fields, members: &[&str], rooms: &[Fields]) -> Option<(String, FoundBy)> {
        let candidates: Vec<_> = rooms.iter().map(StoredRoom::new).collect();
        existing_room(StagedChannel::new(staged), members, &candidates).map(|(room, by)| (room.id().to_owned(), by))
    }

    #[test]
    fn a_private_room_never_ends_up_in_a_public_one() {
        let public = room("public", "c", "plans").with("importIds", list(["C1"]));
        assert_eq!(found(&staged("p", "plans"), &[], std::slice::from_ref(&public)), None);
        let private = room("private", "p", "plans");
        assert_eq!(found(&staged("p", "plans"), &[], &[public, private]), Some(("private".into(), FoundBy::Name)));
    }

    #[test]
    fn a_room_made_private_here_still_takes_the_channel_it_was() {
        let private = room("x", "p", "other").with("importIds", list(["C1"]));
        assert_eq!(found(&staged("c", "plans"), &[], &[private]), Some(("x".into(), FoundBy::ImportId)));
    }

    #[test]
    fn encrypted_federated_discussion_and_team_rooms_are_not_found_by_name() {
        for (field, special) in [
            ("encrypted", FieldValue::Boolean(true)),
            ("federated", FieldValue::Boolean(true)),
            ("prid", value("parent")),
            ("teamId", value("team")),
        ] {
            let room = room("x", "c", "plans").with(field, special);
            assert_eq!(found(&staged("c", "plans"), &[], std::slice::from_ref(&room)), None, "{field}");
            let again = room.with("importIds", list(["C1"]));
            assert_eq!(found(&staged("c", "plans"), &[], &[again]), Some(("x".into(), FoundBy::ImportId)));
        }
    }

    #[test]
    fn a_direct_message_is_found_by_exactly_its_members() {
        let pair = room("dm", "d", "").with("uids", list(["b", "a"]));
        let staged = staged("d", "");
        assert_eq!(found(&staged, &["a", "b"], std::slice::from_ref(&pair)), Some(("dm".into(), FoundBy::Members)));
        assert_eq!(found(&staged, &["a", "b", "c"], std::slice::from_ref(&pair)), None);
        let other = pair.with("importIds", list(["C1"]));
        assert_eq!(found(&staged, &["a", "c"], std::slice::from_ref(&other)), None);
        assert_eq!(found(&staged, &[], &[other]), None);
    }

    #[test]
    fn the_general_channel_is_the_workspaces() {
        let general = room(GENERAL, "c", "lobby");
        let staged = staged("c", "all-corp").with("_id", value("general"));
        assert_eq!(found(&staged, &[], &[general]), Some((GENERAL.into(), FoundBy::General)));
    }
}
