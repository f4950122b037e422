//! The answers of a server that says what a run would do: what each means, and who has to be staged at all.

use std::io;

use serde::Serialize;
use serde_json::Value;

use super::{
    batches::{KeptUser, Spool},
    reasons::Reasons,
    rejected::PlacedReasons,
};
use crate::{
    cli::words::counted,
    client::{ForeseenProblem, ForeseenUser, OutcomeCounts},
    domain::receipt::Outcome,
    user_file::{Kind, Problem, Severity},
};

/// The server would not take the user.
const REFUSED: &str = "refused";
const SAME: &str = Outcome::Same.as_str();
const FAILED: &str = Outcome::Failed.as_str();
/// As many users that would fail are listed, as many that are refused, and as many warnings.
const LISTED: usize = 100;
const IMPORT_IDS: &str = "importIds";
/// Fields whose values reasons repeat.
const NAMES: [&str; 3] = ["username", "emails", IMPORT_IDS];

/// The fates of all users.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Foreseen {
    #[serde(flatten)]
    pub(super) counts: OutcomeCounts,
    /// Why the server would take nobody at all.
    #[serde(skip)]
    pub(super) wrong_setting: Option<String>,
    /// Users that the server would not even take; the first are among the problems of the file.
    pub(super) refused: u64,
    /// The first users that would fail.
    pub(super) failing: Vec<FailingUser>,
    /// Why users would fail, summed up.
    pub(super) reasons: Reasons,
    #[serde(skip)]
    pub(super) problems: Vec<Problem>,
    #[serde(skip)]
    pub(super) warnings: Vec<Problem>,
    #[serde(skip)]
    pub(super) warning_count: u64,
    /// Accounts among those that stay the same that may be another person's.
    #[serde(skip)]
    pub(super) same: OutcomeCounts,
}

/// A user that would fail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailingUser {
    pub(super) line: u64,
    pub(super) import_ids: Vec<String>,
    pub(super) reason: String,
}

/// The fates, and the users that a run has something to do with.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) foreseen: Foreseen,
    pub(super) spool: Spool,
    pub(super) to_stage: u64,
    /// Why the server would not take users, and why others would fail where that is wanted.
    pub(super) rejected: PlacedReasons,
    /// Whether users who would fail are among the rejected ones.
    rejects_failing: bool,
    /// Users that were seen.
    seen: u64,
}

/// Whether a user with this foreseen outcome is staged.
pub(super) fn is_staged(outcome: &str) -> bool {
    outcome != REFUSED && outcome != SAME
}

impl Plan {
    /// Makes a plan of no users. With `rejects_failing` users who would fail are among the rejected ones.
    pub(super) fn new(rejects_failing: bool) -> io::Result<Self> {
        Ok(Self {
            foreseen: Foreseen::default(),
            spool: Spool::new()?,
            to_stage: 0,
            rejected: PlacedReasons::default(),
            rejects_failing,
            seen: 0,
        })
    }

    /// How many users were seen so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes what the server says of the user.
    pub(super) fn add(&mut self, user: &KeptUser, record: ForeseenUser) -> io::Result<()> {
        let foreseen = &mut self.foreseen;
        let twins = record.twins.into_iter().map(|twin| (Kind::CaseTwins, twin));
        let warnings = record.warnings.into_iter().map(|warning| {
            let kind = match warning.kind.as_str() {
                "domain" => Kind::Domain,
                "channel" => Kind::Channel,
                _ => Kind::Username,
            };
            (kind, warning.reason)
        });
        for (kind, reason) in twins.chain(warnings) {
            foreseen.warning_count += 1;
            if foreseen.warnings.len() < LISTED {
                let import_id = record.import_ids.first().cloned();
                foreseen.warnings.push(problem(user.line, import_id, kind, Severity::Warning, reason));
            }
        }
        match record.outcome.as_str() {
            REFUSED => {
                return self.refuse(user, record.reason);
            }
            SAME => {
                foreseen.same.count(SAME);
                if let Some(found_by) = record.found_by.clone() {
                    foreseen.same.add_found(SAME, record.import_ids.clone(), record.account.clone(), found_by);
                }
            }
            outcome => {
                if outcome == FAILED {
                    let reason = record.reason.unwrap_or_default();
                    if self.rejects_failing {
                        self.rejected.add(self.seen, &reason)?;
                    }
                    foreseen.fail(user, record.import_ids.clone(), reason);
                }
                self.to_stage += 1;
                self.spool.add_kept(user)?;
            }
        }
        self.seen += 1;
        foreseen.counts.count(&record.outcome);
        if let Some(found_by) = record.found_by {
            foreseen.counts.add_found(&record.outcome, record.import_ids, record.account, found_by);
        }
        Ok(())
    }

    /// Counts a user of whom the server says nothing.
    pub(super) fn leave_out(&mut self, user: &KeptUser, problem: Option<ForeseenProblem>) -> io::Result<()> {
        if self.foreseen.wrong_setting.is_some() {
            // It keeps this user out, too, and is no fault of the line.
            self.seen += 1;
            return Ok(());
        }
        self.refuse(user, problem.map(|problem| problem.reason))
    }

    /// Counts a user that the server would not take.
    fn refuse(&mut self, user: &KeptUser, reason: Option<String>) -> io::Result<()> {
        self.foreseen.refused += 1;
        let reason = reason.unwrap_or_else(|| "the server does not take this user".to_owned());
        self.rejected.add(self.seen, &reason)?;
        self.seen += 1;
        if self.foreseen.problems.len() < LISTED {
            let import_id = names_in(&user.text, &[IMPORT_IDS]).next();
            self.foreseen.problems.push(problem(user.line, import_id, Kind::Refused, Severity::Error, reason));
        }
        Ok(())
    }
}

/// The texts of these fields of a user in JSON.
fn names_in(text: &str, fields: &'static [&'static str]) -> impl Iterator<Item = String> {
    let user: Value = serde_json::from_str(text).unwrap_or_default();
    fields.iter().flat_map(move |field| match &user[*field] {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    })
}

fn problem(line: u64, import_id: Option<String>, kind: Kind, severity: Severity, reason: String) -> Problem {
    Problem { line: Some(line), import_id, kind, severity, reason }
}

impl Foreseen {
    fn fail(&mut self, user: &KeptUser, import_ids: Vec<String>, reason: String) {
        let names: Vec<String> = names_in(&user.text, &NAMES).collect();
        self.reasons.add(&reason, &names.iter().map(String::as_str));
        if self.failing.len() < LISTED {
            self.failing.push(FailingUser { line: user.line, import_ids, reason });
        }
    }

    /// The counts in words.
    pub(super) fn in_words(&self) -> String {
        let counts = &self.counts;
        let parts = [
            (counts.created, "created"),
            (counts.linked, "linked"),
            (counts.updated, "updated"),
            (counts.failed, "failed"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let would = if parts.is_empty() { "nothing to do".to_owned() } else { format!("a run: {}", parts.join(", ")) };
        if counts.same == 0 { would } else { format!("{would}; {} already there", counted(counts.same, "user")) }
    }
}
