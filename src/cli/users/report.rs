//! What became of a file: for a person on standard error, for a program on standard output.

use std::path::Path;

use serde::Serialize;

use super::super::{
    CommandError,
    console::{Console, print},
};
use crate::{
    client::{FailedUser, ReportedState, Status},
    user_file::{Checked, Problem},
};

/// The summary of one call. Its JSON form is told in `docs/command-line.md`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    file: String,
    /// Users in the file that are fit to be sent.
    users: u64,
    bad_lines: u64,
    problems: Vec<Problem>,
    pub(super) operation: Option<String>,
    pub(super) staged: u64,
    /// `None` if nothing was run.
    run: Option<Run>,
    /// The users that failed; `None` if none did, or the server does not tell.
    pub(super) failed: Option<Vec<FailedUser>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    #[serde(skip)]
    state: ReportedState,
    /// What `import.status` says at the end.
    status: serde_json::Value,
    created: u64,
    failed: u64,
    total: u64,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.display().to_string(),
            users: 0,
            bad_lines: 0,
            problems: Vec::new(),
            operation: None,
            staged: 0,
            run: None,
            failed: None,
        }
    }

    pub(super) fn checked(&mut self, checked: Checked) {
        self.users = checked.users;
        self.bad_lines = checked.problem_count;
        self.problems = checked.problems;
    }

    pub(super) fn ended(&mut self, ended: &Status) {
        let status = serde_json::from_str(&ended.body).unwrap_or_default();
        let counts = ended.counts;
        self.run = Some(Run {
            state: ended.state,
            status,
            created: counts.completed,
            failed: counts.failed,
            total: counts.total,
        });
    }

    /// Tells a person.
    pub(super) fn tell(&self, console: &Console) {
        for problem in &self.problems {
            console.notice(&format!("line {}: {}", problem.line, problem.reason));
        }
        let more = self.bad_lines.saturating_sub(self.problems.len() as u64);
        if more > 0 {
            console.notice(&format!("and {more} more"));
        }
        if self.bad_lines > 0 {
            return;
        }
        if self.users > 0 {
            console.notice(&format!("{}: {} users, no bad lines", self.file, self.users));
        }
        if let Some(operation) = &self.operation {
            console.notice(&format!("{} users staged in operation {operation}", self.staged));
        }
        let Some(run) = &self.run else {
            if self.staged > 0 {
                console.notice("nothing was run; import.run starts it, and so does this command with --run");
            }
            return;
        };
        console.notice(&format!(
            "{}: {} created, {} failed of {}",
            run.state.in_plain_words(),
            run.created,
            run.failed,
            run.total
        ));
        match &self.failed {
            Some(failed) => failed.iter().for_each(|user| console.notice(&line_about(user))),
            None if run.failed > 0 => console.notice("this server does not tell which users failed, and why"),
            None => {}
        }
    }

    /// Tells a program.
    pub(super) fn print(&self) -> Result<(), CommandError> {
        print(&serde_json::to_string(self).map_err(CommandError::failed)?)
    }
}

fn line_about(user: &FailedUser) -> String {
    let names = user.username.iter().chain(&user.emails).chain(&user.import_ids);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let line = format!("failed: {}: {}", names.join(", "), user.errors.join("; "));
    line.chars().filter(|character| !character.is_control()).collect()
}
