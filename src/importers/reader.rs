//! The elements of a file in their order, from any position on.

use std::{io, sync::Arc};

use super::{read_at::Watched, record::Element};

/// Elements of a part of a file.
pub(super) type Elements = Box<dyn Iterator<Item = Element> + Send>;

/// A file, cut into parts that are read one after the other and independently of each other.
pub(super) trait Parts: Send {
    /// The elements of the part `number`, counted from 0; none after the last.
    fn part(&mut self, number: u64) -> Option<Elements>;

    /// Whether all that is read are files that an archive of another kind may carry for its messages.
    fn reads_held_files_alone(&self) -> bool {
        false
    }
}

/// A place between two elements, from which reading can go on later, in another process too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the part: users, contacts, channels, then a part a room.
    pub part: u64,
    /// How many of its elements are done.
    pub done: u64,
}

/// Reads a file: users, contacts, channels, messages, in this order.
///
/// The same file always gives the same elements in the same order. An error is one of the store that holds the file;
/// reading goes on from [`Reader::position`] by [`Reader::resume`] once the store is back.
pub struct Reader {
    parts: Box<dyn Parts>,
    file: Arc<Watched>,
    current: Option<Elements>,
    position: Position,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reader").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(parts: Box<dyn Parts>, file: Arc<Watched>) -> Self {
        Self { parts, file, current: None, position: Position::default() }
    }

    /// Whether all that this importer reads lies where an archive of another kind carries the files of its messages. Where
    /// another importer reads the same file, the file is more likely its.
    #[must_use]
    pub fn reads_held_files_alone(&self) -> bool {
        self.parts.reads_held_files_alone()
    }

    /// The position after the last element that was returned.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Goes on from `position`, which this file gave before.
    ///
    /// The part that holds the position is read again up to it; earlier parts are not read.
    pub fn resume(&mut self, position: Position) {
        self.current = None;
        self.position = position;
    }

    fn rest_of_part(&mut self) -> Option<Elements> {
        let part = self.parts.part(self.position.part)?;
        let done = usize::try_from(self.position.done).unwrap_or(usize::MAX);
        Some(if done == 0 { part } else { Box::new(part.skip(done)) })
    }
}

impl Iterator for Reader {
    type Item = io::Result<Element>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.current.is_none() {
                self.current = Some(self.rest_of_part()?);
            }
            let element = self.current.as_mut().and_then(Iterator::next);
            // What a part makes of bytes that could not be had is worth nothing.
            if let Some(error) = self.file.take_failure() {
                self.current = None;
                return Some(Err(error));
            }
            if let Some(element) = element {
                self.position.done += 1;
                return Some(Ok(element));
            }
            self.current = None;
            self.position = Position { part: self.position.part + 1, done: 0 };
        }
    }
}
