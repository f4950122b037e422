//! Going on with what an ended import left behind.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::operations::{Operations, POLL_INTERVAL, Refusal};
use crate::{
    domain::{
        loading::StagedCounts,
        operation::{Operation, State},
        progress_step::ProgressStep,
        record_type::RecordType,
    },
    repository::{Repositories, Resumption, ResumptionCause, with_default_timeout},
};

/// How long `resume` waits for the run before to be over, and for its succeeded records to be removed. The lease of an
/// instance that died is taken over within six seconds.
const PATIENCE: Duration = Duration::from_secs(30);

impl Operations {
    /// Makes a new operation over the records that an ended one left behind, ready to run; where the file of the ended one
    /// was not staged to its end, loading goes on.
    ///
    /// # Errors
    /// With the reason, or when the database does not answer.
    pub(crate) async fn resume(&self, user_id: &str) -> Result<Operation, Refusal> {
        let (this, user_id) = (self.clone(), user_id.to_owned());
        self.to_the_end(async move { this.go_on(&user_id).await }).await
    }

    async fn go_on(&self, user_id: &str) -> Result<Operation, Refusal> {
        let Repositories { imports, leases, removals, .. } = self.repositories();
        let newest = with_default_timeout(imports.newest()).await?;
        if newest.is_some_and(|newest| newest.state() == Some(State::Importing)) {
            return Err(Refusal::NotEnded(State::Importing));
        }
        let ended = match with_default_timeout(imports.newest_import()).await? {
            None => return Err(Refusal::NothingStaged),
            Some(newest) => match newest.state() {
                None | Some(State::Done | State::Error | State::Canceled) => newest,
                Some(state @ (State::New | State::Loading | State::Ready | State::Importing)) => {
                    return Err(Refusal::NotEnded(state));
                }
            },
        };
        let root = ended.root().unwrap_or_default();
        let deadline = Instant::now() + PATIENCE;
        while with_default_timeout(leases.concern(root)).await? || with_default_timeout(removals.concern(root)).await? {
            if Instant::now() >= deadline {
                return Err(Refusal::StillTidyingUp);
            }
            self.engine.shared.removals.notify_one();
            sleep(POLL_INTERVAL).await;
        }
        self.resume_from(&ended, user_id, ResumptionCause::Call).await
    }

    /// Makes the operation that goes on with `ended`, of which nothing is left to be tidied up.
    pub(super) async fn resume_from(
        &self,
        ended: &Operation,
        user_id: &str,
        cause: ResumptionCause,
    ) -> Result<Operation, Refusal> {
        self.require_privileges_for(ended)?;
        let Repositories { imports, load_reports, staging, .. } = self.repositories();
        let root = ended.root().unwrap_or_default();
        let latest = with_default_timeout(imports.latest_made_at()).await?;
        let newest = with_default_timeout(imports.newest_import()).await?;
        if newest.is_none_or(|newest| newest.id() != ended.id()) {
            return Err(Refusal::ResumedMeanwhile);
        }
        let (step, staged) = if ended.file_source().is_some() && !ended.is_loaded() {
            let progress = with_default_timeout(load_reports.progress(root)).await?.unwrap_or_default();
            // Somebody has removed staged records, as Rocket.Chat does when it clears an import.
            if staging.count_all(root).await? < progress.staged.total() {
                return Err(Refusal::NothingStaged);
            }
            (ProgressStep::FileLoaded, progress.staged)
        } else {
            let mut staged = StagedCounts::default();
            for kind in RecordType::ALL {
                // Without a file there are users only.
                if kind == RecordType::User || ended.file_source().is_some() {
                    staged = staged.with_more(kind, staging.count_importable(root, kind, 0).await?);
                }
            }
            if staged.total() == 0 {
                return Err(Refusal::NothingStaged);
            }
            (ProgressStep::UserSelection, staged)
        };
        let resumption = Resumption { ended, user_id, step, staged, cause };
        let made = with_default_timeout(imports.create_resuming(&resumption, &latest)).await?;
        let made = made.ok_or(Refusal::ResumedMeanwhile)?;
        self.engine.look_for_files();
        Ok(made)
    }
}
