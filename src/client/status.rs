//! What `import.status` answers, as far as the program reads it.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{importer::Importer, sent_list::SentList};

/// The state of the newest import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReportedState {
    /// No import was ever made.
    None,
    New,
    Loading,
    Ready,
    Importing,
    Done,
    Error,
    Canceled,
    /// Missing, or a word of a release to come.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ReportedState {
    /// Whether nothing more will happen to the import.
    pub(crate) fn is_end(self) -> bool {
        match self {
            Self::None | Self::Done | Self::Error | Self::Canceled => true,
            Self::New | Self::Loading | Self::Ready | Self::Importing | Self::Unknown => false,
        }
    }

    /// Whether users may be staged.
    pub(crate) fn takes_users(self) -> bool {
        matches!(self, Self::New | Self::Ready)
    }

    pub(crate) fn in_plain_words(self) -> &'static str {
        match self {
            Self::None => "no import was made yet",
            Self::New => "made, no users yet",
            Self::Loading => "a file is being read",
            Self::Ready => "users are staged, the run was not started",
            Self::Importing => "users are being created",
            Self::Done => "done",
            Self::Error => "stopped before it was done (cleared, replaced, or an error)",
            Self::Canceled => "canceled by an administrator",
            Self::Unknown => "at a step that this program does not know",
        }
    }
}

/// The records of an operation.
#[derive(Debug, Clone, Copy)]
enum Content {
    Users,
    /// Those of a file: people, rooms and messages.
    Records,
    /// Files that imported messages wait for.
    Files,
    /// Pictures that imported people wait for.
    Pictures,
}

/// How many records, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UserCounts {
    /// All records of the import; 0 while none is staged.
    pub(crate) total: u64,
    /// Staged users; then the other records of a file.
    pub(crate) users: u64,
    pub(crate) contacts: u64,
    pub(crate) channels: u64,
    pub(crate) messages: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

impl UserCounts {
    pub(crate) fn processed(self) -> u64 {
        self.completed + self.failed
    }

    pub(crate) fn percent(self) -> Option<u64> {
        (self.total > 0).then(|| self.processed().min(self.total) * 100 / self.total)
    }
}

/// One answer of `import.status`.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// The body as the server sent it.
    pub(crate) body: String,
    pub(crate) state: ReportedState,
    /// The operation's `_id`; empty if there is none.
    pub(crate) operation: String,
    pub(crate) importer: String,
    /// The name of the operation's file, behind a moment and a user; empty if there is none.
    pub(crate) file: String,
    /// The operation that this one goes on with.
    pub(crate) resumes: Option<String>,
    /// The first of the operations that go on with each other.
    pub(crate) root: Option<String>,
    /// Why the import failed.
    pub(crate) problem: Option<String>,
    /// Whether it fetches what an import left to be fetched.
    pub(crate) fetches: bool,
    /// The import that it follows by itself.
    pub(crate) follows: Option<String>,
    /// Whether files and pictures are to follow it by themselves, and do not yet.
    pub(crate) is_to_be_followed: bool,
    /// The bytes of files that were fetched, and of all as far as they are known.
    pub(crate) fetched_bytes: Option<(u64, u64)>,
    /// The list that it was begun for.
    pub(crate) list: Option<SentList>,
    /// Whether a call to the service ended it.
    pub(crate) was_ended_by_call: bool,
    pub(crate) started: Option<String>,
    pub(crate) updated: Option<String>,
    /// For how long nothing has moved, who runs the import and what to do, in sentences; `None` while it moves.
    pub(crate) stalled: Option<String>,
    pub(crate) counts: UserCounts,
}

#[derive(Deserialize)]
struct Body {
    success: bool,
    #[serde(default)]
    state: ReportedState,
    #[serde(default)]
    operation: Value,
}

impl Status {
    /// The state in words, which fit what the operation is about.
    pub(crate) fn in_plain_words(&self) -> &'static str {
        use ReportedState as State;
        match (self.content(), self.state) {
            (Content::Records, State::New) => "made, no file yet",
            (Content::Records, State::Ready) => "the file is loaded, the run was not started",
            (Content::Records, State::Importing) => "records are being imported",
            (Content::Files, State::New | State::Loading | State::Ready) => "files are being looked for",
            (Content::Files, State::Importing) => "files are being fetched",
            (Content::Pictures, State::New | State::Loading | State::Ready) => "pictures are being looked for",
            (Content::Pictures, State::Importing) => "pictures are being fetched",
            (_, state) => state.in_plain_words(),
        }
    }

    /// The word for its records.
    pub(crate) fn records(&self) -> &'static str {
        match self.content() {
            Content::Users => "users",
            Content::Records => "records",
            Content::Files => "files",
            Content::Pictures => "pictures",
        }
    }

    /// The word for records that are processed and did not fail.
    pub(crate) fn completed(&self) -> &'static str {
        match self.content() {
            Content::Users | Content::Records => "created",
            Content::Files | Content::Pictures => "fetched",
        }
    }

    fn content(&self) -> Content {
        match Importer::from_key(&self.importer) {
            Some(Importer::PendingFiles) => Content::Files,
            Some(Importer::PendingAvatars) => Content::Pictures,
            Some(importer) if importer.reads_files() => Content::Records,
            // An importer of a release to come.
            _ if !self.file.is_empty() => Content::Records,
            _ => Content::Users,
        }
    }

    /// Reads a body; `None` if it is not one of `import.status`.
    pub(super) fn read(body: String) -> Option<Self> {
        let Body { success, state, operation } = serde_json::from_str(&body).ok()?;
        let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let own = |name: &str| operation.get("import").and_then(|own| own.get(name));
        let own_text = |name: &str| own(name).and_then(Value::as_str).map(str::to_owned);
        // Old operations hold a number of milliseconds.
        let moment = |name: &str| match operation.get(name)? {
            Value::String(moment) => Some(moment.clone()),
            Value::Number(milliseconds) => {
                chrono::DateTime::from_timestamp_millis(milliseconds.as_i64()?).map(|moment| moment.to_rfc3339())
            }
            _ => None,
        };
        success.then(|| Self {
            state,
            operation: text("_id"),
            importer: text("importerKey"),
            file: text("file"),
            resumes: own_text("resumes"),
            root: own_text("records"),
            problem: own_text("problem"),
            fetches: own("fetches").and_then(Value::as_bool).unwrap_or_default(),
            follows: own_text("follows"),
            is_to_be_followed: own("fetchNext").and_then(Value::as_bool).unwrap_or_default(),
            fetched_bytes: own("bytes").and_then(whole).zip(own("bytesTotal").and_then(whole)),
            list: own("list").and_then(list_of),
            was_ended_by_call: own("endedByCall").and_then(Value::as_bool).unwrap_or_default(),
            started: moment("ts"),
            updated: moment("_updatedAt"),
            stalled: own("stalled").and_then(|stalled| stalled.get("words")?.as_str()).map(str::to_owned),
            counts: UserCounts {
                total: count(&operation, "total"),
                users: count(&operation, "users"),
                contacts: count(&operation, "contacts"),
                channels: count(&operation, "channels"),
                messages: count(&operation, "messages"),
                completed: count(&operation, "completed"),
                failed: count(&operation, "error"),
            },
            body,
        })
    }
}

fn list_of(list: &Value) -> Option<SentList> {
    let text = |name: &str| list.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(SentList { fingerprint: text("fingerprint")?, file: text("file"), users: list.get("users").and_then(whole)? })
}

fn count(operation: &Value, name: &str) -> u64 {
    operation.get("count").and_then(|count| count.get(name)).and_then(whole).unwrap_or_default()
}

/// Rocket.Chat's numbers are doubles and may be printed as such.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count; the cast saturates")]
fn whole(number: &Value) -> Option<u64> {
    Some(number.as_f64()? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_whatever_is_missing() {
        let read = |body: &str| Status::read(body.to_owned());
        assert_eq!(read(r#"{"state":"none","success":true}"#).unwrap().state, ReportedState::None);
        let unknown =
            read(r#"{"operation":{"_id":"a","ts":0,"count":{"total":3.0,"error":1}},"success":true}"#).unwrap();
        assert_eq!((unknown.state, unknown.operation.as_str()), (ReportedState::Unknown, "a"));
        assert_eq!(unknown.started.as_deref(), Some("1970-01-01T00:00:00+00:00"));
        assert_eq!(unknown.counts, UserCounts { total: 3, failed: 1, ..UserCounts::default() });
        assert_eq!(unknown.counts.percent(), Some(33));
        assert_eq!(read(r#"{"state":"melting","success":true}"#).unwrap().state, ReportedState::Unknown);
        assert!(read("<html>").is_none());
        assert!(read(r#"{"success":false}"#).is_none());
    }
}
