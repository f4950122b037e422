//! A staged room.

use super::{date, filled, first_import_id, is_true, object, text, texts};
use crate::domain::field_value::{Date, Fields};

/// The kind of a room, as `t` stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChannelType {
    Channel,
    PrivateGroup,
    DirectMessage,
}

impl ChannelType {
    /// The letter that rooms and subscriptions carry as `t`.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Channel => "c",
            Self::PrivateGroup => "p",
            Self::DirectMessage => "d",
        }
    }

    #[must_use]
    pub fn from_letter(letter: &str) -> Option<Self> {
        [Self::Channel, Self::PrivateGroup, Self::DirectMessage].into_iter().find(|kind| kind.letter() == letter)
    }
}

/// A view of a staged room.
#[derive(Debug, Clone, Copy)]
pub struct StagedChannel<'a>(&'a Fields);

impl<'a> StagedChannel<'a> {
    #[must_use]
    pub const fn new(data: &'a Fields) -> Self {
        Self(data)
    }

    /// The import ids that are not empty.
    pub fn import_ids(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "importIds").filter(|id| !id.is_empty())
    }

    #[must_use]
    pub fn first_import_id(self) -> Option<&'a str> {
        first_import_id(self.0)
    }

    /// Whether this is the source's general channel, which is linked to the room `GENERAL`.
    #[must_use]
    pub fn is_general(self) -> bool {
        text(self.0, "_id").is_some_and(|id| id.eq_ignore_ascii_case("GENERAL"))
    }

    #[must_use]
    pub fn kind(self) -> Option<ChannelType> {
        ChannelType::from_letter(text(self.0, "t")?)
    }

    /// The name, without blanks around it; an empty one is none.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        filled(self.0, "name").map(str::trim)
    }

    /// The creator's import id.
    #[must_use]
    pub fn creator(self) -> Option<&'a str> {
        text(object(self.0, "u")?, "_id").filter(|id| !id.is_empty())
    }

    /// The members' import ids, as staged: an id may stand there more than once.
    pub fn members(self) -> impl Iterator<Item = &'a str> {
        texts(self.0, "users").filter(|id| !id.is_empty())
    }

    #[must_use]
    pub fn topic(self) -> Option<&'a str> {
        text(self.0, "topic").filter(|topic| !topic.is_empty())
    }

    #[must_use]
    pub fn description(self) -> Option<&'a str> {
        text(self.0, "description").filter(|description| !description.is_empty())
    }

    /// When the topic was set at the source, if it says that.
    #[must_use]
    pub fn topic_since(self) -> Option<Date> {
        date(self.0, "_topicSince")
    }

    /// When the description was set at the source, if it says that.
    #[must_use]
    pub fn description_since(self) -> Option<Date> {
        date(self.0, "_descriptionSince")
    }

    #[must_use]
    pub fn created_at(self) -> Option<Date> {
        date(self.0, "ts")
    }

    #[must_use]
    pub fn is_archived(self) -> bool {
        is_true(self.0, "archived")
    }

    /// The import ids of everybody the room needs: creator and members.
    pub fn people(self) -> impl Iterator<Item = &'a str> {
        self.creator().into_iter().chain(self.members())
    }
}
