//! A staged message.

use super::{ROCKET_CAT, date, list, object, text, texts};
use crate::domain::field_value::{Date, FieldValue, Fields};

/// A view of a staged message.
#[derive(Debug, Clone, Copy)]
pub struct StagedMessage<'a>(&'a Fields);

/// The people who answered a message with one emoji.
#[derive(Debug, Clone, Copy)]
pub struct StagedReaction<'a> {
    /// The emoji, the key of the reaction.
    pub emoji: &'a str,
    users: &'a Fields,
}

impl<'a> StagedReaction<'a> {
    /// The people's import ids.
    pub fn users(self) -> impl Iterator<Item = &'a str> {
        texts(self.users, "users")
    }
}

impl<'a> StagedMessage<'a> {
    #[must_use]
    pub const fn new(data: &'a Fields) -> Self {
        Self(data)
    }

    /// All fields as they were staged.
    #[must_use]
    pub const fn fields(self) -> &'a Fields {
        self.0
    }

    /// The id of the message in its source.
    #[must_use]
    pub fn id(self) -> Option<&'a str> {
        text(self.0, "_id").filter(|id| !id.is_empty())
    }

    /// The import id of the room, or the name of a room that was not staged.
    #[must_use]
    pub fn room(self) -> Option<&'a str> {
        text(self.0, "rid").filter(|id| !id.is_empty())
    }

    /// The author's import id. A message of nobody is one of Rocket.Chat's own bot.
    #[must_use]
    pub fn author(self) -> &'a str {
        object(self.0, "u").and_then(|author| text(author, "_id")).filter(|id| !id.is_empty()).unwrap_or(ROCKET_CAT)
    }

    #[must_use]
    pub fn ts(self) -> Option<Date> {
        date(self.0, "ts")
    }

    #[must_use]
    pub fn text(self) -> &'a str {
        text(self.0, "msg").unwrap_or_default()
    }

    /// The type of a system message.
    #[must_use]
    pub fn system_type(self) -> Option<&'a str> {
        text(self.0, "t").filter(|kind| !kind.is_empty())
    }

    /// The id, in the source, of the message whose thread this one answers in.
    #[must_use]
    pub fn thread_root(self) -> Option<&'a str> {
        text(self.0, "tmid").filter(|id| !id.is_empty())
    }

    /// Import ids of mentioned people, `all` and `here`; `None` if the message has no candidates at all.
    #[must_use]
    pub fn mentions(self) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        list(self.0, "mentions").map(|list| list.iter().filter_map(FieldValue::as_text))
    }

    /// Import ids or names of mentioned rooms; `None` if the message has no candidates at all.
    #[must_use]
    pub fn channels(self) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        list(self.0, "channels").map(|list| list.iter().filter_map(FieldValue::as_text))
    }

    /// Import ids of the people who answered in the thread.
    #[must_use]
    pub fn replies(self) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        list(self.0, "replies").map(|list| list.iter().filter_map(FieldValue::as_text))
    }

    /// The editor's import id.
    #[must_use]
    pub fn editor(self) -> Option<&'a str> {
        text(self.0, "editedBy").filter(|id| !id.is_empty())
    }

    pub fn reactions(self) -> impl Iterator<Item = StagedReaction<'a>> {
        let reactions = object(self.0, "reactions").map(Fields::iter);
        reactions
            .into_iter()
            .flatten()
            .filter_map(|(emoji, value)| Some(StagedReaction { emoji, users: value.as_object()? }))
    }

    /// Import ids of all people the message needs to be found, possibly more than once.
    pub fn people(self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.author())
            .chain(self.mentions().into_iter().flatten().filter(|id| !is_group_mention(id)))
            .chain(self.replies().into_iter().flatten())
            .chain(self.editor())
            .chain(self.reactions().flat_map(StagedReaction::users))
    }
}

/// Whether a mention means everybody in the room instead of one person.
pub(in crate::domain) fn is_group_mention(mention: &str) -> bool {
    matches!(mention, "all" | "here")
}
