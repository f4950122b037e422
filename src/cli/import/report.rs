//! The account of a call: for a person on standard error, for a program on standard output.

use indicatif::HumanBytes;
use serde::Serialize;

use super::super::{
    CommandError,
    console::{Console, print},
    words::{counted, printable},
};
use crate::client::{FileAccount, HistoryCheck, MissingMessages, ReasonCount, ReportedState, Status};

/// Reasons of each kind that a person is shown.
const REASONS_SHOWN: usize = 10;

/// The summary of one call. Its JSON form is described in `docs/reference/command-line.md`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    file: String,
    importer: &'static str,
    pub(super) operation: Option<String>,
    /// The last answer of `import.status`.
    status: serde_json::Value,
    #[serde(flatten)]
    pub(super) account: Option<FileAccount>,
    /// The files of messages that followed the import by themselves.
    pub(super) files: Option<FollowUp>,
    /// The pictures of people that did.
    pub(super) pictures: Option<FollowUp>,
    /// Whether the file is loaded and waits for its run.
    #[serde(skip)]
    pub(super) wants_run: bool,
    #[serde(skip)]
    state: ReportedState,
}

/// How the fetching of files or pictures came out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FollowUp {
    pub(super) operation: String,
    /// Whether it went on to its end.
    pub(super) done: bool,
    pub(super) fetched: u64,
    pub(super) failed: u64,
    pub(super) bytes: u64,
    #[serde(rename = "failures")]
    pub(super) reasons: Vec<ReasonCount>,
}

impl FollowUp {
    /// Shows a person what did not come, and the sum.
    fn show(&self, console: &Console, what: &str) {
        show_each_reason(console, "failed", &self.reasons);
        let came = if self.done { "fetched" } else { "fetched before it was ended" };
        let named = if self.failed > 0 { "; the receipt of the operation says why" } else { "" };
        console.notice(&format!(
            "{} {what} {came} ({}), {} failed{named} (operation {})",
            self.fetched,
            HumanBytes(self.bytes),
            self.failed,
            self.operation
        ));
    }
}

impl Report {
    pub(super) fn new(file: &str, importer: &'static str) -> Self {
        Self {
            file: file.to_owned(),
            importer,
            operation: None,
            status: serde_json::Value::Null,
            account: None,
            files: None,
            pictures: None,
            wants_run: false,
            state: ReportedState::Unknown,
        }
    }

    pub(super) fn came_to(&mut self, status: &Status) {
        self.state = status.state;
        self.status = serde_json::from_str(&status.body).unwrap_or_default();
    }

    /// Shows a person the content of the file.
    pub(super) fn show_content(&self, console: &Console) {
        let Some(account) = &self.account else { return };
        let counts: Vec<String> = ["user", "contact", "channel", "message"]
            .iter()
            .filter_map(|kind| account.of(kind))
            .filter(|total| total.waiting > 0 || total.kind != "contact")
            .map(|total| counted(total.waiting, &total.kind))
            .collect();
        console.notice(&format!("{} ({}): {}", self.file, self.importer, counts.join(", ")));
        show_reasons(console, account);
        for note in &account.notes {
            console.notice(&format!("note: {} × {}", note.count, printable(&note.note)));
        }
    }

    /// Shows the summary to a person.
    pub(super) fn show(&self, console: &Console) {
        let Some(account) = &self.account else { return };
        if self.wants_run {
            self.show_content(console);
            console.notice(&format!(
                "nothing was run: the same command with --run starts it; --without-users and --only-channels leave out; \
                 operation {}",
                self.operation.as_deref().unwrap_or_default()
            ));
            return;
        }
        if !self.state.is_end() {
            return;
        }
        for total in &account.totals {
            let parts = [
                (total.imported, "imported"),
                (total.failed, "failed"),
                (total.passed_over, "passed over"),
                (total.waiting, "not run"),
            ];
            let parts: Vec<String> = parts
                .iter()
                .filter(|(count, what)| *count > 0 || *what == "imported")
                .map(|(count, what)| format!("{count} {what}"))
                .collect();
            console.notice(&format!("{}: {}", counted(total.elements, &total.kind), parts.join(", ")));
        }
        show_reasons(console, account);
        if let Some(history) = &account.history {
            show_history(console, history);
        }
        if self.state == ReportedState::Done {
            let failed = account.sum(|total| total.failed);
            let imported = account.sum(|total| total.imported);
            console.notice(&format!("done: {imported} imported, {failed} failed"));
        }
        for (fetched, what) in [(&self.files, "files"), (&self.pictures, "pictures")] {
            if let Some(fetched) = fetched {
                fetched.show(console, what);
            }
        }
    }

    /// Prints the summary for a program.
    pub(super) fn print(&self) -> Result<(), CommandError> {
        print(&serde_json::to_string(self).map_err(CommandError::failed)?)
    }
}

fn show_reasons(console: &Console, account: &FileAccount) {
    for (reasons, what) in [(&account.failed, "failed"), (&account.passed_over, "passed over")] {
        show_each_reason(console, what, reasons);
    }
    if account.more_lines > 0 {
        console.notice(&format!("{} more lines, see import.report", account.more_lines));
    }
}

/// Shows a person whether clients find the messages.
fn show_history(console: &Console, history: &HistoryCheck) {
    for MissingMessages { room, day, imported, in_history } in history.missing.iter().take(REASONS_SHOWN) {
        let sentence =
            format!("the history of room {room} holds {in_history} messages of {day}, {imported} were imported");
        console.notice(&printable(&sentence));
    }
    if history.days > 0 {
        console.notice(&format!("history: {} days of rooms lack messages, see verify", history.days));
    } else if history.messages > 0 {
        let messages = counted(history.messages, "message");
        console.notice(&format!("history: all {messages} are found in their rooms"));
    }
}

fn show_each_reason(console: &Console, what: &str, reasons: &[ReasonCount]) {
    for ReasonCount { kind, reason, count, place } in reasons.iter().take(REASONS_SHOWN) {
        let place = place.as_ref().map(|place| format!(" (first: {place})")).unwrap_or_default();
        console.notice(&printable(&format!("{what}: {}: {reason}{place}", counted(*count, kind))));
    }
    let more = reasons.len().saturating_sub(REASONS_SHOWN);
    if more > 0 {
        console.notice(&format!("{what}: and for {more} more reasons, see --json"));
    }
}
