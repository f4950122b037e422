//! The counts of a file, and its first problems.

use super::{
    problem::{Kind, Problem, Severity},
    users::Entry,
};

/// What a file holds, counted entry by entry.
#[derive(Debug)]
pub(crate) struct Tally {
    /// As many errors, and as many warnings, are kept.
    kept: usize,
    /// Users without an error.
    pub(crate) users: u64,
    /// Lines with an error.
    pub(crate) bad_lines: u64,
    /// The first errors, in the order of their lines.
    pub(crate) problems: Vec<Problem>,
    /// All errors, also those that are not kept.
    pub(crate) problem_count: u64,
    /// The first warnings, in the order of their lines.
    pub(crate) warnings: Vec<Problem>,
    /// All warnings, also those that are not kept.
    pub(crate) warning_count: u64,
    /// Those of them that are about user names: the workspace knows better which of them can be.
    pub(crate) username_warnings: u64,
    /// Nothing of the file can be imported.
    pub(crate) is_unusable: bool,
    /// The file is a part of a longer list.
    pub(crate) is_incomplete: bool,
}

impl Tally {
    /// Makes an empty tally that keeps the first `kept` errors and the first `kept` warnings.
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            kept,
            users: 0,
            bad_lines: 0,
            problems: Vec::new(),
            problem_count: 0,
            warnings: Vec::new(),
            warning_count: 0,
            username_warnings: 0,
            is_unusable: false,
            is_incomplete: false,
        }
    }

    /// Counts the entry.
    pub(crate) fn take(&mut self, entry: Entry) {
        self.users += u64::from(entry.user.is_some());
        self.bad_lines += u64::from(entry.problems.iter().any(|problem| problem.severity >= Severity::Error));
        for problem in entry.problems {
            self.note(problem);
        }
    }

    /// Counts a problem, which need not be that of a line.
    pub(crate) fn note(&mut self, problem: Problem) {
        self.is_unusable |= problem.severity == Severity::Fatal;
        self.is_incomplete |= problem.kind == Kind::Incomplete;
        self.username_warnings += u64::from(problem.is_username_warning());
        let (list, count) = match problem.severity {
            Severity::Warning => (&mut self.warnings, &mut self.warning_count),
            Severity::Error | Severity::Fatal => (&mut self.problems, &mut self.problem_count),
        };
        *count += 1;
        if list.len() < self.kept {
            list.push(problem);
        }
    }
}
