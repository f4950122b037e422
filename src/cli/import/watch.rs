//! An import that is followed: its loading, its run, and whichever operation goes on with it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    super::{
        CommandError,
        console::{Console, Unit},
        follow::StalledNotice,
        pace::Pace,
        status::progress_note,
        words::printable,
    },
    arrival::Records,
    report::FollowUp,
};
use crate::{
    client::{Client, ClientError, ReportedState, Status},
    domain::importer::Importer,
};

const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long an operation that Rocket.Chat's start ended may wait for another one that goes on with it.
const SUCCESSION: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Watch<'a> {
    client: &'a Client,
    console: &'a Console,
    patience: Duration,
    operation: String,
    ended_since: Option<Instant>,
    stalled: StalledNotice,
}

impl<'a> Watch<'a> {
    pub(super) fn new(client: &'a Client, console: &'a Console, patience: Duration, operation: String) -> Self {
        Self { client, console, patience, operation, ended_since: None, stalled: StalledNotice::default() }
    }

    /// The `_id` of the operation, or of the one that goes on with it.
    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    /// Follows the loading of the file until it is over.
    ///
    /// # Errors
    /// When the file cannot be loaded.
    pub(super) async fn loading(&mut self, mut records: Records) -> Result<Status, CommandError> {
        let mut pace = Pace::of(Unit::Count);
        let mut total = None;
        self.console.begin_with("loaded", Unit::Count, records.is_some());
        let loaded = loop {
            let status = self.look().await?;
            match status.state {
                ReportedState::New | ReportedState::Loading | ReportedState::Unknown => {}
                ReportedState::Error | ReportedState::Canceled => {
                    if self.may_go_on(&status) {
                        sleep(LOOK_INTERVAL).await;
                        continue;
                    }
                    return Err(not_loaded(&status));
                }
                _ => break status,
            }
            if let Some(counted) = records.as_mut().and_then(|counting| counting.try_recv().ok()) {
                (total, records) = (counted, None);
            }
            let done = status.counts.total;
            let note = pace.note(done, total);
            match total {
                Some(total) => self.console.progress(done.min(total), total, &note),
                None => self.console.progress_without_end(done, &note),
            }
            sleep(LOOK_INTERVAL).await;
        };
        let staged = loaded.counts.total;
        match (loaded.state, total) {
            (ReportedState::Ready, Some(_)) => self.console.progress(staged, staged, ""),
            (ReportedState::Ready, None) => self.console.progress_without_end(staged, ""),
            _ => {}
        }
        self.console.end();
        Ok(loaded)
    }

    /// Follows the run to its end.
    pub(super) async fn run(&mut self) -> Result<Status, CommandError> {
        self.console.begin("imported");
        let mut pace = Pace::of(Unit::Count);
        let ended = loop {
            let status = self.look().await?;
            let (done, total) = (status.counts.processed(), status.counts.total);
            if status.state.is_end() && !self.may_go_on(&status) {
                break status;
            }
            if status.state == ReportedState::Importing {
                self.console.progress(done, total, &progress_note(&status, &mut pace));
            }
            sleep(LOOK_INTERVAL).await;
        };
        if ended.state == ReportedState::Done {
            self.console.progress(ended.counts.processed(), ended.counts.total, "");
        }
        self.console.end();
        Ok(ended)
    }

    /// Follows the operation that fetches the files of the import, or the one that fetches the pictures of its people, to
    /// its end. `None` if none follows the import by itself.
    pub(super) async fn fetching(&mut self, fetched: Importer) -> Result<Option<FollowUp>, CommandError> {
        while self.client.status_of(&self.operation).await?.is_to_be_followed {
            sleep(LOOK_INTERVAL).await;
        }
        let newest = self.client.status_with(Some(self.patience)).await?;
        let goes_on = newest.importer == fetched.key() && newest.follows.as_ref() == Some(&self.operation);
        let fetching = if goes_on { newest.operation } else { fetched.follower_of(&self.operation) };
        match self.client.status_of(&fetching).await {
            Err(error) if error.is_unknown_operation() => return Ok(None),
            status => status?,
        };
        let unit = if fetched == Importer::PendingFiles { "files" } else { "pictures" };
        self.console.begin_with("fetched", Unit::Bytes, true);
        let mut pace = Pace::of(Unit::Bytes);
        let ended = loop {
            let status = self.client.status_of(&fetching).await?;
            if status.state.is_end() {
                break status;
            }
            let (bytes, total) = status.fetched_bytes.unwrap_or_default();
            let files = format!("{} of {} {unit}", status.counts.processed(), status.counts.total);
            let note = pace.note(bytes, Some(total));
            let parts = [files, note].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            self.console.progress(bytes, total, &parts.join(", "));
            sleep(LOOK_INTERVAL).await;
        };
        self.console.end();
        let (bytes, _) = ended.fetched_bytes.unwrap_or_default();
        let reasons = self.client.file_account(&fetching).await?.failed;
        Ok(Some(FollowUp {
            operation: fetching,
            done: ended.state == ReportedState::Done,
            fetched: ended.counts.completed,
            failed: ended.counts.failed,
            bytes,
            reasons,
        }))
    }

    /// The status of this import, whichever operation it is by now.
    async fn look(&mut self) -> Result<Status, CommandError> {
        let mut status = self.client.status_with(Some(self.patience)).await?;
        if status.fetches {
            // Files and pictures follow the import by themselves.
            status = self.client.status_of(&self.operation).await?;
        }
        if status.operation != self.operation {
            if ![&status.resumes, &status.root].into_iter().any(|id| id.as_ref() == Some(&self.operation)) {
                let reason = "somebody else began another import, which ended this one";
                return Err(ClientError::Interfered(reason.to_owned()).into());
            }
            self.console.notice(&format!("Rocket.Chat was started; it goes on as operation {}", status.operation));
            self.operation.clone_from(&status.operation);
            self.ended_since = None;
        }
        self.stalled.tell(self.console, &status);
        Ok(status)
    }

    /// Whether another operation may still go on with this one, which neither failed nor was ended by a call.
    fn may_go_on(&mut self, status: &Status) -> bool {
        let is_stopped = matches!(status.state, ReportedState::Error | ReportedState::Canceled);
        is_stopped
            && status.problem.is_none()
            && !status.was_ended_by_call
            && self.ended_since.get_or_insert_with(Instant::now).elapsed() < SUCCESSION
    }
}

fn not_loaded(status: &Status) -> CommandError {
    let problem = status.problem.as_deref().unwrap_or("somebody ended the import");
    CommandError::UsersFailed(format!("the file was not loaded: {}", printable(problem)))
}
