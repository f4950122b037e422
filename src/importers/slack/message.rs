//! A message as it stands in an export, read no further than is needed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::importers::moments::slack_micros;

use super::{files::File, text::ROCKET_CAT};

/// A message of an export. Each member may hold anything; a useless one is as good as not there.
#[derive(Debug, Deserialize)]
pub(super) struct RawMessage<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    subtype: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user: Option<&'a RawValue>,
    #[serde(borrow, default)]
    bot_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    username: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) user_profile: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) bot_profile: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thread_ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) blocks: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) attachments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    files: Option<&'a RawValue>,
    /// Of exports made before 2018.
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) comment: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) reactions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) edited: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) icons: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) pinned_to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) pinned_info: Option<&'a RawValue>,
    #[serde(borrow, default)]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default)]
    purpose: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
}

/// What Rocket.Chat has for a subtype of Slack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subtype {
    Plain,
    /// Something said in the third person.
    Me,
    Bot,
    /// An answer that is shown in the channel as well.
    Broadcast,
    /// A message of the system: its type, and which member of the message holds its text.
    System(&'static str, SystemText),
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SystemText {
    None,
    Topic,
    Purpose,
    Name,
}

impl<'a> RawMessage<'a> {
    /// Reads an element.
    ///
    /// # Errors
    /// With the reason, which quotes nothing of the element.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, String> {
        let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return Err("It is no JSON object.".to_owned());
        }
        serde_json::from_slice(json)
            .map_err(|error| format!("Its JSON is broken at line {}, column {} of it.", error.line(), error.column()))
    }

    pub(super) fn is_message(&self) -> bool {
        text(self.kind).as_deref() == Some("message")
    }

    /// The time as Slack writes it, which is also the message's name within its channel.
    pub(super) fn ts(&self) -> Option<Cow<'a, str>> {
        // A few writers make a number of it.
        text(self.ts).or_else(|| self.ts.map(|ts| Cow::Borrowed(ts.get()))).filter(|ts| slack_micros(ts).is_some())
    }

    pub(super) fn micros(&self) -> Option<u64> {
        slack_micros(&self.ts()?)
    }

    /// The time of the first message of the thread that this one answers to.
    pub(super) fn answers_to(&self) -> Option<Cow<'a, str>> {
        let root = text(self.thread_ts).filter(|root| slack_micros(root).is_some())?;
        (slack_micros(&root) != self.micros()).then_some(root)
    }

    /// Who wrote it; none if it was a bot without a user.
    pub(super) fn author_id(&self) -> Option<Cow<'a, str>> {
        text(self.user).filter(|id| !id.is_empty()).or_else(|| {
            let comment = object(self.comment)?;
            Some(Cow::Owned(comment.get("user")?.as_str().filter(|id| !id.is_empty())?.to_owned()))
        })
    }

    /// The import id of its author, with Rocket.Chat's own bot for those who are nobody.
    pub(super) fn author(&self) -> Cow<'a, str> {
        match self.author_id() {
            Some(id) if super::text::is_slackbot(&id) => Cow::Borrowed(ROCKET_CAT),
            Some(id) => id,
            None => Cow::Borrowed(ROCKET_CAT),
        }
    }

    /// The name that a bot gave itself.
    pub(super) fn bot_name(&self) -> Option<String> {
        let given = text(self.username).filter(|name| !name.is_empty()).map(Cow::into_owned);
        given.or_else(|| {
            let profile = object(self.bot_profile)?;
            Some(profile.get("name")?.as_str().filter(|name| !name.is_empty())?.to_owned())
        })
    }

    pub(super) fn is_of_a_bot(&self) -> bool {
        self.bot_id.is_some() || self.bot_profile.is_some()
    }

    pub(super) fn text(&self) -> Cow<'a, str> {
        text(self.text).unwrap_or_default()
    }

    pub(super) fn system_text(&self, which: SystemText) -> Cow<'a, str> {
        let member = match which {
            SystemText::None => None,
            SystemText::Topic => self.topic,
            SystemText::Purpose => self.purpose,
            SystemText::Name => self.name,
        };
        text(member).unwrap_or_default()
    }

    pub(super) fn subtype_name(&self) -> Option<Cow<'a, str>> {
        text(self.subtype).filter(|subtype| !subtype.is_empty())
    }

    /// Source: `apps/meteor/server/lib/import/slack/SlackImporter.ts`.
    pub(super) fn subtype(&self) -> Subtype {
        match self.subtype_name().as_deref() {
            // A file was shared, with or without a text.
            None | Some("file_share") => Subtype::Plain,
            Some("me_message") => Subtype::Me,
            Some("bot_message" | "slackbot_response") => Subtype::Bot,
            Some("thread_broadcast") => Subtype::Broadcast,
            Some("channel_join" | "group_join") => Subtype::System("uj", SystemText::None),
            Some("channel_leave" | "group_leave") => Subtype::System("ul", SystemText::None),
            Some("channel_topic" | "group_topic") => Subtype::System("room_changed_topic", SystemText::Topic),
            Some("channel_purpose" | "group_purpose") => {
                Subtype::System("room_changed_description", SystemText::Purpose)
            }
            Some("channel_name" | "group_name") => Subtype::System("r", SystemText::Name),
            Some("pinned_item") => Subtype::System("message_pinned", SystemText::None),
            Some(_) => Subtype::Unknown,
        }
    }

    /// Its files, and what the row of each is named after.
    pub(super) fn files(&self) -> Vec<File> {
        if let Some(files) = self.files {
            let files: Vec<Value> = serde_json::from_str(files.get()).unwrap_or_default();
            return files
                .into_iter()
                .enumerate()
                .map(|(at, file)| File::new(file, format!("file{}", at + 1)))
                .collect();
        }
        object(self.file).map(|file| File::new(file, "fileshare".to_owned())).into_iter().collect()
    }

    pub(super) fn has_files(&self) -> bool {
        self.files.or(self.file).is_some()
    }

    /// Why it is left out, if it is.
    pub(super) fn why_passed_over(&self) -> Option<&'static str> {
        if !self.is_message() {
            return Some("Not of the type message.");
        }
        let has_content = || {
            !self.text().trim().is_empty()
                || [self.blocks, self.attachments].into_iter().any(|member| !list(member).is_empty())
                || self.has_files()
                || self.comment.is_some()
        };
        let empty = self.subtype() == Subtype::Unknown && !has_content();
        empty.then_some("Of a subtype without a counterpart, and without a text.")
    }
}

/// The object that a member holds, if it holds one.
pub(super) fn object(member: Option<&RawValue>) -> Option<Value> {
    serde_json::from_str::<Value>(member?.get()).ok().filter(Value::is_object)
}

/// The elements of the list that a member holds; none if it holds none.
pub(super) fn list(member: Option<&RawValue>) -> Vec<Value> {
    member.and_then(|member| serde_json::from_str(member.get()).ok()).unwrap_or_default()
}

fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    // A borrowed text is possible only if it holds no escapes.
    let raw = raw?.get();
    match serde_json::from_str::<&str>(raw) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
    }
}
