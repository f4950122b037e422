//! Staging the checked users, running the import and following it to its end.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep},
};

use super::{
    UsersArgs,
    batches::{Batch, Batches, KeptUsers, Lines},
    disk,
    file::is_standard_input,
    passwords::{Begun, ImportIds, Passwords, People, Written},
    proxy_limit,
    replacing::confirm,
    report::Report,
};
use crate::{
    cli::{
        CommandError,
        console::{Console, Unit},
        follow::{Follow, StalledNotice},
        pace::Pace,
        status::{progress_note, verdict},
    },
    client::{Client, ClientError, FailedUsers, OutcomeCounts, ReportedState, Staging, Status},
    domain::{receipt::Outcome, sent_list::SentList},
};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long no user is staged by a call that was cut off. Another one that is alive stages some in this time.
const STILL: Duration = Duration::from_secs(2);
/// How long the last request of a call that was cut off may take.
const SETTLING: Duration = Duration::from_secs(10);

/// Sends users to a server.
pub(super) struct Sender<'a> {
    pub(super) args: &'a UsersArgs,
    pub(super) client: &'a Client,
    pub(super) console: &'a Console,
}

impl<'a> Sender<'a> {
    /// The import that a call which was cut off has run, if it is the server's newest one.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(super) async fn earlier_run(&self, passwords: Option<&Passwords>) -> Result<Option<Staging<'a>>, CommandError> {
        let Some(begun) = passwords.and_then(|passwords| passwords.begun().last()) else { return Ok(None) };
        let Status { operation, state, counts, .. } = self.client.status().await?;
        let was_run = state == ReportedState::Importing || state.is_end() && counts.processed() > 0;
        if begun.operation != operation || !was_run {
            return Ok(None);
        }
        self.console.notice(&format!("going on with operation {operation}, which a call that was cut off has run"));
        Ok(Some(Staging::go_on(self.client, &operation, counts.users).await?))
    }

    /// Stages the users, and runs the import if that is wanted.
    pub(super) async fn send(
        &self,
        mut to_send: KeptUsers,
        users: u64,
        mut passwords: Option<Passwords>,
        report: &mut Report,
    ) -> Result<(), CommandError> {
        let fingerprint = to_send.fingerprint().map_err(|error| disk(&error))?;
        let mut staging = self.begin(passwords.as_ref(), &fingerprint, users).await?;
        report.operation = Some(staging.operation().to_owned());
        if let Some(passwords) = &mut passwords {
            passwords.store(Begun { operation: staging.operation().to_owned(), fingerprint })?;
        }
        to_send.pass_over(staging.staged()).map_err(|error| disk(&error))?;
        let lines = if staging.is_with_this_service() { Lines::Sent } else { Lines::LeftOut };
        let batches = to_send.batches(self.args.batch as usize, lines);
        let staged = tokio::select! {
            staged = stage(batches, users, &mut staging, self.console, report) => Some(staged),
            _ = ctrl_c() => None,
        };
        let is_interrupted = staged.is_none();
        let knows_its_own = passwords.is_some() || staging.is_with_this_service();
        let staged = staged.unwrap_or_else(|| {
            let way_on = if knows_its_own {
                "the same command goes on"
            } else {
                "the same command with --replace=staged starts over"
            };
            Err(CommandError::Failed(format!("interrupted: nothing was run; {way_on}")))
        });
        report.staged = staging.staged();
        let whole = match staged {
            Ok(()) => staging.verify().await.map_err(CommandError::from),
            Err(error) => Err(error),
        };
        if whole.is_err() {
            let way_on = way_on_of(knows_its_own, staging.staged());
            report.staged_in_part(users, Some(way_on).filter(|_| !is_interrupted));
        }
        whole?;
        if !self.args.run {
            return Ok(());
        }
        staging.run(&self.args.matching.fields()).await?;
        self.follow_to_the_end(&staging, passwords, report).await
    }

    /// Begins a new import, or goes on with the one that a call which was cut off has begun with the same users.
    async fn begin(
        &self,
        passwords: Option<&Passwords>,
        fingerprint: &str,
        users: u64,
    ) -> Result<Staging<'a>, CommandError> {
        let last = self.client.status().await?;
        let begun = passwords.and_then(|passwords| passwords.begun().last());
        let own = begun.filter(|begun| begun.operation == last.operation);
        let staged = last.counts.users;
        let waits = last.state.takes_users();
        if waits && staged <= users && own.is_some_and(|own| own.fingerprint == fingerprint) {
            return Ok(Staging::go_on(self.client, &last.operation, staged).await?);
        }
        let wanted = self.list(fingerprint, users);
        let is_the_same = |earlier: &SentList| earlier.fingerprint == wanted.fingerprint;
        let earlier = last.list.as_ref().filter(|_| waits);
        if self.args.replace.is_none() && staged <= users && earlier.is_some_and(is_the_same) {
            let operation = &last.operation;
            let staged = self.settled(operation, staged).await?;
            self.console.notice(&format!(
                "going on with operation {operation}, in which the same command has staged {staged} of {users} users"
            ));
            return Ok(Staging::go_on(self.client, operation, staged).await?);
        }
        // Nobody misses a part of a list that was never staged to its end.
        let is_cut_short = |earlier: &SentList| staged != earlier.users;
        let is_of_file = |earlier: &SentList| earlier.file.is_some() && earlier.file == wanted.file;
        if earlier.is_some_and(|earlier| is_of_file(earlier) && is_cut_short(earlier)) {
            self.console
                .notice("other users are to be staged than by the call that was cut short, so all are staged anew");
        } else if own.is_none() {
            confirm(self.client, &last, self.args.replace, self.console).await?;
        }
        Ok(Staging::begin(self.client, &wanted).await?)
    }

    /// The staged users of the operation, once they have stood still: the last request of a call that was cut off may
    /// still be in work.
    async fn settled(&self, operation: &str, mut staged: u64) -> Result<u64, CommandError> {
        let deadline = Instant::now() + SETTLING;
        loop {
            sleep(STILL).await;
            let Status { operation: newest, state, counts, .. } = self.client.status().await?;
            let waits = newest == operation && state.takes_users();
            if waits && counts.users == staged {
                return Ok(staged);
            }
            staged = counts.users;
            if !waits || Instant::now() >= deadline {
                let reason =
                    format!("another call with the same users is at work, in operation {newest}: wait for its end");
                return Err(ClientError::Interfered(reason).into());
            }
        }
    }

    /// The list, as the next call with it knows it again.
    fn list(&self, fingerprint: &str, users: u64) -> SentList {
        let path = &self.args.file;
        let path = path.as_ref().filter(|path| !is_standard_input(path)).and_then(|path| path.canonicalize().ok());
        SentList {
            fingerprint: self.client.fingerprint(fingerprint.as_bytes()),
            file: path.map(|path| self.client.fingerprint(path.as_os_str().as_encoded_bytes())),
            users,
        }
    }

    /// Follows a run, and reads what became of everybody.
    pub(super) async fn follow_to_the_end(
        &self,
        staging: &Staging<'_>,
        passwords: Option<Passwords>,
        report: &mut Report,
    ) -> Result<(), CommandError> {
        report.operation = Some(staging.operation().to_owned());
        report.staged = staging.staged();
        let ended = tokio::select! {
            ended = self.follow(staging) => ended?,
            _ = ctrl_c() => {
                let passwords = passwords.as_ref().map(|passwords| format!("; {}", passwords.way_on()));
                return Err(CommandError::Failed(format!(
                    "interrupted: the import goes on at the server; rocketchat-import status --watch follows it{}",
                    passwords.unwrap_or_default()
                )));
            }
        };
        let mut people = People::default();
        let outcomes = if staging.is_with_this_service() {
            let outcomes = self.outcomes(staging.operation(), &mut people).await;
            // The import is over all the same, and its counters are known.
            outcomes.map_err(|error| self.console.notice(&format!("the receipt could not be read: {error}"))).ok()
        } else {
            None
        };
        let is_told = outcomes.is_some();
        report.ended(&ended, outcomes, self.args.matching.joins_default_channels());
        if is_told {
            self.tell_passwords_of(people, Some(staging.operation()), passwords, report).await?;
        } else if let Some(passwords) = passwords {
            if staging.is_with_this_service() {
                self.keep_unfinished(&passwords);
            } else {
                self.written(passwords.finish(None)?, report);
                self.console.notice(
                    "this server does not say who is new: the file of --passwords-out may also hold passwords of others",
                );
            }
        }
        if ended.counts.failed > 0 {
            match self.client.failed_users().await {
                Ok(FailedUsers::Told(failed)) => report.failed = Some(failed),
                Ok(FailedUsers::NotTold) => {}
                // The import is over all the same, and how it went is known.
                Err(error) => self.console.notice(&format!("the failed users could not be read: {error}")),
            }
        }
        verdict(&ended)
    }

    /// Writes down the passwords of everybody who got an account by calls that were cut off, where there is nothing else to do.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn tell_passwords(
        &self,
        passwords: Option<Passwords>,
        report: &mut Report,
    ) -> Result<(), CommandError> {
        let passwords = passwords.filter(|passwords| !passwords.begun().is_empty());
        self.tell_passwords_of(People::default(), None, passwords, report).await
    }

    /// Writes down the passwords of everybody who is new, and of those who failed in the last operation: they alone are still
    /// staged. `people` are those of the operation `known`.
    async fn tell_passwords_of(
        &self,
        mut people: People,
        known: Option<&str>,
        passwords: Option<Passwords>,
        report: &mut Report,
    ) -> Result<(), CommandError> {
        let Some(passwords) = passwords else { return Ok(()) };
        let others = passwords.begun().iter().map(|begun| begun.operation.as_str()).filter(|id| Some(*id) != known);
        let failed = known.map(|_| std::mem::take(&mut people.failed));
        for operation in others {
            people.failed = ImportIds::default();
            match self.outcomes(operation, &mut people).await {
                // Nothing of it was run.
                Ok(_) | Err(ClientError::Refused { .. }) => {}
                Err(error) => {
                    self.console.notice(&format!("the receipt of {operation} could not be read: {error}"));
                    self.keep_unfinished(&passwords);
                    return Ok(());
                }
            }
        }
        people.failed = failed.unwrap_or(people.failed);
        self.written(passwords.finish(Some(&people))?, report);
        Ok(())
    }

    fn written(&self, written: Written, report: &mut Report) {
        if written.failed > 0 {
            self.console.notice(
                "passwords of users who failed are in a file of their own, which ends with .failed: each holds if \
                 import.resume makes the account, as long as the server keeps the passwords of failed users \
                 (FAILED_PASSWORD_HOURS)",
            );
        }
        report.passwords = Some(written.new);
        report.failed_passwords = Some(written.failed).filter(|failed| *failed > 0);
    }

    fn keep_unfinished(&self, passwords: &Passwords) {
        self.console.notice(&passwords.way_on());
    }

    async fn outcomes(&self, operation: &str, people: &mut People) -> Result<OutcomeCounts, ClientError> {
        let look = |outcome: &str, import_ids: &[String], took_password: bool| {
            // One that stood in for the person takes the made password, too.
            if outcome == Outcome::Created.as_str() || took_password {
                people.new.add(import_ids);
            } else if outcome == Outcome::Failed.as_str() {
                people.failed.add(import_ids);
            }
        };
        self.client.outcomes(operation, look).await
    }

    async fn follow(&self, staging: &Staging<'_>) -> Result<Status, CommandError> {
        let Self { args, client, console } = self;
        console.begin("imported");
        let follow = Follow { client, interval: LOOK_INTERVAL, patience: Some(args.server.patience()) };
        let (mut stalled, mut pace) = (StalledNotice::default(), Pace::of(Unit::Count));
        let ended = follow
            .to_the_end(|status| {
                if status.operation != staging.operation() {
                    let reason = "somebody else began another import, which ended this one";
                    return Err(CommandError::from(ClientError::Interfered(reason.to_owned())));
                }
                stalled.tell(console, status);
                console.progress(status.counts.processed(), status.counts.total, &progress_note(status, &mut pace));
                Ok(())
            })
            .await;
        console.end();
        ended
    }
}

/// How a call goes on that could not stage all users, and that perhaps knows its own import again.
const fn way_on_of(knows_its_own: bool, staged: u64) -> &'static str {
    if knows_its_own {
        "mend what the error names, then give the same command: it goes on, or starts over if the file was changed"
    } else if staged == 0 {
        "mend what the error names, then give the same command"
    } else {
        "mend what the error names, then start over: the same command with --replace=staged"
    }
}

async fn stage(
    mut batches: Batches,
    users: u64,
    staging: &mut Staging<'_>,
    console: &Console,
    report: &mut Report,
) -> Result<(), CommandError> {
    console.begin("staged");
    let mut pace = Pace::of(Unit::Count);
    pace.note(staging.staged(), Some(users));
    while let Some(batch) = batches.next() {
        let batch = batch.map_err(|error| disk(&error))?;
        match staging.add(&batch.body, batch.users).await {
            Ok(()) => {
                let staged = staging.staged();
                console.progress(staged, users, &pace.note(staged, Some(users)));
            }
            Err(ClientError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) => {
                if !batches.halve(&batch).map_err(|error| disk(&error))? {
                    return Err(proxy_limit::too_large_alone(batch.first_line, batch.body.len()));
                }
                console.notice(&proxy_limit::halved(batch.body.len()));
            }
            // It keeps everybody out and is no fault of these lines.
            Err(ClientError::WrongSetting { sentence }) => return Err(report.stopped_by_setting(sentence)),
            Err(error @ ClientError::Refused { .. }) => {
                let Batch { first_line, last_line, .. } = batch;
                return Err(CommandError::Server(format!("users of the lines {first_line} to {last_line}: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    console.end();
    Ok(())
}
