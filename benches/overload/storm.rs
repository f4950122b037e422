//! Clients that ask at fixed times, whether they are answered or not.

use std::{io, time::Duration};

use futures::future::join_all;
use tokio::time::{Instant, sleep_until};

use crate::client::{Connection, get};

/// How long a connection that was lost may take to be made anew.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

pub struct Storm<'a> {
    pub host: &'a str,
    pub callers: &'a [(String, String)],
    pub connections: usize,
    pub span: Duration,
}

/// What came of it. Durations are from sending to the last byte of the answer, in order of length.
#[derive(Default)]
pub struct Outcome {
    pub accepted: Vec<Duration>,
    pub shed: Vec<Duration>,
    /// Neither, or no answer at all.
    pub others: usize,
    pub example: Option<String>,
    /// Not sent, because the connection still waited for the answer before.
    pub left_out: usize,
    pub span: Duration,
}

impl Outcome {
    pub fn offered(&self) -> usize {
        self.accepted.len() + self.shed.len() + self.others
    }

    fn note(&mut self, answer: io::Result<&[u8]>, took: Duration) {
        match answer {
            Ok(answer) if answer.starts_with(b"HTTP/1.1 200") => self.accepted.push(took),
            Ok(answer) if is_refusal(answer) => self.shed.push(took),
            Ok(answer) => self.note_other(String::from_utf8_lossy(answer).into_owned()),
            Err(error) => self.note_other(error.to_string()),
        }
    }

    fn note_other(&mut self, what: String) {
        self.others += 1;
        self.example.get_or_insert(what);
    }

    fn add(mut self, other: Self) -> Self {
        self.accepted.extend(other.accepted);
        self.shed.extend(other.shed);
        self.others += other.others;
        self.left_out += other.left_out;
        self.example = self.example.or(other.example);
        self
    }
}

impl Storm<'_> {
    /// `GET path`, so many times a second altogether.
    pub async fn rage(self, path: &str, rate: f64) -> Outcome {
        let interval = Duration::from_secs_f64(self.connections as f64 / rate);
        let start = Instant::now();
        let clients = (0..self.connections).map(|number| {
            let request = get(self.host, path, &self.callers[number % self.callers.len()]);
            // Evenly spread over the interval.
            let first = start + interval.mul_f64(number as f64 / self.connections as f64);
            tokio::spawn(ask(self.host.to_owned(), request, first, interval, start + self.span))
        });
        let outcomes = join_all(clients).await.into_iter().map(Result::unwrap);
        let mut all = outcomes.fold(Outcome::default(), Outcome::add);
        all.accepted.sort_unstable();
        all.shed.sort_unstable();
        all.span = start.elapsed();
        all
    }
}

async fn ask(host: String, request: Vec<u8>, first: Instant, interval: Duration, until: Instant) -> Outcome {
    let mut outcome = Outcome::default();
    let mut connection = None;
    let mut due = first;
    while due < until {
        sleep_until(due).await;
        let open = match &mut connection {
            Some(open) => open,
            None => match Connection::to(&host).await {
                Ok(open) => connection.insert(open),
                Err(error) => {
                    outcome.note_other(error.to_string());
                    due = Instant::now() + RECONNECT_PAUSE;
                    continue;
                }
            },
        };
        let sent = Instant::now();
        let answer = open.exchange(&request).await;
        let lost = answer.is_err();
        outcome.note(answer, sent.elapsed());
        if lost {
            connection = None;
        }
        due += interval;
        while due < Instant::now() && due < until {
            outcome.left_out += 1;
            due += interval;
        }
    }
    outcome
}

fn is_refusal(answer: &[u8]) -> bool {
    const RETRY_AFTER: &[u8] = b"retry-after:";
    answer.starts_with(b"HTTP/1.1 503")
        && answer.windows(RETRY_AFTER.len()).any(|window| window.eq_ignore_ascii_case(RETRY_AFTER))
}

/// Of durations in order; nothing of none.
pub fn percentile(sorted: &[Duration], share: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * share / 100).copied().unwrap_or_default()
}
