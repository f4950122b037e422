//! Messages of a room as records: the row of each file first, then the message itself, as Rocket.Chat stages them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::domain::{
    field_value::{FieldValue, Fields},
    record_type::RecordType,
};

use crate::importers::{
    entries::FoundElement,
    json::{date, person, text, text_of, texts},
    moments::{slack_micros, slack_millis},
    record::{At, Element, Note, PassedOver, Place, Problem, Record},
};

use super::{
    attachments,
    blocks::push_blocks,
    files::{Fate, File},
    message::{RawMessage, Subtype, list, object},
    names::Names,
    survey::Survey,
    text::{People, Text, import_id, plain, reaction},
};

/// Stages the messages of one room.
#[derive(Debug)]
pub(super) struct RoomMessages {
    room_id: Box<str>,
    names: Arc<Names>,
    survey: Survey,
}

/// Where in the room a message belongs.
struct Stand<'m> {
    base: String,
    micros: u64,
    millis: i64,
    author: &'m str,
    /// The `_id` of the first message of its thread, if that is there.
    tmid: Option<String>,
    place: Place,
}

/// A record's data while it grows.
type Data = Vec<(&'static str, FieldValue)>;

impl RoomMessages {
    pub(super) fn new(room_id: &str, names: Arc<Names>, survey: Survey) -> Self {
        Self { room_id: room_id.into(), names, survey }
    }

    /// What becomes of an element of a day.
    pub(super) fn staged(&mut self, element: FoundElement) -> Vec<Element> {
        let (place, json) = match element {
            Ok(element) => element,
            Err(problem) => return vec![problem.into()],
        };
        let message = match RawMessage::read(&json) {
            Ok(message) => message,
            Err(reason) => return vec![Problem::new(RecordType::Message, place, reason).into()],
        };
        let Some(ts) = message.ts().filter(|_| message.is_message()) else {
            let element = match message.why_passed_over() {
                Some(reason) => PassedOver::one("message", reason, place).into(),
                None => Problem::new(RecordType::Message, place, "The message has no time (ts).").into(),
            };
            return vec![element];
        };
        let place = place.at(At::Time(ts.to_string()));
        if let Some(reason) = message.why_passed_over() {
            return vec![PassedOver::one("message", reason, place).into()];
        }
        let micros = slack_micros(&ts).unwrap_or_default();
        if self.survey.is_repeated(micros) {
            let reason = "There more than once with the same time.";
            return vec![PassedOver::one("message", reason, place).into()];
        }
        let author = message.author();
        let answers_to = message.answers_to();
        let known_root = answers_to.as_deref().filter(|root| self.has_root(root));
        let stand = Stand {
            base: self.message_id(&ts),
            micros,
            millis: self.survey.millis(micros),
            author: &author,
            tmid: known_root.map(|root| self.message_id(root)),
            place,
        };
        let mut notes = Vec::new();
        if answers_to.is_some() && stand.tmid.is_none() {
            notes.push(Note::AnswerWithoutRoot);
        }
        self.rows(&message, &stand, notes)
    }

    fn has_root(&self, root: &str) -> bool {
        slack_micros(root).is_some_and(|root| self.survey.has_root(root))
    }

    /// The `_id` that Rocket.Chat gives a message of Slack.
    fn message_id(&self, ts: &str) -> String {
        format!("slack-{}-{}", self.room_id, ts.replace('.', "-"))
    }

    fn rows(&self, message: &RawMessage<'_>, stand: &Stand<'_>, mut notes: Vec<Note>) -> Vec<Element> {
        let files = message.files();
        let pending: Vec<(&File, &str)> = files
            .iter()
            .filter_map(|file| match file.fate() {
                Fate::Pending(address) => Some((file, address)),
                Fate::Link { .. } | Fate::Gone(_) => None,
            })
            .collect();
        let main = self.main_row(message, &files, stand, &mut notes, pending.is_empty());
        let first = stand.millis + i64::from(main.is_some());
        let mut rows: Vec<Element> = (first..)
            .zip(&pending)
            .map(|(millis, (file, address))| self.file_row(file, address, millis, stand))
            .collect();
        rows.push(match main {
            Some(mut record) => {
                record.notes = notes;
                record.into()
            }
            None => PassedOver::one("message", "It holds nothing but its files.", stand.place.clone()).into(),
        });
        rows
    }

    /// The hidden row from which a file is fetched later.
    fn file_row(&self, file: &File, address: &str, millis: i64, stand: &Stand<'_>) -> Element {
        let mut data: Data = vec![
            ("_id", text(format!("{}-{}", stand.base, file.suffix()))),
            ("rid", text(&*self.room_id)),
            ("ts", date(millis)),
            ("msg", text("")),
            ("_hidden", FieldValue::Boolean(true)),
            ("_importFile", file.import_file(address)),
            ("u", person(stand.author)),
        ];
        data.extend(stand.tmid.as_deref().map(|tmid| ("tmid", text(tmid))));
        Record::new(RecordType::Message, Fields::from_iter(data), stand.place.clone()).into()
    }

    /// The message itself; none if it is nothing but the frame of its files.
    fn main_row(
        &self,
        message: &RawMessage<'_>,
        files: &[File],
        stand: &Stand<'_>,
        notes: &mut Vec<Note>,
        is_needed: bool,
    ) -> Option<Record> {
        let subtype = message.subtype();
        let thread = self.survey.thread(stand.micros);
        let words = self.words(message, subtype, files, notes);
        let mut data: Data = vec![
            ("_id", text(&*stand.base)),
            ("rid", text(&*self.room_id)),
            ("ts", date(stand.millis)),
            ("msg", text(words.shown.as_str())),
            ("u", person(stand.author)),
        ];
        let bare_fields = data.len();
        data.extend(reactions(&list(message.reactions)).map(|reactions| ("reactions", reactions)));
        if let Subtype::System(kind, _) = subtype {
            data.extend([("t", text(kind)), ("groupable", FieldValue::Boolean(false))]);
        }
        let (attachments, cleaned) = attachments::converted(list(message.attachments), &self.names);
        if cleaned {
            notes.push(Note::AttachmentCleaned);
        }
        if subtype == Subtype::Bot || (message.is_of_a_bot() && message.author_id().is_none()) {
            data.push(("bot", FieldValue::Boolean(true)));
        }
        if let Some(thread) = thread {
            data.extend([
                ("replies", texts(self.survey.repliers(thread))),
                ("tcount", FieldValue::Integer(thread.answers.into())),
                ("tlm", date(self.survey.millis(thread.last))),
            ]);
        }
        if let Some(tmid) = &stand.tmid {
            data.push(("tmid", text(tmid.as_str())));
            if subtype == Subtype::Broadcast {
                data.push(("tshow", FieldValue::Boolean(true)));
            }
        }
        data.extend(edited(message));
        if !attachments.is_empty() {
            data.push(("attachments", FieldValue::List(attachments)));
        }
        let icons = object(message.icons);
        data.extend(icons.as_ref().and_then(|icons| text_of(icons, "emoji")).map(|emoji| ("emoji", text(emoji))));
        if !words.mentions.is_empty() {
            data.push(("mentions", texts(words.mentions)));
        }
        if !words.channels.is_empty() {
            data.push(("channels", texts(words.channels)));
        }
        data.extend(alias(message, subtype, notes).map(|alias| ("alias", text(alias))));
        data.extend(pinned(message));
        let framing = ["tmid", "editedAt", "editedBy"];
        let holds_more = data[bare_fields..].iter().any(|(name, _)| !framing.contains(name));
        if !is_needed && !holds_more && words.shown.trim().is_empty() {
            return None;
        }
        Some(Record::new(RecordType::Message, Fields::from_iter(data), stand.place.clone()))
    }

    /// The text of a message and whom it mentions.
    fn words(&self, message: &RawMessage<'_>, subtype: Subtype, files: &[File], notes: &mut Vec<Note>) -> Text<'_> {
        let mut words = Text::new(&self.names, People::ByImportId);
        if let Subtype::System(_, which) = subtype {
            words.shown = plain(&message.system_text(which), &self.names);
            return words;
        }
        let comment = object(message.comment);
        let comment = comment.as_ref().and_then(|comment| text_of(comment, "comment"));
        // In exports made before 2018 the text of a shared file is a sentence of Slack's about it.
        let is_old_share = files.first().is_some_and(|file| file.suffix() == "fileshare");
        let markup = if is_old_share {
            files.iter().find_map(File::initial_comment).unwrap_or_default().into()
        } else {
            message.text()
        };
        if !markup.trim().is_empty() {
            words.push_markup(&markup);
        } else if let Some(comment) = comment {
            words.push_markup(comment);
        } else {
            push_blocks(&list(message.blocks), &mut words);
        }
        if subtype == Subtype::Me && !words.shown.is_empty() {
            words.shown = format!("_{}_", words.shown);
        }
        for file in files {
            let line = match file.fate() {
                Fate::Pending(_) => continue,
                Fate::Link { name, address } => format!("[{name}]({address})"),
                Fate::Gone(line) => {
                    notes.push(Note::FileGone);
                    line.to_owned()
                }
            };
            if !words.shown.is_empty() {
                words.shown.push('\n');
            }
            words.shown.push_str(&line);
        }
        if subtype == Subtype::Unknown {
            notes.push(Note::UnknownSubtype);
        }
        if words.emoji_unchanged {
            notes.push(Note::EmojiUnchanged);
        }
        words
    }
}

/// The name a bot gave itself, where its account does not say it.
fn alias(message: &RawMessage<'_>, subtype: Subtype, notes: &mut Vec<Note>) -> Option<String> {
    let is_nobody = message.author_id().is_none();
    let alias = (is_nobody || subtype == Subtype::Bot).then(|| message.bot_name()).flatten();
    if is_nobody && alias.is_none() {
        notes.push(Note::AuthorUnknown);
    }
    alias
}

fn edited(message: &RawMessage<'_>) -> Data {
    let Some(edited) = object(message.edited) else { return Data::new() };
    let Some(millis) = text_of(&edited, "ts").and_then(slack_millis) else { return Data::new() };
    let mut data = vec![("editedAt", date(millis))];
    data.extend(text_of(&edited, "user").map(|editor| ("editedBy", text(import_id(editor)))));
    data
}

fn pinned(message: &RawMessage<'_>) -> Data {
    if list(message.pinned_to).is_empty() {
        return Data::new();
    }
    let mut data = vec![("pinned", FieldValue::Boolean(true))];
    if let Some(info) = object(message.pinned_info) {
        let when = info.get("pinned_ts").and_then(|ts| match ts {
            Value::String(text) => slack_millis(text),
            Value::Number(number) => slack_millis(&number.to_string()),
            _ => None,
        });
        data.extend(when.map(|millis| ("pinnedAt", date(millis))));
        data.extend(text_of(&info, "pinned_by").map(|who| ("pinnedBy", text(import_id(who)))));
    }
    data
}

/// Reactions by their emoji, each with those who gave it.
fn reactions(reactions: &[Value]) -> Option<FieldValue> {
    let mut people: IndexMap<String, Vec<&str>> = IndexMap::new();
    for given in reactions {
        let Some(name) = text_of(given, "name") else { continue };
        let users = given.get("users").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for user in users.iter().filter_map(Value::as_str).map(import_id) {
            let people = people.entry(reaction(name)).or_default();
            if !people.contains(&user) {
                people.push(user);
            }
        }
    }
    if people.is_empty() {
        return None;
    }
    let reactions = people.into_iter().map(|(emoji, users)| {
        let reaction = Fields::from_iter([("name", text(emoji.as_str())), ("users", texts(users))]);
        (emoji, FieldValue::Object(reaction))
    });
    Some(FieldValue::Object(reactions.collect()))
}
