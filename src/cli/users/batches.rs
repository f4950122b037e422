//! A file's users as bodies of `import.addUsers`.

use crate::user_file::{Problem, Records};

/// Well below the 50 MiB that servers take.
const BODY_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// One body.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) body: String,
    pub(super) users: u64,
    pub(super) first_line: u64,
    pub(super) last_line: u64,
}

/// Batches of so many users, or fewer where they are large.
pub(super) struct Batches {
    records: Records,
    users: usize,
}

impl Batches {
    pub(super) fn new(records: Records, users: usize) -> Self {
        Self { records, users }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = Batch { body: r#"{"users":["#.to_owned(), users: 0, first_line: 0, last_line: 0 };
        for record in self.records.by_ref().take(self.users) {
            let record = match record {
                Ok(record) => record,
                Err(problem) => return Some(Err(problem)),
            };
            if batch.users == 0 {
                batch.first_line = record.line;
            } else {
                batch.body.push(',');
            }
            batch.last_line = record.line;
            batch.users += 1;
            batch.body.push_str(&serde_json::Value::Object(record.user).to_string());
            if batch.body.len() >= BODY_LIMIT_BYTES {
                break;
            }
        }
        batch.body.push_str("]}");
        (batch.users > 0).then_some(Ok(batch))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::user_file::Record;

    #[test]
    fn every_user_is_in_exactly_one_batch() {
        let records = (1..=7).map(|line| {
            let Value::Object(user) = json!({ "name": line }) else { unreachable!() };
            Ok(Record { line, user })
        });
        let batches: Vec<Batch> = Batches::new(Box::new(records), 3).map(Result::unwrap).collect();
        let shape: Vec<_> = batches.iter().map(|batch| (batch.users, batch.first_line, batch.last_line)).collect();
        assert_eq!(shape, [(3, 1, 3), (3, 4, 6), (1, 7, 7)]);
        assert_eq!(batches[0].body, r#"{"users":[{"name":1},{"name":2},{"name":3}]}"#);
    }
}
