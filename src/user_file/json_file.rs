//! Users in JSON: one array, or a user a line.

use std::io::BufRead;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    fields::{Field, User},
    record::{Problem, Record},
};

/// The body of `import.addUsers` itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped<'a> {
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
}

/// Every user of a JSON text.
pub(super) fn users_in(text: &str) -> Vec<Result<Record, Problem>> {
    let is_array = text.trim_start().starts_with('[');
    let users = if is_array {
        serde_json::from_str::<Vec<&RawValue>>(text)
    } else {
        serde_json::from_str::<Wrapped<'_>>(text).map(|wrapped| wrapped.users)
    };
    let users = match users {
        Ok(users) => users,
        Err(error) => {
            let line = u64::try_from(error.line()).unwrap_or_default().max(1);
            return vec![Err(Problem::new(line, format!("not an array of users: {}", without_place(&error))))];
        }
    };
    let (mut offset, mut line) = (0, 1);
    let records = users.into_iter().map(|raw| {
        let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
        line += newlines(&text.as_bytes()[offset..start]);
        offset = start;
        user_in(raw.get()).map(|user| Record { line, user }).map_err(|reason| Problem::new(line, reason))
    });
    records.collect()
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Users of a file with a JSON object on each line, one line at a time in memory. Empty lines are passed over.
pub(super) struct JsonLines<R> {
    source: R,
    line: u64,
}

impl<R: BufRead> JsonLines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, line: 0 }
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<Record, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut bytes = Vec::new();
            self.line += 1;
            let line = self.line;
            match self.source.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) if bytes.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let text = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| "not valid UTF-8".to_owned());
                    let user = text.and_then(user_in);
                    return Some(user.map(|user| Record { line, user }).map_err(|reason| Problem::new(line, reason)));
                }
                Err(error) => return Some(Err(Problem::new(line, format!("cannot be read: {error}")))),
            }
        }
    }
}

fn user_in(text: &str) -> Result<User, String> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("not valid JSON: {} (column {})", without_place(&error), error.column()))?;
    let Value::Object(object) = value else {
        return Err("a user must be an object".to_owned());
    };
    let mut user = User::new();
    let mut problems = Vec::new();
    for (name, value) in object {
        match Field::named(&name).map(|field| (field, field.check(value))) {
            Ok((field, _)) if user.contains_key(field.name) => {
                problems.push(format!("{:?} is there twice", field.name));
            }
            Ok((_, Ok(Value::Null))) => {}
            Ok((field, Ok(value))) => drop(user.insert(field.name.to_owned(), value)),
            Ok((_, Err(problem))) | Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(user) } else { Err(problems.join("; ")) }
}

/// The parser's own place is that within a line or a piece.
fn without_place(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split_once(" at line ").map_or(words.as_str(), |(words, _)| words).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn lines_of(records: &[Result<Record, Problem>]) -> Vec<u64> {
        records.iter().map(|record| record.as_ref().map_or_else(|problem| problem.line, |record| record.line)).collect()
    }

    #[test]
    fn an_array_and_an_object_with_one_are_read_with_their_lines() {
        let array = "[\n {\"email\": \"a@b.c\",\n  \"importId\": 1},\n\n {\"emials\": []}, 3\n]";
        for text in [array.to_owned(), format!("{{\"users\": {array}}}")] {
            let records = users_in(&text);
            assert_eq!(lines_of(&records), [2, 5, 5]);
            let user = Value::Object(records[0].as_ref().unwrap().user.clone());
            assert_eq!(user, json!({ "emails": ["a@b.c"], "importIds": ["1"] }));
            assert!(records[1].as_ref().unwrap_err().reason.contains("did you mean \"emails\""), "{records:?}");
            assert_eq!(records[2].as_ref().unwrap_err().reason, "a user must be an object");
        }
    }

    #[test]
    fn json_that_is_broken_is_told_with_its_line() {
        for (text, line) in [("[\n{\"email\": }\n]", 2), ("{\"user\": []}", 1), ("", 1), ("[{}\n", 2), ("12", 1)] {
            let records = users_in(text);
            assert_eq!((lines_of(&records), records[0].is_err()), (vec![line], true), "{text}: {records:?}");
        }
    }

    #[test]
    fn a_line_that_is_broken_does_not_keep_the_next_from_being_read() {
        let text = b"{\"email\":\"a@b.c\"}\n\n{\"email\":\r\n\xff\n[1]\n{\"email\":\"b@b.c\"}";
        let records: Vec<_> = JsonLines::new(text.as_slice()).collect();
        assert_eq!(lines_of(&records), [1, 3, 4, 5, 6]);
        assert_eq!(records.iter().filter(|record| record.is_ok()).count(), 2);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
            JsonLines::new(bytes.as_slice()).for_each(drop);
            drop(users_in(&text));
        }

        #[test]
        fn a_user_a_line_or_in_an_array_is_the_same(names in prop::collection::vec(".*", 0..10)) {
            let users: Vec<Value> = names.iter().map(|name| json!({ "name": name, "emails": ["a@b.c"] })).collect();
            let lines = users.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
            let array = format!("[\n{}\n]", lines.replace('\n', ",\n"));
            let single: Vec<_> = JsonLines::new(lines.as_bytes()).map(Result::unwrap).collect();
            let together: Vec<_> = users_in(&array).into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(single.len(), names.len());
            for (one, other) in single.iter().zip(&together) {
                prop_assert_eq!(&one.user, &other.user);
                prop_assert_eq!(one.line + 1, other.line);
            }
        }
    }
}
