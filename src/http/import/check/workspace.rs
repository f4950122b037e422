//! What a run would do with the users of a file, in the order of their lines.

use std::time::Duration;

use csv::StringRecord;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;

use super::{
    super::add_users::read_user,
    query::Wanted,
    reading::{Cut, Line, Reading, Summary, UserLine},
    rejected::RejectedLines,
};
use crate::{
    domain::{receipt::Outcome, sign_up::DoubtKind},
    engine::{Fate, Foreseen, ListedUser, Rehearsal},
    http::{error::ApiError, streamed::json},
    user_file::{Entry, Problem, Refusable, Tally, User},
};

/// More time for each password that may be compared with a stored one.
const PASSWORD_TIME: Duration = Duration::from_millis(150);
/// Users that are looked for with one query, as in a run.
const USERS_AT_A_TIME: usize = 500;
/// Bytes of lines that wait for their users to be looked for.
const WAITING_BYTES: usize = 1024 * 1024;

/// The users of a file before the accounts of the workspace.
pub(super) struct Workspace {
    rehearsal: Rehearsal,
    /// Where the database is waited for.
    runtime: Handle,
    /// Whether the run may touch rooms.
    touches_rooms: bool,
}

/// How many users would go which way.
#[derive(Debug, Default, Serialize)]
struct Counts {
    created: u64,
    linked: u64,
    updated: u64,
    same: u64,
    failed: u64,
    /// Users that are not even staged.
    refused: u64,
    /// Accounts that were found by an address that nobody verified, or by name alone.
    unsure: u64,
}

/// The fate of a user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    line: u64,
    import_ids: Vec<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_of_line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found_by: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    changed: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    twins: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning<'a>>,
}

/// A value that nobody could sign up with; an import takes it.
#[derive(Debug, Serialize)]
struct Warning<'a> {
    kind: &'static str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct RecordLine<'a> {
    record: Record<'a>,
}

#[derive(Debug, Serialize)]
struct EndLine {
    end: End,
}

#[derive(Debug, Serialize)]
struct End {
    #[serde(flatten)]
    summary: Summary,
    workspace: Counts,
}

/// A user of the file, or why `import.addUsers` would not take it.
enum Sent {
    User(usize),
    Refused(String),
}

impl Workspace {
    /// Begins a check by this rehearsal.
    pub(super) fn new(rehearsal: Rehearsal, runtime: Handle) -> Self {
        Self { rehearsal, runtime, touches_rooms: false }
    }

    /// Reads the file twice, and sends what would become of each user.
    pub(super) fn read(mut self, reading: &Reading<'_>) {
        let mut passwords = 0;
        for entry in reading.users() {
            if reading.is_over() {
                break;
            }
            if let Some(Ok(record)) = entry.user.map(|user| read_user(Value::Object(user), "")) {
                self.rehearsal.note(&record);
                passwords += u32::from(self.rehearsal.may_compare_password(&record));
            }
        }
        reading.give_more_time(PASSWORD_TIME * passwords);
        let (mut tally, mut counts) = (Tally::new(0), Counts::default());
        if let Some(sentence) = self.rehearsal.wrong_setting() {
            let problem = Problem::of_setting(sentence.to_owned());
            if !reading.send(json(&Line::Problem(&problem)) + "\n") {
                return;
            }
            tally.note(problem);
        }
        let mut users = reading.users();
        let mut rejected = RejectedLines::new(reading.wanted.wants_rejects);
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        loop {
            let entry = users.next();
            if reading.is_over() {
                return reading.end(Cut::TookTooLong);
            }
            let is_last = entry.is_none();
            if let Some(mut entry) = entry {
                // The workspace has its own rules for names.
                entry.problems.retain(|problem| !problem.is_username_warning());
                bytes += entry.user.as_ref().map_or(0, size_of_user);
                waiting.push(entry);
            }
            if is_last || waiting.len() >= USERS_AT_A_TIME || bytes >= WAITING_BYTES {
                bytes = 0;
                let list = (&mut rejected, users.header());
                let piece = match self.lines(&waiting, reading.wanted, &mut counts, list) {
                    Ok(piece) => piece,
                    Err(error) => return reading.end(Cut::Database(error)),
                };
                waiting.drain(..).for_each(|entry| tally.take(entry));
                if !piece.is_empty() && !reading.send(piece) {
                    return;
                }
            }
            if is_last {
                break;
            }
        }
        let missing = self.rehearsal.missing_for_rooms();
        if self.touches_rooms && !missing.is_empty() {
            let refusal = ApiError::MissingPrivileges { missing: missing.to_vec() };
            let problem = Problem::of_setting(refusal.to_string());
            if !reading.send(json(&Line::Problem(&problem)) + "\n") {
                return;
            }
            tally.note(problem);
        }
        let end = End { summary: Summary::new(&tally, users.findings()), workspace: counts };
        reading.send_last(json(&EndLine { end }) + "\n");
    }

    fn lines(
        &mut self,
        entries: &[Entry],
        wanted: &Wanted,
        counts: &mut Counts,
        (rejected, header): (&mut RejectedLines, Option<&StringRecord>),
    ) -> Result<String, crate::repository::RepositoryError> {
        let mut listed = Vec::with_capacity(entries.len());
        let sent: Vec<Option<Sent>> = entries
            .iter()
            .map(|entry| {
                let user = entry.user.clone()?;
                Some(match read_user(Value::Object(user), "") {
                    Ok(record) => {
                        listed.push(ListedUser { line: entry.line, record });
                        Sent::User(listed.len() - 1)
                    }
                    Err(refusal) => Sent::Refused(refusal.to_string()),
                })
            })
            .collect();
        let foreseen = self.runtime.block_on(self.rehearsal.foresee(&listed))?;
        let mut lines = String::new();
        for (entry, sent) in entries.iter().zip(sent) {
            for problem in &entry.problems {
                lines.push_str(&json(&Line::Problem(problem)));
                lines.push('\n');
            }
            let (foreseen, touches_rooms) = match sent {
                None => {
                    rejected.add(entry, None, header);
                    continue;
                }
                Some(Sent::User(position)) => {
                    (foreseen.get(position).cloned(), self.rehearsal.touches_rooms(&listed[position].record))
                }
                Some(Sent::Refused(reason)) => (Some(Foreseen::refused(reason)), false),
            };
            let (Some(mut foreseen), Some(user)) = (foreseen, &entry.user) else { continue };
            let refused = refused_for(&foreseen, &wanted.options.refused);
            if !refused.is_empty() {
                foreseen = Foreseen::refused(refused.join("; "));
            }
            if foreseen.fate == Fate::Refused {
                rejected.add(entry, foreseen.reason.as_deref(), header);
            }
            if wanted.wants_users {
                lines.push_str(&json(&UserLine { user, line: entry.line }));
                lines.push('\n');
            }
            // Nobody would be staged, so a run would do nothing with the others.
            if self.rehearsal.wrong_setting().is_some() && foreseen.fate != Fate::Refused {
                continue;
            }
            counts.add(&foreseen);
            // Those who are the same are not staged, and without staged users nothing is run.
            if !matches!(foreseen.fate, Fate::Run(Outcome::Same) | Fate::Refused) {
                self.touches_rooms |= touches_rooms;
            }
            lines.push_str(&json(&RecordLine { record: Record::new(entry, &foreseen) }));
            lines.push('\n');
        }
        rejected.move_into(&mut lines);
        Ok(lines)
    }
}

/// The sentences for which the user is refused, by the kinds of warnings that are to be errors.
fn refused_for(foreseen: &Foreseen, kinds: &[Refusable]) -> Vec<String> {
    let twins = foreseen.twins.iter().filter(|_| kinds.contains(&Refusable::CaseTwins)).cloned();
    let doubts = foreseen.doubts.iter().filter(|doubt| match doubt.kind {
        DoubtKind::Username => kinds.contains(&Refusable::Username),
        DoubtKind::Domain => kinds.contains(&Refusable::Domain),
        DoubtKind::Channel => false,
    });
    twins.chain(doubts.map(|doubt| doubt.reason.clone())).collect()
}

impl Counts {
    fn add(&mut self, foreseen: &Foreseen) {
        *match foreseen.fate {
            Fate::Run(Outcome::Created) => &mut self.created,
            Fate::Run(Outcome::Linked) => &mut self.linked,
            Fate::Run(Outcome::Updated) => &mut self.updated,
            Fate::Run(Outcome::Same) => &mut self.same,
            Fate::Run(Outcome::Failed) => &mut self.failed,
            Fate::Refused => &mut self.refused,
        } += 1;
        self.unsure += u64::from(foreseen.is_unsure());
    }
}

impl<'a> Record<'a> {
    fn new(entry: &'a Entry, foreseen: &'a Foreseen) -> Self {
        let ids = entry.user.as_ref().and_then(|user| user.get("importIds")?.as_array());
        Self {
            line: entry.line,
            import_ids: ids.into_iter().flatten().filter_map(Value::as_str).collect(),
            outcome: foreseen.fate.as_str(),
            account: foreseen.account.as_deref(),
            account_of_line: foreseen.account_of_line,
            found_by: foreseen.found_by.map(crate::domain::matching::FoundBy::as_str),
            changed: &foreseen.changed,
            reason: foreseen.reason.as_deref(),
            twins: &foreseen.twins,
            warnings: foreseen
                .doubts
                .iter()
                .map(|doubt| Warning { kind: doubt.kind.as_str(), reason: &doubt.reason })
                .collect(),
        }
    }
}

/// About the bytes of a user in memory.
fn size_of_user(user: &User) -> usize {
    user.values().map(|value| value.as_str().map_or(64, str::len)).sum()
}
