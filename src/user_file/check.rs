//! Is every line of a file fit to be sent?

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Records, UserFile,
    fields::{EMAILS, IMPORT_IDS, USERNAME, User, texts_of},
    record::Problem,
};

/// What a whole file holds.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Users without a problem.
    pub(crate) users: u64,
    /// The first problems, in the order of their lines.
    pub(crate) problems: Vec<Problem>,
    /// All problems, also those that are not kept.
    pub(crate) problem_count: u64,
}

/// Reads the whole file and keeps the first `limit` problems.
///
/// # Errors
/// When the file cannot be read at all.
pub(crate) fn check(file: &UserFile, limit: usize) -> io::Result<Checked> {
    Ok(check_all(file.records()?, limit))
}

pub(super) fn check_all(records: Records, limit: usize) -> Checked {
    let mut checked = Checked { users: 0, problems: Vec::new(), problem_count: 0 };
    let mut taken = Taken::default();
    for record in records {
        let record = record.and_then(|record| match taken.twice(&record.user, record.line) {
            None => Ok(()),
            Some(reason) => Err(Problem::new(record.line, reason)),
        });
        match record {
            Ok(()) => checked.users += 1,
            Err(problem) => {
                checked.problem_count += 1;
                if checked.problems.len() < limit {
                    checked.problems.push(problem);
                }
            }
        }
    }
    checked
}

/// Which line has what must not be there twice. Digests, because a file may hold millions of values. Letter case counts,
/// as in Rocket.Chat's indexes.
#[derive(Debug, Default)]
struct Taken(HashMap<[u8; 16], u64>);

impl Taken {
    /// Takes the user's values; what to say if one is another line's already.
    fn twice(&mut self, user: &User, line: u64) -> Option<String> {
        let name = user.get(USERNAME).and_then(Value::as_str).filter(|name| !name.is_empty());
        let values = name.map(|name| (USERNAME, name)).into_iter();
        let values = values.chain(texts_of(user, EMAILS).map(|email| ("e-mail", email)));
        let values = values.chain(texts_of(user, IMPORT_IDS).map(|id| ("importId", id)));
        let mut reasons = Vec::new();
        for (what, value) in values {
            match self.0.entry(digest(what, value)) {
                Entry::Vacant(entry) => drop(entry.insert(line)),
                Entry::Occupied(entry) if *entry.get() == line => {}
                Entry::Occupied(entry) => reasons.push(format!("{what} {value:?} is that of line {} too", entry.get())),
            }
        }
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

fn digest(what: &str, value: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(what).chain_update([0]).chain_update(value).finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(value: Value) -> User {
        let Value::Object(user) = value else { panic!("an object") };
        user
    }

    #[test]
    fn a_value_of_another_line_is_told_with_that_line() {
        let mut taken = Taken::default();
        let first = user(json!({ "username": "ann", "emails": ["a@b.c", "a@b.c"], "importIds": ["ann"] }));
        assert_eq!(taken.twice(&first, 2), None);
        let second = user(json!({ "username": "Ann", "emails": ["a@b.c"], "importIds": ["2"] }));
        assert_eq!(taken.twice(&second, 3).as_deref(), Some("e-mail \"a@b.c\" is that of line 2 too"));
        let third = user(json!({ "username": "ann", "emails": ["x@b.c"], "importIds": ["2"] }));
        let reason = taken.twice(&third, 4).unwrap();
        assert!(
            reason.contains("username \"ann\" is that of line 2")
                && reason.contains("importId \"2\" is that of line 3")
        );
    }
}
