//! The users before the accounts of the workspace: what a run would do with each, and who has to be staged at all.

use std::{collections::BTreeMap, io};

use reqwest::StatusCode;
use serde::Serialize;

use super::{
    batches::{KeptUser, KeptUsers, Spool},
    disk,
    passwords::Passwords,
    proxy_limit,
};
use crate::{
    cli::{CommandError, console::Console, words::counted},
    client::{Client, ClientError, ForeseenLine, ForeseenProblem, ForeseenUser, Lines, OutcomeCounts},
    domain::receipt::Outcome,
    user_file::{Kind, Problem, Severity},
};

/// Below the 50 MiB that the service takes.
const PART_BYTES: usize = 40 * 1024 * 1024;
/// The server would not take the user.
const REFUSED: &str = "refused";
const SAME: &str = Outcome::Same.as_str();
/// As many users that would fail are listed, as many that are refused, and as many warnings.
const LISTED: usize = 100;

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
    /// Why the server would not take a user, by the user's place among all that were kept, from 0 on.
    pub(super) refusals: BTreeMap<u64, String>,
    /// Users that were seen.
    seen: u64,
}

/// A request: users as JSON lines, each on its own line of the file where that can be.
struct Part {
    body: Vec<u8>,
    users: u64,
    /// The place of its first user among all.
    begin: u64,
    /// The line of its last user.
    last_line: u64,
}

/// Asks the server about all users; `None` if it cannot say. Those who are to be staged get a password where passwords are
/// made.
pub(super) async fn foresee(
    client: &Client,
    users: &mut KeptUsers,
    total: u64,
    parameters: &[(String, String)],
    mut passwords: Option<&mut Passwords>,
    console: &Console,
) -> Result<Option<Plan>, CommandError> {
    let mut plan = Plan {
        foreseen: Foreseen::default(),
        spool: Spool::new().map_err(|error| disk(&error))?,
        to_stage: 0,
        refusals: BTreeMap::new(),
        seen: 0,
    };
    let (mut limit, mut done) = (PART_BYTES, 0);
    console.begin("checked");
    loop {
        let begin = users.place();
        let Some(part) = read_part(users, limit).map_err(|error| disk(&error))? else { break };
        let mut answer = match client.foresee(&part.body, parameters).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                users.go_to(0).map_err(|error| disk(&error))?;
                console.end();
                return Ok(None);
            }
            Err(ClientError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) => {
                if part.users == 1 {
                    return Err(proxy_limit::too_large_alone(part.last_line, part.body.len()));
                }
                limit = part.body.len() / 2;
                console.notice(&proxy_limit::halved(part.body.len()));
                users.go_to(begin).map_err(|error| disk(&error))?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        users.go_to(part.begin).map_err(|error| disk(&error))?;
        take(&mut answer, users, part.users, &mut plan, passwords.as_deref_mut(), |in_part| {
            console.progress(done + in_part, total, "");
        })
        .await?;
        done += part.users;
    }
    console.end();
    Ok(Some(plan))
}

fn read_part(users: &mut KeptUsers, limit: usize) -> io::Result<Option<Part>> {
    let mut part = Part { body: Vec::new(), users: 0, begin: users.place(), last_line: 0 };
    loop {
        let place = users.place();
        let Some(user) = users.next()? else { break };
        let line = sent_line(&user, part.last_line);
        let blanks = usize::try_from(line - part.last_line - 1).unwrap_or_default();
        if part.users > 0 && part.body.len() + blanks + user.text.len() >= limit {
            users.go_to(place)?;
            break;
        }
        part.body.extend(std::iter::repeat_n(b'\n', blanks));
        part.body.extend_from_slice(user.text.as_bytes());
        part.body.push(b'\n');
        part.users += 1;
        part.last_line = line;
    }
    Ok((part.users > 0).then_some(part))
}

/// The line on which the user stands in the request. Several may be on one line of the file.
fn sent_line(user: &KeptUser, last: u64) -> u64 {
    user.line.max(last + 1)
}

async fn take(
    answer: &mut Lines<'_>,
    users: &mut KeptUsers,
    count: u64,
    plan: &mut Plan,
    mut passwords: Option<&mut Passwords>,
    progress: impl Fn(u64),
) -> Result<(), CommandError> {
    let (mut last_line, mut seen) = (0, 0);
    let mut problem: Option<ForeseenProblem> = None;
    let mut is_whole = false;
    while let Some(line) = answer.next::<ForeseenLine>().await? {
        if let Some(reason) = line.error {
            return Err(CommandError::Server(reason));
        }
        is_whole |= line.end.is_some();
        match line.problem.filter(|found| found.severity != "warning") {
            // Each part of the file is answered with it.
            Some(ForeseenProblem { line: None, reason, .. }) => plan.foreseen.wrong_setting = Some(reason),
            Some(found) => problem = Some(found),
            None => {}
        }
        let Some(record) = line.record else { continue };
        while seen < count {
            let Some(user) = users.next().map_err(|error| disk(&error))? else { break };
            seen += 1;
            last_line = sent_line(&user, last_line);
            if last_line >= record.line {
                // Also to those who would not get an account: until the run, that may change.
                let user = match &mut passwords {
                    Some(passwords) if is_staged(&record.outcome) => passwords.give(user)?,
                    _ => user,
                };
                plan.add(&user, record).map_err(|error| disk(&error))?;
                break;
            }
            plan.leave_out(&user, problem.take());
        }
        progress(seen);
    }
    if !is_whole {
        return Err(CommandError::Server("the answer of the check ended before it was whole".to_owned()));
    }
    while seen < count {
        let Some(user) = users.next().map_err(|error| disk(&error))? else { break };
        seen += 1;
        plan.leave_out(&user, problem.take().filter(|problem| problem.line > Some(last_line)));
    }
    Ok(())
}

/// Whether a user with this foreseen outcome is staged.
fn is_staged(outcome: &str) -> bool {
    outcome != REFUSED && outcome != SAME
}

impl Plan {
    fn add(&mut self, user: &KeptUser, record: ForeseenUser) -> io::Result<()> {
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
                self.refuse(user, record.reason);
                return Ok(());
            }
            SAME => {
                foreseen.same.count(SAME);
                if let Some(found_by) = record.found_by.clone() {
                    foreseen.same.add_found(SAME, record.import_ids.clone(), record.account.clone(), found_by);
                }
            }
            outcome => {
                if outcome == "failed" && foreseen.failing.len() < LISTED {
                    let reason = record.reason.unwrap_or_default();
                    let import_ids = record.import_ids.clone();
                    foreseen.failing.push(FailingUser { line: user.line, import_ids, reason });
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
    fn leave_out(&mut self, user: &KeptUser, problem: Option<ForeseenProblem>) {
        if self.foreseen.wrong_setting.is_some() {
            // It keeps this user out, too, and is no fault of the line.
            self.seen += 1;
        } else {
            self.refuse(user, problem.map(|problem| problem.reason));
        }
    }

    /// Counts a user that the server would not take.
    fn refuse(&mut self, user: &KeptUser, reason: Option<String>) {
        self.foreseen.refused += 1;
        let reason = reason.unwrap_or_else(|| "the server does not take this user".to_owned());
        self.refusals.insert(self.seen, reason.clone());
        self.seen += 1;
        if self.foreseen.problems.len() < LISTED {
            let import_id = serde_json::from_str::<serde_json::Value>(&user.text).ok();
            let import_id = import_id.and_then(|user| Some(user.pointer("/importIds/0")?.as_str()?.to_owned()));
            self.foreseen.problems.push(problem(user.line, import_id, Kind::Refused, Severity::Error, reason));
        }
    }
}

fn problem(line: u64, import_id: Option<String>, kind: Kind, severity: Severity, reason: String) -> Problem {
    Problem { line: Some(line), import_id, kind, severity, reason }
}

impl Foreseen {
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
