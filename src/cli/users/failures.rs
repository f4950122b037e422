//! Users who failed, or would fail, for a person: each of a few, and many summed up by reason.

use super::{
    super::{
        console::Console,
        words::{counted, printable},
    },
    foreseen::Foreseen,
    reasons::{Reasons, Sum},
};
use crate::client::FailedUser;

/// As many are listed one by one.
const LISTED: usize = 20;
/// As many reasons of further ones are listed.
const REASONS: usize = 10;

/// The outputs of the call that hold every user who fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outputs {
    /// The file of `--rejects`.
    pub(super) rejects: bool,
    /// The summary of `--json`.
    pub(super) json: bool,
}

/// Shows the users that failed, and why.
pub(super) fn show(console: &Console, failed: &[FailedUser], outputs: Outputs) {
    for user in failed.iter().take(LISTED) {
        console.notice(&printable(&line_about(user)));
    }
    if failed.len() <= LISTED {
        return;
    }
    let mut reasons = Reasons::default();
    for user in failed {
        reasons.add(&user.errors.join("; "), &names_of(user));
    }
    show_sums(console, &reasons, "failed");
    let mut places = Vec::new();
    places.extend(outputs.rejects.then_some("in the file of --rejects"));
    places.extend(outputs.json.then_some("under failed of --json"));
    places.push("in the output of rocketchat-import receipt");
    console.notice(&format!("all of them are {}, and on the web page", places.join(", ")));
}

/// Shows the users that would fail, and why. `is_in_rejects` says whether all of them were written to the file of `--rejects`.
pub(super) fn show_foreseen(console: &Console, check: &Foreseen, is_in_rejects: bool) {
    for user in check.failing.iter().take(LISTED) {
        let ids = user.import_ids.join(", ");
        let line = format!("line {}: would fail: {} (import id {ids})", user.line, user.reason);
        console.notice(&printable(&line));
    }
    if check.counts.failed <= LISTED as u64 {
        return;
    }
    show_sums(console, &check.reasons, "would fail");
    console.notice(if is_in_rejects {
        "all of them are in the file of --rejects"
    } else {
        "--check with --rejects FILE writes all of them to a file"
    });
}

fn show_sums(console: &Console, reasons: &Reasons, what: &str) {
    let (sums, others) = reasons.most_frequent(REASONS);
    for Sum { reason, count } in sums {
        console.notice(&printable(&format!("{what}: {}: {reason}", counted(count, "user"))));
    }
    if others > 0 {
        console.notice(&format!("{what}: {} for other reasons", counted(others, "user")));
    }
}

fn names_of(user: &FailedUser) -> impl Iterator<Item = &str> + Clone {
    user.username.iter().chain(&user.emails).chain(&user.import_ids).map(String::as_str)
}

fn line_about(user: &FailedUser) -> String {
    let names: Vec<&str> = names_of(user).collect();
    let place = user.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("failed: {place}{}: {}", names.join(", "), user.errors.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_failed_is_shown_with_line_names_and_reason() {
        let failed = FailedUser {
            import_ids: vec!["id0".to_owned()],
            emails: vec!["user0@corp.example".to_owned()],
            username: Some("user0".to_owned()),
            name: None,
            roles: Vec::new(),
            line: Some(2),
            errors: vec!["the user name is taken".to_owned()],
        };
        let line = "failed: line 2: user0, user0@corp.example, id0: the user name is taken";
        assert_eq!(line_about(&failed), line);
    }
}
