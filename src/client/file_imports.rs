//! Imports of files: the place of the file, its content, the start, and the account.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Method, header::CONTENT_TYPE};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Map, Value, json};

use super::{Client, ClientError, ReportedState, Server, Status, retry::Retry};

/// A server may fetch a file for this long before it answers.
const FETCH_PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);
/// The staged people of a large file take a while.
const DATA_PATIENCE: Duration = Duration::from_secs(10 * 60);
const PAGE: u64 = 100;
/// Lines of the account that are read at most.
const MOST_LINES: u64 = 5000;

/// The people and rooms of a loaded file.
#[derive(Debug, Deserialize)]
pub(crate) struct FileData {
    pub(crate) users: Vec<FileUser>,
    pub(crate) channels: Vec<FileChannel>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FileUser {
    pub(crate) user_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FileChannel {
    pub(crate) channel_id: String,
    pub(crate) name: Option<String>,
}

/// The records that an import has left staged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeftStaged {
    pub(crate) users: u64,
    pub(crate) contacts: u64,
    pub(crate) channels: u64,
}

#[derive(Deserialize)]
struct LeftData {
    #[serde(default)]
    users: Vec<IgnoredAny>,
    #[serde(default)]
    contacts: Vec<IgnoredAny>,
    #[serde(default)]
    channels: Vec<LeftChannel>,
}

#[derive(Deserialize)]
struct LeftChannel {
    /// Whether it stands for all direct messages.
    #[serde(default)]
    is_direct: bool,
}

/// The elements of one type and what became of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Total {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) elements: u64,
    pub(crate) imported: u64,
    pub(crate) failed: u64,
    pub(crate) passed_over: u64,
    pub(crate) waiting: u64,
}

/// Something about records that are imported all the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NoteCount {
    pub(crate) note: String,
    pub(crate) count: u64,
}

/// What the end of a run found in the histories of rooms.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HistoryCheck {
    pub(crate) rooms: u64,
    pub(crate) messages: u64,
    /// Days of rooms that lack messages.
    pub(crate) days: u64,
    /// The first of them.
    pub(crate) missing: Vec<MissingMessages>,
}

/// A day of a room that lacks messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MissingMessages {
    pub(crate) room: String,
    pub(crate) day: String,
    pub(crate) imported: u64,
    pub(crate) in_history: u64,
}

/// Elements of one type that were not imported for one reason.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReasonCount {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) count: u64,
    /// Where the first of them is.
    pub(crate) place: Option<String>,
}

/// The account of a file, summed up.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileAccount {
    pub(crate) totals: Vec<Total>,
    pub(crate) notes: Vec<NoteCount>,
    pub(crate) history: Option<HistoryCheck>,
    pub(crate) failed: Vec<ReasonCount>,
    pub(crate) passed_over: Vec<ReasonCount>,
    /// Lines of the account that are not summed up here.
    pub(crate) more_lines: u64,
}

#[derive(Deserialize)]
struct Page {
    totals: Vec<Total>,
    notes: Vec<NoteCount>,
    /// A server of an earlier release has none.
    #[serde(default)]
    history: Option<HistoryCheck>,
    lines: Vec<Line>,
    total: u64,
}

#[derive(Deserialize)]
struct Line {
    outcome: String,
    #[serde(rename = "type")]
    kind: String,
    place: Option<String>,
    reason: String,
    count: u64,
}

/// The count of one reason, and the first place.
type Reasons = BTreeMap<(String, String), (u64, Option<String>)>;

impl Client {
    /// Has the server take a file that it reaches itself: a URL, or a path of its own. Returns the `_id` of the operation.
    pub(crate) async fn take_file(&self, place: &str, importer: &str) -> Result<String, ClientError> {
        let before = self.status().await?.operation;
        let body = json!({ "fileUrl": place, "importerKey": importer }).to_string();
        let mut retry = Retry::new(self.patience);
        loop {
            let request = self.request(Method::POST, "downloadPublicImportFile").timeout(FETCH_PATIENCE);
            let sent = self.send(request.header(CONTENT_TYPE, "application/json").body(body.clone())).await;
            let status = match sent {
                Ok(_) => return Ok(self.status().await?.operation),
                Err(error) if error.leaves_open_what_was_done() => {
                    let status = self.status().await?;
                    if status.operation == before {
                        retry.pause_after(error, &self.notice).await?;
                        continue;
                    }
                    status
                }
                Err(error) => {
                    retry.pause_after(error, &self.notice).await?;
                    continue;
                }
            };
            if status.importer == importer {
                return Ok(status.operation);
            }
            return Err(ClientError::Interfered("somebody else began another import meanwhile".to_owned()));
        }
    }

    /// The people and rooms of the newest operation, which is loaded.
    pub(crate) async fn file_data(&self) -> Result<FileData, ClientError> {
        self.import_file_data().await
    }

    async fn import_file_data<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let get = async || self.send(self.request(Method::GET, "getImportFileData").timeout(DATA_PATIENCE)).await;
        let body = self.repeat(self.patience, get).await?;
        serde_json::from_str(&body).map_err(|_| ClientError::Unreadable("getImportFileData".to_owned()))
    }

    /// The records of the newest operation that are staged, also after its end; without its messages, which nobody counts.
    /// `None` where the staging area holds nothing to go on with.
    ///
    /// Rocket.Chat is not called: it would make an import ready that is over, and goes on with none.
    pub(crate) async fn left_staged(&self) -> Result<Option<LeftStaged>, ClientError> {
        if self.server().await? != Server::ThisService {
            return Ok(None);
        }
        let left: LeftData = match self.import_file_data().await {
            Ok(left) => left,
            // Its file was never loaded as a whole.
            Err(ClientError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(LeftStaged {
            users: left.users.len() as u64,
            contacts: left.contacts.len() as u64,
            channels: left.channels.iter().filter(|channel| !channel.is_direct).count() as u64,
        }))
    }

    /// Starts the run of the operation with this input of `startImport`, once.
    pub(crate) async fn start_file_import(
        &self,
        operation: &str,
        input: &Value,
        rules: &Map<String, Value>,
    ) -> Result<(), ClientError> {
        let mut body = rules.clone();
        body.insert("input".to_owned(), input.clone());
        body.insert("operationId".to_owned(), operation.into());
        let body = Value::Object(body).to_string();
        let post = async || self.post("startImport", body.clone(), None).await;
        self.repeat(self.patience, post).await.map(drop)
    }

    /// The account of an operation.
    pub(crate) async fn file_account(&self, operation: &str) -> Result<FileAccount, ClientError> {
        let mut account = FileAccount::default();
        let (mut failed, mut passed_over) = (Reasons::new(), Reasons::new());
        let mut read = 0;
        loop {
            let page = self.repeat(self.patience, async || self.account_page(operation, read).await).await?;
            let is_last = page.lines.is_empty();
            read += page.lines.len() as u64;
            for Line { outcome, kind, place, reason, count } in page.lines {
                let reasons = if outcome == "failed" { &mut failed } else { &mut passed_over };
                reasons.entry((kind, reason)).or_insert((0, place)).0 += count;
            }
            if is_last || read >= page.total.min(MOST_LINES) {
                account.more_lines = page.total.saturating_sub(read);
                (account.totals, account.notes, account.history) = (page.totals, page.notes, page.history);
                break;
            }
        }
        (account.failed, account.passed_over) = (summed_up(failed), summed_up(passed_over));
        Ok(account)
    }

    async fn account_page(&self, operation: &str, offset: u64) -> Result<Page, ClientError> {
        let query =
            [("operationId", operation.to_owned()), ("count", PAGE.to_string()), ("offset", offset.to_string())];
        let body = self.send(self.request(Method::GET, "import.report").query(&query)).await?;
        serde_json::from_str(&body).map_err(|_| ClientError::Unreadable("import.report".to_owned()))
    }
}

/// The reasons, the most frequent first.
fn summed_up(reasons: Reasons) -> Vec<ReasonCount> {
    let mut counts: Vec<ReasonCount> = reasons
        .into_iter()
        .map(|((kind, reason), (count, place))| ReasonCount { kind, reason, count, place })
        .collect();
    counts.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    counts
}

impl FileAccount {
    /// How many elements are, by what `part` says of the totals.
    pub(crate) fn sum(&self, part: impl Fn(&Total) -> u64) -> u64 {
        self.totals.iter().map(part).sum()
    }

    /// The total of one type.
    pub(crate) fn of(&self, kind: &str) -> Option<&Total> {
        self.totals.iter().find(|total| total.kind == kind)
    }
}

impl Status {
    /// Whether it is an import of the file with this name that somebody can go on with.
    pub(crate) fn goes_on_with(&self, importer: &str, file_name: &str) -> bool {
        let is_under_way =
            matches!(self.state, ReportedState::Loading | ReportedState::Ready | ReportedState::Importing);
        is_under_way && self.importer == importer && self.file.ends_with(&format!("_{file_name}"))
    }
}
