//! What a thread's first message says of its answers.

use indexmap::IndexSet;

use crate::domain::field_value::Date;

/// The counters of a thread, made of the answers that are really there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    answers: u32,
    last: Date,
    people: IndexSet<String>,
}

impl Thread {
    /// The thread of one answer.
    ///
    /// `author` is the `_id` of the answer's author.
    #[must_use]
    pub fn new(author: &str, ts: Date) -> Self {
        Self { answers: 1, last: ts, people: IndexSet::from([author.to_owned()]) }
    }

    /// Adds a further answer.
    pub fn add(&mut self, author: &str, ts: Date) {
        self.answers += 1;
        self.last = self.last.max(ts);
        self.people.insert(author.to_owned());
    }

    /// How many answers there are, `tcount`.
    #[must_use]
    pub const fn answers(&self) -> u32 {
        self.answers
    }

    /// The time of the last answer, `tlm`.
    #[must_use]
    pub const fn last(&self) -> Date {
        self.last
    }

    /// The `_id`s of the people who answered, each once, in order of their first answer, `replies`.
    pub fn people(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(String::as_str)
    }
}
