//! The rules of an import: when one may be begun, filled, run, ended and gone on with.
//!
//! Source: `apps/meteor/server/services/import/service.ts`.

mod pending;
mod retention;
mod with_file;

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Engine, Rehearsal,
    roles::{UnknownRole, unknown_of},
};
use crate::{
    domain::{
        field_value::Fields,
        importer::Importer,
        matching::{Rules, WantedRules},
        new_user::with_roles,
        operation::{Operation, State},
        pace::Pace,
        progress_step::ProgressStep,
        selection::Selection,
        sent_list::SentList,
    },
    repository::{
        Claim, Discarded, IdempotentCall, KeyUse, Repositories, RepositoryError, StageOutcome, StagedId, Terms,
        setup::{MissingPrivilege, Work},
        with_default_timeout,
    },
};

/// How long the end of an import waits for its staged records to be removed, and for the batches in hand.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(3);
const BATCHES_PATIENCE: Duration = Duration::from_secs(4);
/// How long the highest id of a record without an operation is looked for. The highest of all records does as well.
const UNLABELLED_PATIENCE: Duration = Duration::from_millis(500);
/// How long `start` waits for a claim that was begun and not finished.
const CLAIM_PATIENCE: Duration = Duration::from_secs(8);
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Begins, fills, runs and ends imports.
#[derive(Debug, Clone)]
pub(crate) struct Operations {
    pub(super) engine: Engine,
}

/// Users that were sent, read as often as they are needed.
#[derive(Debug)]
pub(crate) struct Users<'a, F> {
    /// Whether each has an import id and an address.
    pub(crate) has_required_data: bool,
    /// The roles of all of them.
    pub(crate) roles: &'a BTreeSet<String>,
    /// `None` if the call that brings them may not be sent again.
    pub(crate) call: Option<&'a IdempotentCall>,
    /// Reads them anew.
    pub(crate) read: F,
}

/// What a run is started with.
#[derive(Debug, Default)]
pub(crate) struct WantedStart<'a> {
    /// The operation that must be the newest. A run of it that was begun before is a success, too.
    pub(crate) operation: Option<&'a str>,
    pub(crate) rules: WantedRules,
    /// The records to import; all of them unless it is given.
    pub(crate) selection: Option<&'a Selection>,
    /// Whether messages may be imported that the workspace removes soon.
    pub(crate) accepts_retention: bool,
    /// Whether files and pictures are fetched by themselves afterwards; the setting unless it is given.
    pub(crate) fetches: Option<bool>,
    /// How fast it may run; as the service is set up unless it is given.
    pub(crate) pace: Option<Pace>,
}

/// Why something cannot be done to an import.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("there is no valid operation to add to")]
    NotInitialized,
    #[error("the operation is over")]
    Finished,
    #[error("the operation takes no data now")]
    TakesNoData,
    /// The call's idempotency key was used with another body.
    #[error("the idempotency key was used for another call")]
    KeyReused,
    #[error("a call with the same idempotency key is in work")]
    KeyInWork,
    /// More users than the database stores in one transaction.
    #[error("the database cut the transaction short")]
    TooMany,
    #[error("users lack required data")]
    MissingData,
    #[error("users have roles that do not exist")]
    UnknownRole {
        /// Of the users.
        given: Vec<UnknownRole>,
        /// Of the workspace's setting of default roles.
        of_setting: Vec<UnknownRole>,
    },
    #[error("there is no valid operation to run")]
    NotFound,
    /// Another operation than the one that was named is the newest.
    #[error("the newest operation is another one")]
    OtherOperation,
    #[error("the operation is not ready")]
    NotReady,
    /// Its records are for an importer that this service does not know.
    #[error("the operation was filled by an importer that this service does not run")]
    NoImporter,
    #[error("the newest operation is not over")]
    NotFinished,
    /// Its state, where somebody wants to go on with an import that is not over.
    #[error("the newest operation is {}", .0.as_str())]
    NotEnded(State),
    #[error("another call has resumed the operation")]
    ResumedMeanwhile,
    #[error("nothing is staged")]
    NothingStaged,
    /// The run before is stopping, or its records are being removed.
    #[error("the operation before is still being tidied up")]
    StillTidyingUp,
    /// The workspace would remove messages soon after they are imported.
    #[error("The workspace removes messages after {}, and this import has older ones", retention::in_days(*.kept))]
    Retention { kept: TimeDelta },
    /// The database user may import users, and nothing from files.
    #[error("the database user lacks privileges that imports of files take")]
    MissingPrivileges(Vec<MissingPrivilege>),
    #[error(transparent)]
    Database(#[from] RepositoryError),
}

impl Operations {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Ends the import that goes on, if any, and makes a new operation for the user and perhaps for a list.
    pub(crate) async fn begin(&self, user_id: &str, list: Option<SentList>) -> Result<Operation, Refusal> {
        let (this, user_id) = (self.clone(), user_id.to_owned());
        self.to_the_end(async move {
            let ended = this.end().await?;
            let made = this.repositories().imports.create(&user_id, list.as_ref()).await?;
            this.wait_until_ended(ended).await;
            Ok(made)
        })
        .await
    }

    /// Ends the import that goes on, if any. Its staged records are removed, if that takes long, after this returns.
    pub(crate) async fn clear(&self) -> Result<(), Refusal> {
        let this = self.clone();
        self.to_the_end(async move {
            let ended = this.end().await?;
            this.wait_until_ended(ended).await;
            Ok(())
        })
        .await
    }

    /// Stages users for the newest operation, all or none.
    ///
    /// # Errors
    /// With the reason, or when the database does not answer.
    pub(crate) async fn add_users<F, I>(&self, users: Users<'_, F>) -> Result<(), Refusal>
    where
        F: Fn() -> I,
        I: Iterator<Item = Fields>,
    {
        let Repositories { imports, keys, roles, settings, .. } = self.repositories();
        let newest = with_default_timeout(imports.newest()).await?;
        let operation = newest.filter(|newest| newest.is_valid()).ok_or(Refusal::NotInitialized)?;
        let (Some(id), Some(root)) = (operation.id(), operation.root()) else { return Err(Refusal::NotInitialized) };
        if let Some(call) = users.call {
            match with_default_timeout(keys.find(root, call)).await? {
                Some(KeyUse::SameBody) => return Ok(()),
                Some(KeyUse::OtherBody) => return Err(Refusal::KeyReused),
                None => {}
            }
        }
        match operation.state() {
            Some(State::New | State::Ready) => {}
            Some(State::Loading | State::Importing) | None => return Err(Refusal::TakesNoData),
            Some(State::Done | State::Error | State::Canceled) => return Err(Refusal::Finished),
        }
        if !users.has_required_data {
            return Err(Refusal::MissingData);
        }
        let defaults = with_default_timeout(settings.new_user_roles()).await?;
        let used: BTreeSet<&str> = users.roles.iter().chain(&defaults).map(String::as_str).collect();
        let unknown = unknown_of(roles, &used).await?;
        if !unknown.is_empty() {
            let of_setting = unknown.iter().filter(|role| defaults.contains(&role.id)).cloned().collect();
            let given = unknown.into_iter().filter(|role| users.roles.contains(&role.id)).collect();
            return Err(Refusal::UnknownRole { given, of_setting });
        }
        let call = users.call;
        let users = || (users.read)().map(|user| with_roles(user, &defaults));
        match imports.stage(id, root, call, users).await? {
            StageOutcome::Staged => Ok(()),
            // It was run or cleared while the users were on their way.
            StageOutcome::TakesNoData => Err(Refusal::TakesNoData),
            StageOutcome::InWork => Err(Refusal::KeyInWork),
            StageOutcome::KeyReused => Err(Refusal::KeyReused),
            StageOutcome::TooMany => Err(Refusal::TooMany),
        }
    }

    /// Begins to find out what a run of users would do under these rules.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn rehearse(&self, rules: WantedRules) -> Result<Rehearsal, RepositoryError> {
        Rehearsal::begin(self.repositories(), rules.over(Rules::of_api()), self.missing_for_rooms()).await
    }

    /// The privileges that the database user lacks for runs that touch rooms.
    fn missing_for_rooms(&self) -> Vec<MissingPrivilege> {
        self.engine.shared.readiness.missing_for(Work::TouchRooms)
    }

    /// Starts the run of the newest operation.
    ///
    /// # Errors
    /// With the reason, or when the database does not answer. The run may have been claimed all the same; it is then taken
    /// up later.
    pub(crate) async fn start(&self, start: WantedStart<'_>) -> Result<(), Refusal> {
        let WantedStart { operation: wanted, rules, selection, accepts_retention, fetches, pace } = start;
        let Repositories { imports, leases, selections, .. } = self.repositories();
        let operation = with_default_timeout(imports.newest()).await?.ok_or(Refusal::NotFound)?;
        let (id, root) = (operation.id().unwrap_or_default(), operation.root().unwrap_or_default());
        if let Some(wanted) = wanted {
            if wanted != id {
                return Err(Refusal::OtherOperation);
            }
            if operation.step() != Some(ProgressStep::UserSelection) && self.has_begun(&operation, id).await? {
                return Ok(());
            }
        }
        if !operation.is_valid() {
            return Err(Refusal::NotFound);
        }
        if operation.step() != Some(ProgressStep::UserSelection) {
            return Err(Refusal::NotReady);
        }
        if operation.importer().is_none() {
            return Err(Refusal::NoImporter);
        }
        self.require_privileges_for(&operation)?;
        let is_of_api = operation.importer() == Some(Importer::Api);
        if !is_of_api && !accepts_retention {
            self.require_that_messages_stay(root, selection).await?;
        }
        let rules = if operation.goes_on_by_itself() { operation.rules() } else { rules };
        let rules = rules.over(if is_of_api { Rules::of_api() } else { Rules::of_files() });
        if is_of_api {
            self.require_privileges_for_rooms(rules).await?;
        }
        let selection = match selection.filter(|selection| **selection != Selection::everything()) {
            Some(selection) => Some(with_default_timeout(selections.store(id, selection)).await?),
            None => None,
        };
        if !is_of_api {
            let wanted = fetches.or(operation.is_to_be_followed()).unwrap_or(self.engine.shared.fetch.after_import);
            with_default_timeout(imports.note_to_follow(id, wanted)).await?;
        }
        let deadline = Instant::now() + CLAIM_PATIENCE;
        loop {
            let claim = leases.claim(
                id,
                root,
                ProgressStep::UserSelection,
                ProgressStep::ImportingStarted,
                Terms { rules, selection: selection.as_deref(), pace },
            );
            match with_default_timeout(claim).await? {
                Claim::Ours(lease) => {
                    self.engine.begin(lease);
                    return Ok(());
                }
                // Another instance was faster, or died between the lease and the step: that lease runs out.
                Claim::Held if Instant::now() < deadline => sleep(POLL_INTERVAL).await,
                Claim::Refused if wanted.is_some() && with_default_timeout(leases.is_leased(id)).await? => {
                    return Ok(());
                }
                Claim::Held | Claim::Refused => return Err(Refusal::NotReady),
            }
        }
    }

    /// Refuses operations with more than users while the database user may import nothing else.
    pub(super) fn require_privileges_for(&self, operation: &Operation) -> Result<(), Refusal> {
        if operation.importer() == Some(Importer::Api) {
            return Ok(());
        }
        let missing = self.engine.shared.readiness.missing_for(Work::ImportFile);
        if missing.is_empty() { Ok(()) } else { Err(Refusal::MissingPrivileges(missing)) }
    }

    /// Refuses a run that makes memberships, or deactivates somebody, while the database user may not touch rooms.
    async fn require_privileges_for_rooms(&self, rules: Rules) -> Result<(), Refusal> {
        let missing = self.missing_for_rooms();
        let joins = rules.joins_default_channels == Some(true);
        let staging = &self.repositories().staging;
        if missing.is_empty() || !(joins || with_default_timeout(staging.touch_rooms(rules.updates_activity())).await?)
        {
            return Ok(());
        }
        Err(Refusal::MissingPrivileges(missing))
    }

    /// Whether this service has begun a run of the operation.
    async fn has_begun(&self, operation: &Operation, id: &str) -> Result<bool, RepositoryError> {
        let Repositories { leases, receipts, .. } = self.repositories();
        Ok(operation.problem().is_some()
            || with_default_timeout(leases.is_leased(id)).await?
            || with_default_timeout(receipts.exist(id)).await?)
    }

    /// Ends every operation, in one step, and has the staged records removed.
    async fn end(&self) -> Result<Ended, RepositoryError> {
        let Repositories { imports, removals, staging, .. } = self.repositories();
        let latest = with_default_timeout(imports.latest_made_at()).await?;
        let mut roots = with_default_timeout(imports.latest_roots()).await?;
        let unlabelled: Option<StagedId> = match timeout(UNLABELLED_PATIENCE, staging.last_unlabelled()).await {
            Ok(unlabelled) => unlabelled?,
            Err(_) => with_default_timeout(staging.last_of_all()).await?,
        };
        // Somebody may have removed operations. Their records are nobody's; if there are too many, the next end finds them.
        if let Ok(known) = timeout(UNLABELLED_PATIENCE, staging.roots()).await {
            roots.extend(with_default_timeout(imports.missing(known?)).await?);
        }
        let discarded = Discarded { roots, unlabelled_up_to: unlabelled };
        let removal = with_default_timeout(removals.add_discarded(&discarded)).await?;
        with_default_timeout(imports.invalidate_up_to(&latest)).await?;
        let uses = with_default_timeout(imports.uses_of_files()).await?;
        let files: Vec<String> = uses.into_iter().filter(|used| !used.is_going_on).map(|used| used.file).collect();
        with_default_timeout(self.repositories().files.give_up(&files)).await?;
        self.engine.shared.removals.notify_one();
        Ok(Ended { roots: discarded.roots, removal })
    }

    /// Waits, but not for ever, until the records of an ended import are gone and no batch of it is on its way.
    async fn wait_until_ended(&self, ended: Ended) {
        let Repositories { leases, removals, .. } = self.repositories();
        let removed = async {
            while !matches!(removals.is_pending(&ended.removal).await, Ok(false)) {
                sleep(POLL_INTERVAL).await;
            }
        };
        let stopped = async {
            while !matches!(leases.is_any_running(&ended.roots).await, Ok(false)) {
                sleep(POLL_INTERVAL).await;
            }
        };
        let (removed, stopped) = tokio::join!(timeout(REMOVAL_PATIENCE, removed), timeout(BATCHES_PATIENCE, stopped));
        if removed.is_err() || stopped.is_err() {
            log::info!("an import was ended; its batches and staged records are tidied up in the background");
        }
    }

    /// Does the work on the engine's runtime, to its end, also if the caller goes away.
    pub(super) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = self.engine.shared.runtime.spawn(work).await;
        done.unwrap_or(Err(Refusal::Database(RepositoryError::TimedOut)))
    }

    pub(super) fn repositories(&self) -> &Repositories {
        &self.engine.shared.repositories
    }
}

/// An import that was ended.
struct Ended {
    roots: Vec<String>,
    /// The entry of its staged records on the list of removals.
    removal: String,
}
