//! The message that a staged message becomes.

use std::cell::RefCell;

use thiserror::Error;

use super::{
    Builder, FieldValue, Fields, Person, attachments, message_text::with_names, source_hash::SourceHash,
    stable_id::stable_id, text, texts, thread::Thread, urls::urls_field, without_nulls,
};
use crate::domain::{
    field_value::Date,
    record_type::RecordType,
    staged::{ROCKET_CAT, StagedMessage, is_group_mention, list, object},
};

/// What has to be looked up for a message. [`StagedMessage`] lists the ids, so that a batch can look them up at once.
pub trait MessageLookups {
    /// The account with this import id.
    fn person(&self, import_id: &str) -> Option<&Person>;

    /// The `_id` of the room with this import id, else of the one with this name that the importer may mean.
    fn room(&self, import_id_or_name: &str) -> Option<&str>;

    /// The room a text mentions: by import id, else a public one by name.
    fn mentioned_room(&self, import_id_or_name: &str) -> Option<&MentionedRoom>;

    /// Whether the message with this id was imported before or is part of this import.
    fn is_imported(&self, message_id: &str) -> bool;

    /// The answers to the message with this id, as far as they were counted; `None` keeps what the source says.
    fn thread(&self, message_id: &str) -> Option<&Thread>;
}

/// A room, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionedRoom {
    /// The room's `_id`.
    pub id: String,
    pub name: String,
}

/// Why a staged message cannot become one. The texts are Rocket.Chat's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MessageError {
    #[error("importer-message-invalid-timestamp")]
    InvalidTimestamp,
    #[error("importer-message-unknown-user")]
    UnknownUser,
    #[error("importer-message-unknown-room")]
    UnknownRoom,
}

/// Something in a message that was left out because it is not known here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    Mention(String),
    MentionedRoom(String),
    Editor(String),
    Reaction(String),
    /// The message answers in a thread whose first message is not there, and became a plain message.
    ThreadRoot(String),
}

/// A message that can be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The `_id`.
    pub id: String,
    /// The room's `_id`.
    pub room: String,
    /// The author's `_id`.
    pub author: String,
    pub ts: Date,
    /// All fields, in the order in which Rocket.Chat stores them.
    pub document: Fields,
    /// Tells whether the source has changed since the message was imported.
    pub source: SourceHash,
    /// What was left out.
    pub unknown: Vec<Unknown>,
}

/// How the `_id` of a message follows from its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageIds {
    /// The id that was staged is the `_id`, as in Rocket.Chat's importers.
    Staged,
    /// The ids of the file name records of that file only: the `_id` is derived from importer, room and id.
    OfFile { importer: &'static str },
}

impl MessageIds {
    /// The `_id` of a message that lies in the room with the `_id` `room`.
    ///
    /// A message without an id of its own gets one from room, author, time, text and `ordinal`, its number among those
    /// that agree in all four.
    #[must_use]
    pub fn id_of(self, staged: StagedMessage<'_>, room: &str, author: &str, ordinal: u32) -> String {
        match (self, staged.id()) {
            (Self::Staged, Some(id)) => id.to_owned(),
            (Self::OfFile { importer }, Some(id)) => stable_id(RecordType::Message, &[importer, room, id]),
            (_, None) => {
                let ts = staged.ts().map(Date::epoch_millis).unwrap_or_default().to_string();
                stable_id(RecordType::Message, &["", room, author, &ts, staged.text(), &ordinal.to_string()])
            }
        }
    }

    /// The `_id` of the message of the same room that has this id in its source, such as the first of a thread.
    #[must_use]
    pub fn other(self, id: &str, room: &str) -> String {
        match self {
            Self::Staged => id.to_owned(),
            Self::OfFile { importer } => stable_id(RecordType::Message, &[importer, room, id]),
        }
    }

    /// The room of a message, by the id that stays the same for every import of its source: that of the source where ids of
    /// messages come from there, else the `_id` `room`.
    #[must_use]
    pub fn steady_room<'a>(self, staged: StagedMessage<'a>, room: &'a str) -> &'a str {
        match self {
            Self::Staged => staged.room().unwrap_or(room),
            Self::OfFile { .. } => room,
        }
    }
}

/// Makes the message of a staged message.
///
/// `ordinal` is the message's number among those of this import without an id that agree in room, author, time and
/// text; `now` becomes `_updatedAt`.
///
/// # Errors
/// When the author, the room or the time is not known.
///
/// Source: `apps/meteor/server/lib/import/classes/converters/MessageConverter.ts`,
/// `apps/meteor/server/lib/messages/insertMessage.ts`.
pub fn message(
    staged: StagedMessage<'_>,
    ids: MessageIds,
    ordinal: u32,
    lookups: &impl MessageLookups,
    now: Date,
) -> Result<Message, MessageError> {
    let ts = staged.ts().ok_or(MessageError::InvalidTimestamp)?;
    let author = person(lookups, staged.author()).ok_or(MessageError::UnknownUser)?;
    let room = staged.room().and_then(|room| lookups.room(room)).ok_or(MessageError::UnknownRoom)?.to_owned();
    let id = ids.id_of(staged, &room, &author.id, ordinal);
    let fields = staged.fields();
    let references = References { staged, lookups, unknown: RefCell::default() };

    let (message_text, mentions, channels) = references.text();
    let mut document = Builder::default();
    document.put_text("_id", &id).put_text("rid", &room).put("u", author.author_reference());
    document.put_text("msg", &message_text).put_date("ts", ts);
    document.put_some("t", staged.system_type().map(text)).put_some("groupable", fields.get("groupable").cloned());
    if let Some(root) = staged.thread_root() {
        let root_id = ids.other(root, &room);
        if lookups.is_imported(&root_id) {
            document.put_text("tmid", &root_id).put_some("tshow", fields.get("tshow").cloned());
        } else {
            references.leave_out(Unknown::ThreadRoot(root.to_owned()));
        }
    }
    put_thread(&mut document, staged, lookups, lookups.thread(&id));
    document.put_some("editedAt", fields.get("editedAt").cloned()).put_some("editedBy", references.editor());
    document.put_some("mentions", mentions).put_some("channels", channels);
    document.put_some(
        "_importFile",
        object(fields, "_importFile").map(|file| without_nulls(&FieldValue::Object(file.clone()))),
    );
    document.put_some("_hidden", fields.get("_hidden").cloned()).put_some("url", fields.get("url").map(without_nulls));
    document.put_some("attachments", list(fields, "attachments").and_then(attachments::cleaned));
    for field in ["bot", "emoji", "alias", "avatar"] {
        document.put_some(field, fields.get(field).map(without_nulls));
    }
    document.put_some("reactions", references.reactions());
    put_pin(&mut document, &references, author);
    document.put("urls", urls_field(&message_text)).put_date("_updatedAt", now);

    let author = author.id.clone();
    let source = SourceHash::new(fields);
    let unknown = references.unknown.into_inner();
    Ok(Message { id, room, author, ts, document: document.build(), source, unknown })
}

fn person<'l>(lookups: &'l impl MessageLookups, import_id: &str) -> Option<&'l Person> {
    static BOT: std::sync::LazyLock<Person> = std::sync::LazyLock::new(Person::rocket_cat);
    lookups.person(import_id).or_else(|| (import_id == ROCKET_CAT).then_some(&*BOT))
}

/// `tlm`, `tcount` and `replies`: as counted, else as the source has them.
fn put_thread(
    document: &mut Builder,
    staged: StagedMessage<'_>,
    lookups: &impl MessageLookups,
    thread: Option<&Thread>,
) {
    if let Some(thread) = thread {
        document.put_date("tlm", thread.last()).put_number("tcount", thread.answers().into());
        document.put("replies", texts(thread.people()));
        return;
    }
    let counted = staged.fields().get("tcount").and_then(FieldValue::as_integer).unwrap_or_default() > 0;
    if counted {
        document.put_some("tlm", staged.fields().get("tlm").cloned());
        document.put_some("tcount", staged.fields().get("tcount").cloned());
        let known = staged.replies().map(|replies| replies.filter_map(|id| person(lookups, id)));
        document.put_some("replies", known.map(|known| texts(known.map(|person| person.id.as_str()))));
    }
}

/// A pin needs its time and a person; the author stands in for an unknown one, as Rocket.Chat's client needs somebody.
fn put_pin(document: &mut Builder, references: &References<'_, impl MessageLookups>, author: &Person) {
    let fields = references.staged.fields();
    if !fields.get("pinned").is_some_and(FieldValue::is_truthy) {
        return;
    }
    let by = fields.get("pinnedBy").and_then(FieldValue::as_text).and_then(|id| person(references.lookups, id));
    document.put_flag("pinned", true).put_some("pinnedAt", fields.get("pinnedAt").cloned());
    document.put("pinnedBy", by.unwrap_or(author).short_reference());
}

/// Resolves the ids in a message and notes those that are not known.
struct References<'a, L> {
    staged: StagedMessage<'a>,
    lookups: &'a L,
    unknown: RefCell<Vec<Unknown>>,
}

impl<'a, L: MessageLookups> References<'a, L> {
    fn leave_out(&self, unknown: Unknown) {
        self.unknown.borrow_mut().push(unknown);
    }

    /// The text with names in place of ids, and the fields `mentions` and `channels`.
    fn text(&self) -> (String, Option<FieldValue>, Option<FieldValue>) {
        let mentions =
            self.staged.mentions().map(|ids| FieldValue::List(ids.filter_map(|id| self.mention(id)).collect()));
        let channels =
            self.staged.channels().map(|ids| FieldValue::List(ids.filter_map(|id| self.channel(id)).collect()));
        let mut message = self.staged.text().to_owned();
        let mentioned = |id: &str| self.staged.mentions().is_some_and(|mut mentions| mentions.any(|one| one == id));
        if mentions.is_some() {
            let name = |id: &str| {
                person(self.lookups, id).filter(|_| mentioned(id)).and_then(|person| person.username.as_deref())
            };
            message = with_names(&message, '@', name);
        }
        let linked = |id: &str| self.staged.channels().is_some_and(|mut channels| channels.any(|one| one == id));
        if channels.is_some() {
            let name = |id: &str| self.lookups.mentioned_room(id).filter(|_| linked(id)).map(|room| room.name.as_str());
            message = with_names(&message, '#', name);
        }
        (message, mentions, channels)
    }

    fn mention(&self, id: &'a str) -> Option<FieldValue> {
        if is_group_mention(id) {
            return Some(FieldValue::Object(Fields::from_iter([("_id", text(id)), ("username", text(id))])));
        }
        let known = person(self.lookups, id).filter(|person| person.username.is_some());
        if known.is_none() {
            self.leave_out(Unknown::Mention(id.to_owned()));
        }
        known.map(Person::reference)
    }

    fn channel(&self, id: &'a str) -> Option<FieldValue> {
        let known = self.lookups.mentioned_room(id);
        if known.is_none() {
            self.leave_out(Unknown::MentionedRoom(id.to_owned()));
        }
        known.map(|room| FieldValue::Object(Fields::from_iter([("_id", text(&room.id)), ("name", text(&room.name))])))
    }

    fn editor(&self) -> Option<FieldValue> {
        let id = self.staged.editor()?;
        let known = person(self.lookups, id);
        if known.is_none() {
            self.leave_out(Unknown::Editor(id.to_owned()));
        }
        known.map(Person::short_reference)
    }

    /// Only emoji that somebody known used.
    fn reactions(&self) -> Option<FieldValue> {
        let mut reactions = Fields::default();
        for reaction in self.staged.reactions() {
            let (known, unknown): (Vec<_>, Vec<_>) = reaction
                .users()
                .map(|id| person(self.lookups, id).and_then(|person| person.username.as_deref()).ok_or(id))
                .partition(Result::is_ok);
            self.unknown
                .borrow_mut()
                .extend(unknown.into_iter().filter_map(Result::err).map(|id| Unknown::Reaction(id.to_owned())));
            if !known.is_empty() {
                let people = texts(known.into_iter().filter_map(Result::ok));
                let entry = Fields::from_iter([("name", text(reaction.emoji)), ("usernames", people)]);
                reactions = reactions.with(reaction.emoji, FieldValue::Object(entry));
            }
        }
        if reactions.iter().len() > 0 { Some(FieldValue::Object(reactions)) } else { None }
    }
}
