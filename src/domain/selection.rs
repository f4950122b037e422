//! What of a staged file is imported.
//!
//! Source: `apps/meteor/server/lib/import/classes/Importer.ts`, `apps/meteor/server/meteor-methods/import/startImport.ts`.

use std::collections::HashSet;

use super::staged::{ChannelType, StagedChannel, StagedContact, StagedUser};

/// The entry of the list of channels that stands for all direct messages.
pub const DIRECT_MESSAGES: &str = "__directMessages__";

/// Which records of one type are imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    All,
    /// Those with these import ids; a record is known by its first.
    Only(HashSet<String>),
    None,
}

impl Choice {
    /// The choice in the form of Rocket.Chat 7.0 and later: everything if `all`, else what `list` names.
    #[must_use]
    pub fn new(all: bool, list: impl IntoIterator<Item = String>) -> Self {
        if all { Self::All } else { Self::of_ids(list) }
    }

    /// The choice in the form of Rocket.Chat 6: each record's id, and whether it is imported. Records that are not in
    /// the list are left out.
    #[must_use]
    pub fn from_flags(flags: impl IntoIterator<Item = (String, bool)>) -> Self {
        Self::of_ids(flags.into_iter().filter(|(_, is_imported)| *is_imported).map(|(id, _)| id))
    }

    fn of_ids(ids: impl IntoIterator<Item = String>) -> Self {
        let ids: HashSet<String> = ids.into_iter().collect();
        if ids.is_empty() { Self::None } else { Self::Only(ids) }
    }

    fn takes(&self, id: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => id.is_some_and(|id| ids.contains(id)),
            Self::None => false,
        }
    }
}

/// What of a staged file is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub users: Choice,
    pub channels: Choice,
    pub contacts: Choice,
}

impl Selection {
    /// The selection of everything.
    #[must_use]
    pub const fn everything() -> Self {
        Self { users: Choice::All, channels: Choice::All, contacts: Choice::All }
    }

    #[must_use]
    pub fn takes_user(&self, user: StagedUser<'_>) -> bool {
        self.users.takes(user.first_import_id())
    }

    #[must_use]
    pub fn takes_contact(&self, contact: StagedContact<'_>) -> bool {
        self.contacts.takes(contact.first_import_id())
    }

    /// Direct messages are chosen all together.
    #[must_use]
    pub fn takes_channel(&self, channel: StagedChannel<'_>) -> bool {
        match channel.kind() {
            Some(ChannelType::DirectMessage) => self.channels.takes(Some(DIRECT_MESSAGES)),
            _ => self.channels.takes(channel.first_import_id()),
        }
    }
}

/// The rooms that were left out, by which messages are left out too: in Rocket.Chat they fail, or end up in a room of an
/// earlier import.
#[derive(Debug, Clone, Default)]
pub struct LeftOutRooms(HashSet<String>);

impl LeftOutRooms {
    /// Notes a room that was left out. A room of direct messages that shares an import id with one that is imported is
    /// none.
    pub fn add(&mut self, channel: StagedChannel<'_>) {
        self.0.extend(channel.import_ids().map(str::to_owned));
    }

    /// Whether a message of the room with this import id is left out.
    #[must_use]
    pub fn has(&self, import_id: &str) -> bool {
        self.0.contains(import_id)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes these import ids, which rooms that are imported share, out again.
    pub fn keep(&mut self, imported: &HashSet<String>) {
        self.0.retain(|id| !imported.contains(id));
    }

    /// The import ids of the rooms.
    pub fn import_ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// What becomes of a person who was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOutPerson {
    /// Nothing: nobody needs the account.
    Nothing,
    /// The person has an account, which speaks for what he wrote.
    Linked,
    /// The person wrote something that is imported: a deactivated account stands in for him.
    Placeholder,
}

impl LeftOutPerson {
    /// `is_needed` says whether messages that are imported, or direct messages, name the person as one of theirs.
    #[must_use]
    pub const fn new(has_account: bool, is_needed: bool) -> Self {
        match (has_account, is_needed) {
            (true, _) => Self::Linked,
            (false, true) => Self::Placeholder,
            (false, false) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        document::{text, texts},
        field_value::Fields,
    };

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn channel(kind: &str, id: &str) -> Fields {
        Fields::from_iter([("importIds", texts([id])), ("t", text(kind))])
    }

    #[test]
    fn all_wins_over_the_list_and_an_empty_list_is_nothing() {
        assert_eq!(Choice::new(true, ids(&["a"])), Choice::All);
        assert_eq!(Choice::new(false, ids(&[])), Choice::None);
        assert_eq!(Choice::new(false, ids(&["a", "a"])), Choice::Only(HashSet::from(["a".to_owned()])));
    }

    #[test]
    fn the_flags_of_older_clients_choose_what_they_tick() {
        let flags = [("a".to_owned(), true), ("b".to_owned(), false)];
        assert_eq!(Choice::from_flags(flags), Choice::Only(HashSet::from(["a".to_owned()])));
    }

    #[test]
    fn a_record_is_known_by_its_first_import_id() {
        let selection = Selection { users: Choice::new(false, ids(&["U2"])), ..Selection::everything() };
        let user = |ids: [&str; 2]| Fields::from_iter([("importIds", texts(ids))]);
        assert!(!selection.takes_user(StagedUser::new(&user(["U1", "U2"]))));
        assert!(selection.takes_user(StagedUser::new(&user(["U2", "U1"]))));
    }

    #[test]
    fn direct_messages_are_chosen_all_together() {
        let selection =
            Selection { channels: Choice::new(false, ids(&["C1", DIRECT_MESSAGES])), ..Selection::everything() };
        let takes = |kind, id| selection.takes_channel(StagedChannel::new(&channel(kind, id)));
        assert_eq!([takes("c", "C1"), takes("p", "C2"), takes("d", "D9")], [true, false, true]);
    }

    #[test]
    fn left_out_rooms_take_their_messages_with_them() {
        let mut left_out = LeftOutRooms::default();
        left_out.add(StagedChannel::new(&channel("c", "C2")));
        assert!(left_out.has("C2") && !left_out.has("C1"));
    }

    #[test]
    fn left_out_people_stay_only_if_they_are_needed() {
        let fates =
            [(false, false), (false, true), (true, false)].map(|(account, needed)| LeftOutPerson::new(account, needed));
        assert_eq!(fates, [LeftOutPerson::Nothing, LeftOutPerson::Placeholder, LeftOutPerson::Linked]);
    }
}
