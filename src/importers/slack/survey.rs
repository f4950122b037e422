//! What has to be known of all messages of a room before the first of them can be staged: who answers whom, and which
//! of them would share a millisecond.
//!
//! The numbers that Slack writes beside a thread's first message are not used: they count answers that are not in the export.

use std::collections::{HashMap, HashSet};

use indexmap::IndexSet;

use crate::importers::{
    entries::FoundElement,
    moments::{Moments, millis_of_micros, slack_micros},
};

use super::{files::Fate, message::RawMessage};

/// Facts about the messages of one room: about 16 bytes a message while they are collected, and 100 a thread as long as the
/// room is read.
#[derive(Debug)]
pub(super) struct Survey {
    moments: Moments<u64>,
    threads: HashMap<u64, Thread>,
    /// Import ids of everybody who answered something.
    repliers: IndexSet<Box<str>>,
    /// Times that occur more than once, and whether the first of them was seen.
    repeated: HashMap<u64, bool>,
}

/// The answers to one message.
#[derive(Debug, Default)]
pub(super) struct Thread {
    pub(super) answers: u32,
    /// The time of the last answer.
    pub(super) last: u64,
    /// Places of those who answered among all repliers, each once, in their order.
    repliers: Vec<u32>,
    /// Whether the message itself is in the export.
    has_root: bool,
}

impl Survey {
    /// Reads all messages of a room; twice if any of them is there more than once.
    pub(super) fn new<E: Iterator<Item = FoundElement>>(elements: impl Fn() -> E) -> Self {
        let mut collected = Collected::new(elements(), &HashSet::new());
        let repeated = collected.repeated();
        if !repeated.is_empty() {
            collected = Collected::new(elements(), &repeated);
        }
        let Collected { times, mut threads, repliers } = collected;
        let mut sorted: Vec<u64> = times.iter().map(|(micros, _)| *micros).collect();
        sorted.sort_unstable();
        for (root, thread) in &mut threads {
            thread.has_root = sorted.binary_search(root).is_ok();
        }
        drop(sorted);
        Self {
            moments: Moments::new(times, millis_of_micros),
            threads,
            repliers,
            repeated: repeated.into_iter().map(|micros| (micros, false)).collect(),
        }
    }

    /// The millisecond of a message with this time.
    pub(super) fn millis(&self, micros: u64) -> i64 {
        self.moments.of(micros, millis_of_micros(micros))
    }

    /// The answers to the message with this time, if there are any.
    pub(super) fn thread(&self, root: u64) -> Option<&Thread> {
        self.threads.get(&root)
    }

    /// The import ids of those who answered, each once, in their order.
    pub(super) fn repliers(&self, thread: &Thread) -> impl Iterator<Item = &str> {
        let id = |place: &u32| self.repliers.get_index(usize::try_from(*place).ok()?).map(|id| &**id);
        thread.repliers.iter().filter_map(id)
    }

    pub(super) fn has_root(&self, root: u64) -> bool {
        self.threads.get(&root).is_some_and(|thread| thread.has_root)
    }

    /// Whether a message with this time was seen before.
    pub(super) fn is_repeated(&mut self, micros: u64) -> bool {
        self.repeated.get_mut(&micros).is_some_and(|seen| std::mem::replace(seen, true))
    }
}

#[derive(Debug)]
struct Collected {
    /// Times with the number of rows that each needs.
    times: Vec<(u64, u32)>,
    threads: HashMap<u64, Thread>,
    repliers: IndexSet<Box<str>>,
}

impl Collected {
    fn new(elements: impl Iterator<Item = FoundElement>, repeated: &HashSet<u64>) -> Self {
        let mut seen = HashSet::new();
        let mut collected = Self { times: Vec::new(), threads: HashMap::new(), repliers: IndexSet::new() };
        for (_, json) in elements.flatten() {
            let Ok(message) = RawMessage::read(&json) else { continue };
            let Some(micros) = message.micros().filter(|_| message.why_passed_over().is_none()) else { continue };
            if repeated.contains(&micros) && !seen.insert(micros) {
                continue;
            }
            collected.times.push((micros, rows_of(&message)));
            if let Some(root) = message.answers_to().and_then(|root| slack_micros(&root)) {
                let author = message.author();
                let place = match collected.repliers.get_index_of(&*author) {
                    Some(place) => place,
                    None => collected.repliers.insert_full((*author).into()).0,
                };
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                collected.threads.entry(root).or_default().add(micros, place);
            }
        }
        collected
    }

    fn repeated(&self) -> HashSet<u64> {
        let mut sorted: Vec<u64> = self.times.iter().map(|(micros, _)| *micros).collect();
        sorted.sort_unstable();
        sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
    }
}

fn rows_of(message: &RawMessage<'_>) -> u32 {
    if !message.has_files() {
        return 1;
    }
    let files = message.files();
    let pending = files.iter().filter(|file| matches!(file.fate(), Fate::Pending(_))).count();
    u32::try_from(pending).unwrap_or_default().saturating_add(1)
}

impl Thread {
    fn add(&mut self, micros: u64, replier: u32) {
        self.answers += 1;
        self.last = self.last.max(micros);
        if !self.repliers.contains(&replier) {
            self.repliers.push(replier);
        }
    }
}
