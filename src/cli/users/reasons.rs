//! Sums of users who fail, by reason.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

/// As many reasons are kept; users with further ones are only counted.
const KEPT: usize = 1000;
/// As many reasons are printed for a program.
const PRINTED: usize = 100;
/// Stands for what differs from user to user.
const BLANK: &str = "…";

/// How many users have each reason. Reasons that differ only in names of the user are one.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    sums: HashMap<String, u64>,
    /// Users with reasons that are not kept.
    others: u64,
}

/// A reason and the number of users who have it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sum<'a> {
    pub(super) reason: &'a str,
    pub(super) count: u64,
}

impl Reasons {
    /// Counts a user who has these names: values that may stand in the sentence.
    pub(super) fn add<'n>(&mut self, sentence: &str, names: &(impl Iterator<Item = &'n str> + Clone)) {
        let reason = without_names(sentence, names);
        if self.sums.len() >= KEPT && !self.sums.contains_key(&reason) {
            self.others += 1;
        } else {
            *self.sums.entry(reason).or_default() += 1;
        }
    }

    /// The first `count` reasons, the most frequent first, and the number of users who have other ones.
    pub(super) fn most_frequent(&self, count: usize) -> (Vec<Sum<'_>>, u64) {
        let mut sums: Vec<Sum<'_>> = self.sums.iter().map(|(reason, count)| Sum { reason, count: *count }).collect();
        sums.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.reason.cmp(other.reason)));
        let rest = sums.iter().skip(count).map(|sum| sum.count).sum::<u64>();
        sums.truncate(count);
        (sums, rest + self.others)
    }
}

impl Serialize for Reasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.most_frequent(PRINTED).0)
    }
}

/// The sentence without the names, and without the account before its name or `_id` in brackets.
fn without_names<'n>(sentence: &str, names: &(impl Iterator<Item = &'n str> + Clone)) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        let end = word.trim_end_matches(['.', ',', ':', ';']);
        let signs = &word[end.len()..];
        if end.starts_with('(') && end.ends_with(')') {
            if let Some(named) = words.last_mut() {
                BLANK.clone_into(named);
            }
            words.push(format!("({BLANK}){signs}"));
        } else if names.clone().any(|name| name == end) {
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

    #[test]
    fn reasons_that_differ_in_names_only_are_one() {
        let taken = "The e-mail address user#@corp.example is taken by the user other# (abc#). With onExisting set to link, \
                     that account gets the import id.";
        let another =
            "the user name of id# (@user#) belongs to somebody with another e-mail address: account other# (@user#)";
        let mut reasons = Reasons::default();
        for number in 0..30 {
            let names = [format!("user{number}"), format!("user{number}@corp.example"), format!("id{number}")];
            let sentence = if number % 3 == 0 { another } else { taken }.replace('#', &number.to_string());
            reasons.add(&sentence, &names.iter().map(String::as_str));
        }
        let taken = "The e-mail address … is taken by the user … (…). With onExisting set to link, that account gets the import id.";
        let another = "the user name of … (…) belongs to somebody with another e-mail address: account … (…)";
        let sums = [Sum { reason: taken, count: 20 }, Sum { reason: another, count: 10 }];
        assert_eq!(reasons.most_frequent(2), (sums.into(), 0));
        assert_eq!(reasons.most_frequent(1), (vec![Sum { reason: taken, count: 20 }], 10));
    }

    #[test]
    fn no_more_reasons_are_kept_than_people_would_read() {
        let mut reasons = Reasons::default();
        for number in 0..KEPT + 5 {
            reasons.add(&format!("reason {number}"), &std::iter::empty());
        }
        reasons.add("reason 7", &std::iter::empty());
        assert_eq!((reasons.sums.len(), reasons.most_frequent(KEPT).1), (KEPT, 5));
        assert_eq!(reasons.most_frequent(1).0, [Sum { reason: "reason 7", count: 2 }]);
    }
}
