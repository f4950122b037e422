//! Operations with a file: loading begins by itself, and an import that a start of Rocket.Chat ended goes on.
//!
//! Every process of Rocket.Chat ends running operations when it starts.
//!
//! Source: `apps/meteor/app/importer/server/startup/setImportsToInvalid.js`.

use std::time::Duration;

use tokio::time::timeout;

use super::{Engine, Refusal, WantedStart};
use crate::{
    domain::{
        matching::Rules,
        operation::{Operation, State},
        progress_step::ProgressStep,
    },
    repository::{Claim, Repositories, RepositoryError, ResumptionCause, with_default_timeout},
};

/// How often to look. A file that comes by way of this instance is seen at once.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often an import goes on by itself. A process of Rocket.Chat that keeps starting would end it for ever.
const MOST_RESUMPTIONS: u64 = 5;

impl Engine {
    /// Has the files of valid operations looked for at once.
    pub(crate) fn look_for_files(&self) {
        self.shared.files.notify_one();
    }

    /// Loads files that wait, and goes on with ended imports of files, for as long as it is polled.
    pub(super) async fn look_after_files(&self) {
        loop {
            if let Err(error) = self.load_waiting().await {
                log::debug!("cannot look for files to load: {error}");
            }
            if self.shared.settings.resume_after_invalidation
                && let Err(refusal) = self.resume_invalidated().await
            {
                log::debug!("no import goes on by itself now: {refusal}");
            }
            // Nothing to do is the usual case.
            let _ = timeout(INTERVAL, self.shared.files.notified()).await;
        }
    }

    async fn load_waiting(&self) -> Result<(), RepositoryError> {
        let Repositories { imports, leases, .. } = &self.shared.repositories;
        for operation in with_default_timeout(imports.with_files_to_load()).await? {
            let (Some(id), Some(root), Some(step)) = (operation.id(), operation.root(), operation.step()) else {
                continue;
            };
            // An instance that died left its lease, which is taken over when it has run out.
            if with_default_timeout(leases.is_leased(id)).await? {
                continue;
            }
            // One that is being prepared without a lease was given up by a release that knows no files.
            let next = if step == ProgressStep::FileLoaded { ProgressStep::PreparingStarted } else { step };
            let claim = leases.claim(id, root, step, next, Rules::of_files().into());
            if let Claim::Ours(lease) = with_default_timeout(claim).await? {
                log::info!("loading the file of operation {id}");
                self.begin(lease);
            }
        }
        Ok(())
    }

    async fn resume_invalidated(&self) -> Result<(), Refusal> {
        let Repositories { imports, leases, removals, .. } = &self.shared.repositories;
        let Some(newest) = with_default_timeout(imports.newest()).await? else { return Ok(()) };
        let (Some(id), Some(root)) = (newest.id(), newest.root()) else { return Ok(()) };
        if newest.goes_on_by_itself() && newest.state() == Some(State::Ready) {
            // The messages were accepted when it was started.
            let start = WantedStart { operation: Some(id), accepts_retention: true, ..WantedStart::default() };
            return self.operations().start(start).await;
        }
        if !is_interrupted(&newest) {
            return Ok(());
        }
        if newest.resumptions() >= MOST_RESUMPTIONS {
            log::debug!("operation {id} was ended from outside {MOST_RESUMPTIONS} times; it waits for import.resume");
            return Ok(());
        }
        // What the end left behind is tidied up first.
        if with_default_timeout(leases.concern(root)).await? || with_default_timeout(removals.concern(root)).await? {
            self.shared.removals.notify_one();
            return Ok(());
        }
        let user_id = newest.fields.get("user").and_then(|user| user.as_text()).unwrap_or_default();
        let made = self.operations().resume_from(&newest, user_id, ResumptionCause::Invalidation).await?;
        log::warn!(
            "operation {id} was ended from outside, probably by a start of Rocket.Chat; {} goes on with it",
            made.id().unwrap_or_default()
        );
        self.look_for_files();
        Ok(())
    }
}

/// Whether an import with a file was under way when something else than a call to this service ended it.
fn is_interrupted(operation: &Operation) -> bool {
    let was_under_way = matches!(operation.step().map(ProgressStep::state), Some(State::Loading | State::Importing));
    // Before the file is there, there is nothing to go on with.
    let has_file = !matches!(operation.step(), Some(ProgressStep::Uploading | ProgressStep::DownloadingFile));
    !operation.is_valid()
        && was_under_way
        && has_file
        && operation.file_source().is_some()
        && !operation.is_ended_by_call()
}
