//! Reading a file to its end, within its time.

use std::{
    cell::{Cell, RefCell},
    io::{self, Cursor, Read, Seek, SeekFrom},
    time::{Duration, Instant},
};

use actix_web::web::Bytes;
use serde::Serialize;
use tokio::sync::mpsc::Sender;

use super::{places::ReadingPlace, query::Wanted, rejected::RejectedLines};
use crate::{
    http::streamed::json,
    repository::RepositoryError,
    user_file::{Entry, Findings, Problem, Tally, User, Users},
};

/// As many errors, and as many warnings, are in an answer without users.
const LISTED: usize = 1000;
/// About the length of a piece of an answer with users.
const PIECE_BYTES: usize = 32 * 1024;

/// Why an answer ends early.
#[derive(Debug)]
pub(super) enum Cut {
    /// The file could not be read within its time.
    TookTooLong,
    /// The accounts could not be read.
    Database(RepositoryError),
}

/// A file on its way.
pub(super) struct Reading<'a> {
    pub(super) file: Bytes,
    pub(super) wanted: &'a Wanted,
    pub(super) until: Cell<Instant>,
    pub(super) answer: &'a Sender<Result<String, Cut>>,
    /// Given up before the last piece is sent: the caller may begin the next check as soon as it has that.
    pub(super) place: RefCell<Option<ReadingPlace>>,
}

/// The counts of a file, and the remarks on the whole of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    users: u64,
    bad_lines: u64,
    problem_count: u64,
    warning_count: u64,
    is_unusable: bool,
    findings: Findings,
    /// The findings in words.
    remarks: Vec<String>,
}

/// The answer without users.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(flatten)]
    summary: Summary,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    success: bool,
}

/// A line of the answer with users.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line<'a> {
    Problem(&'a Problem),
    End(Summary),
}

#[derive(Debug, Serialize)]
pub(super) struct UserLine<'a> {
    pub(super) user: &'a User,
    pub(super) line: u64,
}

impl Summary {
    pub(super) fn new(tally: &Tally, findings: &Findings) -> Self {
        Self {
            users: tally.users,
            bad_lines: tally.bad_lines,
            problem_count: tally.problem_count,
            warning_count: tally.warning_count,
            is_unusable: tally.is_unusable,
            findings: findings.clone(),
            remarks: findings.remarks(),
        }
    }
}

impl Reading<'_> {
    /// The users of the file, from its beginning.
    pub(super) fn users(&self) -> Users {
        let source = Timed { bytes: Cursor::new(self.file.clone()), until: self.until.get() };
        Users::read(source, self.wanted.name.as_deref(), &self.wanted.options)
    }

    /// Whether the time is over, or nobody takes the answer. What a source says that ended early is no problem of the file.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() > self.until.get() || self.answer.is_closed()
    }

    /// Moves the end of the time. The users that are read already keep the earlier one.
    pub(super) fn give_more_time(&self, more: Duration) {
        self.until.set(self.until.get() + more);
    }

    /// Sends a piece; whether somebody takes it.
    pub(super) fn send(&self, piece: String) -> bool {
        self.answer.blocking_send(Ok(piece)).is_ok()
    }

    /// Sends the last piece.
    pub(super) fn send_last(&self, piece: String) {
        drop(self.place.take());
        self.send(piece);
    }

    /// Ends early.
    pub(super) fn end(&self, cut: Cut) {
        drop(self.place.take());
        self.answer.blocking_send(Err(cut)).ok();
    }

    /// Reads the file and sends the answer piece by piece. Ends early, with an error as the last piece, when its time is
    /// over, and without a word when nobody takes the answer.
    pub(super) fn read(&self) {
        let wanted = self.wanted;
        let mut users = self.users();
        let is_streamed = wanted.is_streamed();
        let mut tally = Tally::new(if is_streamed { 0 } else { LISTED });
        let mut rejected = RejectedLines::new(wanted.wants_rejects);
        let mut piece = String::new();
        loop {
            let entry = users.next();
            if self.is_over() {
                return self.end(Cut::TookTooLong);
            }
            let Some(entry) = entry else { break };
            if is_streamed {
                add_lines(&mut piece, &entry, wanted.wants_users);
            }
            if entry.user.is_none() {
                rejected.add(&entry, None, users.header());
                rejected.move_into(&mut piece);
            }
            tally.take(entry);
            if piece.len() >= PIECE_BYTES && !self.send(std::mem::take(&mut piece)) {
                return;
            }
        }
        let summary = Summary::new(&tally, users.findings());
        piece.push_str(&if is_streamed {
            json(&Line::End(summary)) + "\n"
        } else {
            json(&Answer { summary, problems: tally.problems, warnings: tally.warnings, success: true })
        });
        self.send_last(piece);
    }
}

fn add_lines(piece: &mut String, entry: &Entry, wants_users: bool) {
    let problems = entry.problems.iter().map(|problem| json(&Line::Problem(problem)));
    let user = entry.user.iter().filter(|_| wants_users).map(|user| json(&UserLine { user, line: entry.line }));
    for line in problems.chain(user) {
        piece.push_str(&line);
        piece.push('\n');
    }
}

/// Bytes that cannot be read any more once their time is over.
struct Timed {
    bytes: Cursor<Bytes>,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.bytes.read(buffer)
    }
}

impl Seek for Timed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const FILE: &[u8] = b"username,emails,importIds\nann,ann@corp.example,1\n";

    fn answers(until: Instant) -> Vec<Result<String, Cut>> {
        let (sender, mut receiver) = mpsc::channel(8);
        let wanted = Wanted::default();
        Reading {
            file: Bytes::from_static(FILE),
            wanted: &wanted,
            until: Cell::new(until),
            answer: &sender,
            place: RefCell::default(),
        }
        .read();
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    #[test]
    fn a_file_whose_time_is_over_has_no_answer_but_that() {
        assert!(matches!(&answers(Instant::now())[..], [Err(Cut::TookTooLong)]));
        let answers = answers(Instant::now() + Duration::from_secs(60));
        assert!(matches!(&answers[..], [Ok(answer)] if answer.starts_with(r#"{"users":1,"#)), "{answers:?}");
    }
}
