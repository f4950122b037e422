//! What has to be known of all staged messages before the first is converted: who wrote them, and their threads.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    num::NonZeroU32,
};

use futures::TryStreamExt as _;
use indexmap::IndexSet;

use crate::{
    domain::{document::thread::Thread, field_value::Date, stable_hash::stable_hash},
    repository::{MessageLinks, Repositories, RepositoryError},
};

/// A message, by a hash of its id: exports have millions of them.
type MessageKey = u128;

/// What a survey may hold of threads where the staged records count them as well.
const MOST_BYTES: usize = 32 << 20;
const BYTES_OF_THREAD: usize = 60;
const BYTES_OF_ANSWER: usize = 16;

/// Who counted the answers that the staged messages speak of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) enum StagedThreads {
    /// Our importer: the numbers are those of the messages that are there, and an answer without its first message is a
    /// plain one.
    Counted,
    /// The source, whose numbers may be of other messages.
    #[default]
    AsInSource,
}

/// Authors and threads of the staged messages of an operation: about 60 bytes a thread and 16 an answer, up to
/// [`MOST_BYTES`] where the staged records may be trusted. Beyond that it knows of no thread, and the records say it.
#[derive(Debug, Default)]
pub(in crate::engine) struct Survey {
    /// Messages that are not left out.
    messages: u64,
    /// Import ids of everybody who wrote something.
    authors: IndexSet<String>,
    threads: HashMap<MessageKey, StagedThread>,
    answers: Vec<Answer>,
    /// Messages that say that they are answered.
    answered: HashSet<MessageKey>,
    staged_threads: StagedThreads,
    /// Whether there were too many threads to hold them.
    is_overfull: bool,
}

/// The answers to one message, by their places among all answers.
#[derive(Debug)]
struct StagedThread {
    first: u32,
    last: u32,
    /// Whether the message that they answer is staged, too.
    has_root: bool,
}

/// An answer to a message.
#[derive(Debug)]
struct Answer {
    /// In milliseconds since 1970.
    ts: i64,
    /// The place of the author among all authors.
    author: u32,
    /// The place of the next answer to the same message.
    next: Option<NonZeroU32>,
}

impl Survey {
    /// Reads the messages of the root operation that are not left out.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn read(
        repositories: &Repositories,
        root: &str,
        staged_threads: StagedThreads,
    ) -> Result<Self, RepositoryError> {
        let mut survey = Self { staged_threads, ..Self::default() };
        let mut messages = Box::pin(repositories.staged_choice.message_links(root).await?);
        while let Some(message) = messages.try_next().await? {
            survey.messages += 1;
            survey.add(message);
        }
        let answered = std::mem::take(&mut survey.answered);
        for (id, thread) in &mut survey.threads {
            thread.has_root = answered.contains(id);
        }
        if survey.threads.values().all(|thread| thread.has_root) {
            return Ok(survey);
        }
        // Once more, for first messages that do not say that they are answered: an answer may stand before one.
        let mut messages = Box::pin(repositories.staged_choice.message_links(root).await?);
        while let Some(message) = messages.try_next().await? {
            if let Some(thread) = message.id.and_then(|id| survey.threads.get_mut(&key_of(&id))) {
                thread.has_root = true;
            }
        }
        Ok(survey)
    }

    fn add(&mut self, message: MessageLinks) {
        self.add_author_and_answer(message);
        let answers = self.answers.len() + self.answered.len();
        let bytes = self.threads.len() * BYTES_OF_THREAD + answers * BYTES_OF_ANSWER;
        if bytes > MOST_BYTES && self.staged_threads == StagedThreads::Counted {
            self.is_overfull = true;
            (self.threads, self.answers, self.answered) = Default::default();
        }
    }

    fn add_author_and_answer(&mut self, mut message: MessageLinks) {
        if message.is_answered && !self.is_overfull {
            self.answered.extend(message.id.take().as_deref().map(key_of));
        }
        let Some(author) = message.author else { return };
        let place = match self.authors.get_index_of(&author) {
            Some(place) => place,
            None => self.authors.insert_full(author).0,
        };
        let is_left_out = message.is_hidden || self.is_overfull;
        if let (Some(root), Some(ts), false) = (message.thread_root, message.ts, is_left_out) {
            let (Ok(author), Ok(answer)) = (u32::try_from(place), u32::try_from(self.answers.len())) else { return };
            match self.threads.entry(key_of(&root)) {
                Entry::Vacant(vacant) => {
                    vacant.insert(StagedThread { first: answer, last: answer, has_root: false });
                }
                Entry::Occupied(mut thread) => {
                    let last = std::mem::replace(&mut thread.get_mut().last, answer);
                    if let Some(last) = usize::try_from(last).ok().and_then(|last| self.answers.get_mut(last)) {
                        last.next = NonZeroU32::new(answer);
                    }
                }
            }
            self.answers.push(Answer { ts: ts.epoch_millis(), author, next: None });
        }
    }

    /// The number of messages that are not left out.
    pub(in crate::engine) const fn messages(&self) -> u64 {
        self.messages
    }

    /// The import ids of everybody who wrote something, in order of the first message.
    pub(in crate::engine) fn authors(&self) -> impl Iterator<Item = &str> {
        self.authors.iter().map(String::as_str)
    }

    /// Whether the message with this id, which others answer, is staged.
    pub(super) fn has_root(&self, id: &str) -> bool {
        self.is_overfull || self.threads.get(&key_of(id)).is_some_and(|thread| thread.has_root)
    }

    /// The import ids of those who answered the message with this id.
    pub(super) fn repliers(&self, id: &str) -> impl Iterator<Item = &str> {
        let places: HashSet<u32> = self.answers_to(id).map(|answer| answer.author).collect();
        places.into_iter().filter_map(|place| self.author(place))
    }

    /// The thread of the message with this id, without answers of people who are not known.
    pub(super) fn thread<'p>(&self, id: &str, account: impl Fn(&str) -> Option<&'p str>) -> Option<Thread> {
        let mut thread: Option<Thread> = None;
        for answer in self.answers_to(id) {
            let Some(author) = self.author(answer.author).and_then(&account) else { continue };
            let ts = Date::from_epoch_millis(answer.ts);
            match &mut thread {
                Some(thread) => thread.add(author, ts),
                None => thread = Some(Thread::new(author, ts)),
            }
        }
        thread
    }

    /// The answers to the message with this id, in their order.
    fn answers_to(&self, id: &str) -> impl Iterator<Item = &Answer> {
        let answer = |place: u32| self.answers.get(usize::try_from(place).ok()?);
        let first = self.threads.get(&key_of(id)).and_then(|thread| answer(thread.first));
        std::iter::successors(first, move |before| answer(before.next?.get()))
    }

    fn author(&self, place: u32) -> Option<&str> {
        self.authors.get_index(usize::try_from(place).ok()?).map(String::as_str)
    }
}

fn key_of(id: &str) -> MessageKey {
    let hash = stable_hash([id]);
    let mut first = [0; size_of::<MessageKey>()];
    first.copy_from_slice(&hash[..size_of::<MessageKey>()]);
    MessageKey::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(author: &str, root: Option<&str>, ts: i64) -> MessageLinks {
        MessageLinks {
            id: None,
            author: Some(author.to_owned()),
            thread_root: root.map(str::to_owned),
            ts: Some(Date::from_epoch_millis(ts)),
            is_hidden: false,
            is_answered: false,
        }
    }

    #[test]
    fn threads_beyond_what_may_be_held_are_left_to_records_that_count_them() {
        let threads = MOST_BYTES / (BYTES_OF_THREAD + BYTES_OF_ANSWER) + 1;
        for staged_threads in [StagedThreads::Counted, StagedThreads::AsInSource] {
            let mut survey = Survey { staged_threads, ..Survey::default() };
            for thread in 0..threads + 1000 {
                survey.add(said("ann", Some(&thread.to_string()), 1));
            }
            survey.add(said("bea", Some("last"), 1));
            let is_held = staged_threads == StagedThreads::AsInSource;
            assert_eq!((survey.threads.is_empty(), survey.answers.is_empty()), (!is_held, !is_held));
            assert_eq!(survey.has_root("0"), !is_held, "what is staged says it");
            assert_eq!(survey.thread("last", |_| Some("account")).is_some(), is_held);
            assert_eq!(survey.authors().collect::<Vec<_>>(), ["ann", "bea"]);
        }
    }

    #[test]
    fn answers_of_mixed_threads_stay_in_their_order() {
        let mut survey = Survey::default();
        let answers = [("ann", "one"), ("bea", "two"), ("bea", "one"), ("ann", "one"), ("cat", "two")];
        for (ts, (author, root)) in (0..).zip(answers) {
            survey.add(said(author, Some(root), ts));
        }
        survey.add(said("dan", None, 9));
        let times = |id: &str| survey.answers_to(id).map(|answer| answer.ts).collect::<Vec<_>>();
        assert_eq!((times("one"), times("two"), times("three")), (vec![0, 2, 3], vec![1, 4], vec![]));
        let repliers = |id: &str| survey.repliers(id).collect::<HashSet<_>>();
        assert_eq!(repliers("one"), HashSet::from(["ann", "bea"]));
        assert_eq!(repliers("two"), HashSet::from(["bea", "cat"]));
        assert_eq!(survey.authors().collect::<Vec<_>>(), ["ann", "bea", "cat", "dan"]);
        assert!(survey.thread("three", |_| None).is_none());
    }
}
