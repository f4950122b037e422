//! What has to be known of all staged messages before the first is converted: who wrote them, and their threads.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt as _;
use indexmap::IndexSet;

use crate::{
    domain::{document::thread::Thread, field_value::Date},
    repository::{MessageLinks, Repositories, RepositoryError},
};

/// Authors and threads of the staged messages of an operation.
#[derive(Debug, Default)]
pub(in crate::engine) struct Survey {
    /// Import ids of everybody who wrote something.
    authors: IndexSet<String>,
    threads: HashMap<String, StagedThread>,
}

/// The answers to one message.
#[derive(Debug, Default)]
struct StagedThread {
    /// The place of each author among all authors, and the time.
    answers: Vec<(u32, i64)>,
    /// Whether the message that they answer is staged, too.
    has_root: bool,
}

impl Survey {
    /// Reads the messages of the root operation that are not left out.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn read(repositories: &Repositories, root: &str) -> Result<Self, RepositoryError> {
        let mut survey = Self::default();
        let mut answered = HashSet::new();
        let mut messages = Box::pin(repositories.staged_choice.message_links(root).await?);
        while let Some(mut message) = messages.try_next().await? {
            if message.is_answered {
                answered.extend(message.id.take());
            }
            survey.add(message);
        }
        for (id, thread) in &mut survey.threads {
            thread.has_root = answered.contains(id);
        }
        if survey.threads.values().all(|thread| thread.has_root) {
            return Ok(survey);
        }
        // Once more, for first messages that do not say that they are answered: an answer may stand before one.
        let mut messages = Box::pin(repositories.staged_choice.message_links(root).await?);
        while let Some(message) = messages.try_next().await? {
            if let Some(thread) = message.id.and_then(|id| survey.threads.get_mut(&id)) {
                thread.has_root = true;
            }
        }
        Ok(survey)
    }

    fn add(&mut self, message: MessageLinks) {
        let Some(author) = message.author else { return };
        let place = match self.authors.get_index_of(&author) {
            Some(place) => place,
            None => self.authors.insert_full(author).0,
        };
        if let (Some(root), Some(ts), false) = (message.thread_root, message.ts, message.is_hidden) {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            self.threads.entry(root).or_default().answers.push((place, ts.epoch_millis()));
        }
    }

    /// The import ids of everybody who wrote something, in order of the first message.
    pub(in crate::engine) fn authors(&self) -> impl Iterator<Item = &str> {
        self.authors.iter().map(String::as_str)
    }

    /// Whether the message with this id, which others answer, is staged.
    pub(super) fn has_root(&self, id: &str) -> bool {
        self.threads.get(id).is_some_and(|thread| thread.has_root)
    }

    /// The import ids of those who answered the message with this id.
    pub(super) fn repliers(&self, id: &str) -> impl Iterator<Item = &str> {
        let answers = self.threads.get(id).map(|thread| thread.answers.as_slice()).unwrap_or_default();
        let places: HashSet<u32> = answers.iter().map(|(author, _)| *author).collect();
        places.into_iter().filter_map(|place| self.author(place))
    }

    /// The thread of the message with this id, without answers of people who are not known.
    pub(super) fn thread<'p>(&self, id: &str, account: impl Fn(&str) -> Option<&'p str>) -> Option<Thread> {
        let mut thread: Option<Thread> = None;
        for (author, ts) in &self.threads.get(id)?.answers {
            let Some(author) = self.author(*author).and_then(&account) else { continue };
            let ts = Date::from_epoch_millis(*ts);
            match &mut thread {
                Some(thread) => thread.add(author, ts),
                None => thread = Some(Thread::new(author, ts)),
            }
        }
        thread
    }

    fn author(&self, place: u32) -> Option<&str> {
        self.authors.get_index(usize::try_from(place).ok()?).map(String::as_str)
    }
}
