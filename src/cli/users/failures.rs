//! The users that failed, for a person: each of a few, and many summed up by reason.

use std::collections::HashMap;

use super::super::{
    console::Console,
    words::{counted, printable},
};
use crate::client::FailedUser;

/// As many are listed one by one.
const LISTED: usize = 20;
/// As many reasons of further ones are listed.
const REASONS: usize = 10;
/// Stands for what differs from user to user.
const BLANK: &str = "…";

/// Shows the users that failed, and why.
pub(super) fn show(console: &Console, failed: &[FailedUser]) {
    for user in failed.iter().take(LISTED) {
        console.notice(&printable(&line_about(user)));
    }
    if failed.len() <= LISTED {
        return;
    }
    let sums = by_reason(failed);
    for (reason, count) in sums.iter().take(REASONS) {
        console.notice(&printable(&format!("failed: {}: {reason}", counted(*count, "user"))));
    }
    let more = sums.iter().skip(REASONS).map(|(_, count)| count).sum::<u64>();
    if more > 0 {
        console.notice(&format!("failed: {} for other reasons", counted(more, "user")));
    }
    console.notice("all of them are in the file of --rejects, under failed of --json, and on the web page");
}

fn line_about(user: &FailedUser) -> String {
    let names = user.username.iter().chain(&user.emails).chain(&user.import_ids);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let place = user.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("failed: {place}{}: {}", names.join(", "), user.errors.join("; "))
}

/// The reasons without what belongs to one user alone, and how many users have them, the most frequent first.
fn by_reason(failed: &[FailedUser]) -> Vec<(String, u64)> {
    let mut sums: HashMap<String, u64> = HashMap::new();
    for user in failed {
        *sums.entry(without_names(&user.errors.join("; "), user)).or_default() += 1;
    }
    let mut sums: Vec<(String, u64)> = sums.into_iter().collect();
    sums.sort_by(|(one, ones), (other, others)| others.cmp(ones).then_with(|| one.cmp(other)));
    sums
}

/// The sentence without the values of the user, and without the account before its name or `_id` in brackets.
fn without_names(sentence: &str, user: &FailedUser) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        let end = word.trim_end_matches(['.', ',', ':', ';']);
        let signs = &word[end.len()..];
        let is_own = |value: &String| value == end;
        if end.starts_with('(') && end.ends_with(')') {
            if let Some(named) = words.last_mut() {
                BLANK.clone_into(named);
            }
            words.push(format!("({BLANK}){signs}"));
        } else if user.username.iter().chain(&user.emails).chain(&user.import_ids).any(is_own) {
            words.push(format!("{BLANK}{signs}"));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(number: usize, reason: &str) -> FailedUser {
        FailedUser {
            import_ids: vec![format!("id{number}")],
            emails: vec![format!("user{number}@corp.example")],
            username: Some(format!("user{number}")),
            name: None,
            roles: Vec::new(),
            line: Some(number as u64 + 2),
            errors: vec![reason.replace('#', &number.to_string())],
        }
    }

    #[test]
    fn reasons_that_differ_in_names_only_are_one() {
        let taken = "The e-mail address user#@corp.example is taken by the user other# (abc#). With onExisting set to link, \
                     that account gets the import id.";
        let another =
            "the user name of id# (@user#) belongs to somebody with another e-mail address: account other# (@user#)";
        let users: Vec<FailedUser> =
            (0..30).map(|number| failed(number, if number % 3 == 0 { another } else { taken })).collect();
        let expected = [
            (
                "The e-mail address … is taken by the user … (…). With onExisting set to link, that account gets the import id.",
                20,
            ),
            ("the user name of … (…) belongs to somebody with another e-mail address: account … (…)", 10),
        ];
        assert_eq!(by_reason(&users), expected.map(|(reason, count)| (reason.to_owned(), count)));
        assert_eq!(
            line_about(&users[0]),
            "failed: line 2: user0, user0@corp.example, id0: the user name of id0 (@user0) belongs to somebody with another \
             e-mail address: account other0 (@user0)"
        );
    }
}
