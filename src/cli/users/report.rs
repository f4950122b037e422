//! What became of a file: for a person on standard error, for a program on standard output.

use std::path::Path;

use serde::Serialize;

use super::{
    super::{
        CommandError,
        console::{Console, print},
        words::{counted, printable},
    },
    check::{Checked, shown},
    failures::{self, Outputs},
    foreseen::Foreseen,
    leaving::SourceReport,
};
use crate::{
    client::{FailedUser, OutcomeCounts, ReportedState, Status, UnsureMatch},
    user_file::{Findings, Problem},
};

/// The summary of one call. Its JSON form is described in `docs/reference/command-line.md`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    file: String,
    /// Users in the file that are fit to be sent.
    users: u64,
    bad_lines: u64,
    /// All errors; of them the first are listed.
    problem_count: u64,
    problems: Vec<Problem>,
    warning_count: u64,
    /// Those of the file that are about user names.
    #[serde(skip)]
    username_warnings: u64,
    warnings: Vec<Problem>,
    #[serde(flatten)]
    findings: Findings,
    /// Lines that were written to the list of those that are left out, and of users who failed.
    rejected: u64,
    /// Whether they hold all users that would fail.
    #[serde(skip)]
    has_rejected_failing: bool,
    #[serde(skip)]
    outputs: Outputs,
    pub(super) operation: Option<String>,
    pub(super) staged: u64,
    /// Set where staging did not end well.
    #[serde(skip)]
    cut_short: Option<CutShort>,
    /// What the server said of a run before it; `None` if it did not.
    check: Option<Foreseen>,
    /// `None` if nothing was run.
    run: Option<Run>,
    /// Passwords in the file of `--passwords-out`; `None` if none were to be made.
    pub(super) passwords: Option<u64>,
    /// Passwords in the file beside it, of users who failed; `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed_passwords: Option<u64>,
    /// The source of the file and who left it; `None` without a source.
    pub(super) source: Option<SourceReport>,
    /// The users that failed; `None` if none did, or the server does not tell.
    pub(super) failed: Option<Vec<FailedUser>>,
}

/// Staging after which nothing is to be run.
#[derive(Debug)]
struct CutShort {
    /// Users that were to be staged.
    wanted: u64,
    /// `None` where the error says it.
    way_on: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    #[serde(skip)]
    state: ReportedState,
    /// What `import.status` says at the end.
    status: serde_json::Value,
    /// Without the server's receipt, all that did not fail are created.
    #[serde(flatten)]
    outcomes: OutcomeCounts,
    total: u64,
    /// Whether the receipt shows new accounts that joined no channel, although they could have joined the default ones.
    #[serde(skip)]
    lacks_channels: bool,
}

impl Report {
    pub(super) fn new(file: &Path, outputs: Outputs) -> Self {
        Self {
            file: shown(file),
            users: 0,
            bad_lines: 0,
            problem_count: 0,
            problems: Vec::new(),
            warning_count: 0,
            username_warnings: 0,
            warnings: Vec::new(),
            findings: Findings::default(),
            rejected: 0,
            has_rejected_failing: false,
            outputs,
            operation: None,
            staged: 0,
            cut_short: None,
            check: None,
            run: None,
            passwords: None,
            failed_passwords: None,
            source: None,
            failed: None,
        }
    }

    pub(super) fn checked(&mut self, checked: Checked) {
        self.users = checked.tally.users;
        self.bad_lines = checked.tally.bad_lines;
        self.problem_count = checked.tally.problem_count;
        self.problems = checked.tally.problems;
        self.warning_count = checked.tally.warning_count;
        self.username_warnings = checked.tally.username_warnings;
        self.warnings = checked.tally.warnings;
        self.findings = checked.findings;
        self.rejected = checked.rejected;
    }

    /// Takes what the server says of a run. Users that it would not take are bad lines like those of the file; a wrong setting
    /// is a problem of no line.
    pub(super) fn foreseen(&mut self, mut foreseen: Foreseen) {
        self.users -= foreseen.refused;
        self.bad_lines += foreseen.refused;
        self.problem_count += foreseen.refused;
        self.problems.append(&mut foreseen.problems);
        // The server has looked at the names by the rules of the workspace.
        self.warnings.retain(|warning| !warning.is_username_warning());
        self.warning_count -= std::mem::take(&mut self.username_warnings);
        self.warning_count += foreseen.warning_count;
        self.warnings.append(&mut foreseen.warnings);
        self.warnings.sort_by_key(|warning| warning.line);
        match foreseen.wrong_setting.take() {
            Some(sentence) => self.blame_setting(sentence),
            None => self.check = Some(foreseen),
        }
    }

    fn blame_setting(&mut self, sentence: String) {
        self.problem_count += 1;
        self.problems.insert(0, Problem::of_setting(sentence));
    }

    /// Takes a setting for which the server stages nobody, and gives the error of the call.
    pub(super) fn stopped_by_setting(&mut self, sentence: String) -> CommandError {
        self.blame_setting(sentence);
        CommandError::File(format!("{}: {}, nothing was run", self.file, counted(self.problem_count, "problem")))
    }

    /// Takes that staging the `wanted` users did not end well, and how the call goes on.
    pub(super) fn staged_in_part(&mut self, wanted: u64, way_on: Option<&'static str>) {
        self.cut_short = Some(CutShort { wanted, way_on });
    }

    /// The list of lines that are left out has so many now, if there is one.
    pub(super) fn rejected(&mut self, lines: Option<u64>) {
        self.rejected = lines.unwrap_or(self.rejected);
    }

    /// The same, and all users that would fail are among them.
    pub(super) fn rejected_with_failing(&mut self, lines: Option<u64>) {
        self.rejected(lines);
        self.has_rejected_failing = lines.is_some();
    }

    /// Everybody is there already.
    pub(super) fn nothing_to_do(&mut self) {
        let same = self.check.as_ref().map(|check| check.same.clone()).unwrap_or_default();
        let total = same.same;
        self.run = Some(Run {
            state: ReportedState::None,
            status: serde_json::Value::Null,
            outcomes: same,
            total,
            lacks_channels: false,
        });
    }

    /// Whether the users of the file have become accounts as far as they can.
    pub(super) fn has_run(&self) -> bool {
        self.run.as_ref().is_some_and(|run| matches!(run.state, ReportedState::None | ReportedState::Done))
    }

    pub(super) fn users(&self) -> u64 {
        self.users
    }

    pub(super) fn problem_count(&self) -> u64 {
        self.problem_count
    }

    pub(super) fn bad_lines(&self) -> u64 {
        self.bad_lines
    }

    /// Takes how a run ended. `outcomes` are those of its receipt; `joins` says whether its new accounts join the default
    /// channels.
    pub(super) fn ended(&mut self, ended: &Status, outcomes: Option<OutcomeCounts>, joins: bool) {
        let status = serde_json::from_str(&ended.body).unwrap_or_default();
        let counts = ended.counts;
        // Without the receipt nobody knows who joined what.
        let lacks_channels = !joins && outcomes.as_ref().is_some_and(|told| told.created > 0 && told.memberships == 0);
        let mut outcomes =
            outcomes.unwrap_or_else(|| OutcomeCounts { created: counts.completed, ..OutcomeCounts::default() });
        outcomes.failed = counts.failed;
        // These were not even staged.
        let same = self.check.as_ref().map(|check| check.same.clone()).unwrap_or_default();
        let total = counts.total + same.same;
        outcomes.extend(same);
        self.run = Some(Run { state: ended.state, status, outcomes, total, lacks_channels });
    }

    /// Shows the summary to a person.
    pub(super) fn show(&self, console: &Console) {
        self.show_import(console);
        if let Some(source) = &self.source {
            source.show(console);
        }
    }

    fn show_import(&self, console: &Console) {
        self.show_problems(console);
        for remark in self.findings.remarks() {
            console.notice(&format!("{}: {remark}", self.file));
        }
        if self.users > 0 && self.problem_count == 0 {
            console.notice(&format!("{}: {}, no bad lines", self.file, counted(self.users, "user")));
        }
        self.show_staging(console);
        if let Some(check) = &self.check {
            console.notice(&format!("{}: {}", self.file, check.in_words()));
            if self.run.is_none() {
                show_check(console, check, self.has_rejected_failing);
            }
        }
        let Some(run) = &self.run else {
            if self.staged > 0 && self.cut_short.is_none() {
                console.notice("nothing was run; import.run starts it, and so does this command with --run");
            }
            return;
        };
        let outcomes = &run.outcomes;
        if self.operation.is_none() {
            show_lacking_import_id(console, outcomes);
            show_unsure(console, &outcomes.unsure, outcomes.unsure_count, "");
            return;
        }
        let found = [(outcomes.linked, "linked"), (outcomes.updated, "updated"), (outcomes.same, "already there")];
        let found = found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let mut parts = vec![format!("{} created", outcomes.created)];
        parts.extend(found);
        parts.push(format!("{} failed of {}", outcomes.failed, run.total));
        console.notice(&format!("{}: {}", run.state.in_plain_words(), parts.join(", ")));
        show_lacking_import_id(console, outcomes);
        if outcomes.memberships > 0 {
            console.notice(&format!("{} of channels made", counted(outcomes.memberships, "membership")));
        }
        if run.lacks_channels {
            let accounts = counted(outcomes.created, "new account");
            let verb = if outcomes.created == 1 { "is" } else { "are" };
            console.notice(&format!(
                "{accounts} {verb} in no channel: with --join-default-channels, accounts join the default channels when they \
                 are made"
            ));
        }
        if outcomes.without_password > 0 {
            console.notice(&format!(
                "{} without a password: nobody can log in there until one is set",
                counted(outcomes.without_password, "new account")
            ));
            console.notice(&line_about_passwordless(&outcomes.passwordless, outcomes.without_password));
        }
        if let Some(passwords) = self.passwords {
            console.notice(&format!("{} written to the file of --passwords-out", counted(passwords, "password")));
        }
        show_unsure(console, &outcomes.unsure, outcomes.unsure_count, ", see rocketchat-import receipt");
        match &self.failed {
            Some(failed) => failures::show(console, failed, self.outputs),
            None if outcomes.failed > 0 => console.notice("this server does not tell which users failed, and why"),
            None => {}
        }
    }

    fn show_staging(&self, console: &Console) {
        let Some(operation) = &self.operation else { return };
        let staged = self.staged;
        let Some(CutShort { wanted, way_on }) = self.cut_short.as_ref().filter(|cut| cut.wanted > staged) else {
            console.notice(&format!("{staged} users staged in operation {operation}"));
            return;
        };
        let are = match staged {
            0 => format!("none of {wanted} users is"),
            1 => format!("only 1 of {wanted} users is"),
            _ => format!("only {staged} of {wanted} users are"),
        };
        let way_on = way_on.map(|way_on| format!("; {way_on}")).unwrap_or_default();
        console.notice(&format!("{are} staged in operation {operation}, and nothing was run{way_on}"));
    }

    fn show_problems(&self, console: &Console) {
        for (problems, count, what) in
            [(&self.warnings, self.warning_count, "warning: "), (&self.problems, self.problem_count, "")]
        {
            for problem in problems {
                console.notice(&format!("{what}{problem}"));
            }
            let more = count.saturating_sub(problems.len() as u64);
            if more > 0 {
                console.notice(&format!("{what}and {more} more"));
            }
        }
        if self.rejected > 0 {
            console.notice(&format!("{} written to the file of --rejects", counted(self.rejected, "line")));
        }
    }

    /// Prints the summary for a program.
    pub(super) fn print(&self) -> Result<(), CommandError> {
        print(&serde_json::to_string(self).map_err(CommandError::failed)?)
    }
}

fn show_check(console: &Console, check: &Foreseen, is_in_rejects: bool) {
    failures::show_foreseen(console, check, is_in_rejects);
    show_lacking_import_id(console, &check.counts);
    show_unsure(console, &check.counts.unsure, check.counts.unsure_count, "");
}

fn show_lacking_import_id(console: &Console, counts: &OutcomeCounts) {
    let lacking = match counts.lacking_import_id {
        0 => return,
        1 => "1 account that is there lacks".to_owned(),
        lacking => format!("{lacking} accounts that are there lack"),
    };
    console.notice(&format!(
        "{lacking} the import id of the file, by which files with messages find people: --on-existing link adds it"
    ));
}

fn show_unsure(console: &Console, unsure: &[UnsureMatch], count: u64, where_to_look: &str) {
    for unsure in unsure {
        console.notice(&line_about_match(unsure));
    }
    let more = count.saturating_sub(unsure.len() as u64);
    if more > 0 {
        console.notice(&format!("and {more} more{where_to_look}"));
    }
}

fn line_about_passwordless(listed: &[String], count: u64) -> String {
    let ids = printable(&listed.join(", "));
    match count.saturating_sub(listed.len() as u64) {
        0 => format!("import ids without a password: {ids}"),
        more => format!("import ids without a password: {ids} and {more} more: rocketchat-import receipt names them"),
    }
}

fn line_about_match(unsure: &UnsureMatch) -> String {
    let found = if unsure.found_by == "username" { "its user name alone" } else { "an address that nobody verified" };
    let line = format!("look at {}: the account {} was found by {found}", unsure.import_ids.join(", "), unsure.account);
    printable(&line)
}
