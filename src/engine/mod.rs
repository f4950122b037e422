//! The import engine: the rules of an import, the loading that stages the records of a file, and the run that turns staged
//! records into documents, once each.
//!
//! How a run stays exact:
//!
//! 1. The documents of a batch are stored by a majority, under ids that follow from the records (`domain::user_id`). Done
//!    twice, the second time meets its own ids and counts as done.
//! 2. Failed records get their reason in the staging area.
//! 3. The receipt of the batch is written, once, by a majority. It says what became of each record.
//! 4. The counters move.
//!
//! Counters, take-over and reports read receipts. The absence of a staged record means nothing: at the end the receipts must
//! hold as many records as were counted at the beginning, or the import fails. Staged records are removed afterwards.

mod activity;
mod attempts;
mod choice;
mod convert;
mod failed_passwords;
mod files;
mod kept_lease;
pub(crate) mod leaving;
mod load;
mod operations;
mod outgoing;
mod pending;
mod removal;
pub(crate) mod report;
mod resume;
mod roles;
pub(crate) mod room_history;
mod run;
mod running;
mod uploads;
pub(crate) mod verify;
mod write_pace;

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use activity::Activity;
pub(crate) use convert::{Fate, Foreseen, ListedUser, Rehearsal};
pub(crate) use operations::{Operations, Refusal, Users, WantedStart};
use outgoing::Resolver;
pub use pending::{AvatarApi, FetchSettings, GoogleEndpoints};
pub(crate) use roles::about_default_roles;
use running::Running;
pub(crate) use uploads::{Announced, Arrived, CHECKED_BYTES, FileWriter, UploadRefusal, known_importer};
pub use uploads::{UploadSettings, Uploads};
pub use write_pace::WritePace;

use crate::{
    domain::{
        operation::{Operation, State},
        pace::Pace,
        progress_step::ProgressStep,
    },
    repository::{LEASE_LIFETIME, Lease, RECEIPT_LIFETIME, Repositories, setup::Readiness, with_default_timeout},
};

/// How often to look for runs whose instance died.
const TAKE_OVER_INTERVAL: Duration = Duration::from_secs(1);
/// How long runs may take to finish what they have in hand once the service is to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Time to correct users who failed, and to resume the import, unless somebody sets another.
const FAILED_PASSWORDS_FOR: Duration = Duration::from_secs(72 * 60 * 60);

/// The settings of the engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// How long errors of the database that may pass are borne before an import fails.
    pub retry_for: Duration,
    /// How long receipts are kept.
    pub receipt_lifetime: Duration,
    /// Whether an import with a file goes on by itself after Rocket.Chat's start ended it.
    pub resume_after_invalidation: bool,
    /// How long the clear-text passwords of users who failed stay in the staging area.
    pub failed_passwords_for: Duration,
    /// How fast runs may write whose start says nothing of that; `None` for as fast as the database takes it.
    pub pace: Option<Pace>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            retry_for: Duration::from_secs(10 * 60),
            receipt_lifetime: RECEIPT_LIFETIME,
            resume_after_invalidation: true,
            failed_passwords_for: FAILED_PASSWORDS_FOR,
            pace: None,
        }
    }
}

/// Runs imports. Cheap to clone; all clones share the same runs.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    repositories: Repositories,
    readiness: Readiness,
    settings: EngineSettings,
    fetch: FetchSettings,
    resolver: Resolver,
    activity: Activity,
    write_pace: Arc<WritePace>,
    /// Where runs live: the threads that answer requests have runtimes of their own.
    runtime: Handle,
    running: Running,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// There are staged records to remove.
    removals: Notify,
    /// There may be a file to load.
    files: Notify,
}

impl Engine {
    /// An engine over the workspace, whose runs live on the current runtime. It does nothing until
    /// [`Engine::supervise`] is polled or a run is started.
    ///
    /// # Panics
    /// When called outside a runtime.
    pub(crate) fn new(
        repositories: Repositories,
        readiness: Readiness,
        settings: EngineSettings,
        fetch: FetchSettings,
        write_pace: WritePace,
    ) -> Self {
        let shared = Shared {
            repositories,
            readiness,
            settings,
            resolver: Resolver::new(&fetch.name_servers),
            fetch,
            activity: Activity::default(),
            write_pace: Arc::new(write_pace),
            runtime: Handle::current(),
            running: Running::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            removals: Notify::new(),
            files: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Counters and gauges of this engine, which move with it.
    pub fn activity(&self) -> Activity {
        self.shared.activity.clone()
    }

    /// How fast this instance writes files into the database, wherever they come from.
    pub(super) fn write_pace(&self) -> &Arc<WritePace> {
        &self.shared.write_pace
    }

    /// The rules of an import, for everybody who changes one.
    pub(crate) fn operations(&self) -> Operations {
        Operations::new(self.clone())
    }

    /// Takes over the work of instances that died, loads files and removes staged records that are no longer needed, for as
    /// long as it is polled.
    pub async fn supervise(self) {
        let sweep = removal::sweep(&self.shared.repositories, &self.shared.removals);
        let passwords = failed_passwords::sweep(&self.shared.repositories, self.shared.settings.failed_passwords_for);
        tokio::join!(self.take_over(), self.look_after_files(), pending::look_after(&self), sweep, passwords);
    }

    async fn take_over(&self) {
        loop {
            match with_default_timeout(self.shared.repositories.leases.take_over_expired()).await {
                Ok(leases) => {
                    for lease in leases {
                        log::info!("taking over the run or the loading of operation {}", lease.operation);
                        self.begin(lease);
                    }
                }
                Err(error) => log::debug!("cannot look for abandoned runs: {error}"),
            }
            sleep(TAKE_OVER_INTERVAL).await;
        }
    }

    /// Stops all runs after the batches they have in hand, so that another instance can go on with them at once.
    pub async fn shut_down(&self) {
        self.shared.shutdown.cancel();
        self.shared.tasks.close();
        if timeout(SHUTDOWN_PATIENCE, self.shared.tasks.wait()).await.is_err() {
            log::warn!("a run did not stop in time; another instance will take it over");
        }
    }

    fn begin(&self, lease: Lease) {
        let shared = Arc::clone(&self.shared);
        let Some(mark) = shared.running.mark(&lease.operation) else { return };
        self.shared.tasks.spawn_on(
            async move {
                let free = async {
                    // Else it runs out by itself.
                    with_default_timeout(shared.repositories.leases.expire_now(&lease)).await.ok();
                };
                mark.work(work_under(&shared, lease.clone()).boxed(), free.boxed()).await;
                shared.removals.notify_one();
            },
            &self.shared.runtime,
        );
    }
}

/// Loads, runs or fetches for the operation of the lease, as the operation's step says.
async fn work_under(shared: &Shared, lease: Lease) {
    let Shared { repositories, activity, settings, shutdown, .. } = shared;
    let deadline = Instant::now() + LEASE_LIFETIME;
    let operation = loop {
        match with_default_timeout(repositories.imports.find(&lease.operation)).await {
            Ok(operation) => break operation,
            Err(error) if Instant::now() < deadline => {
                log::debug!("operation {} cannot be read: {error}", lease.operation);
                sleep(TAKE_OVER_INTERVAL).await;
            }
            // The lease has run out, and is taken over once more.
            Err(_) => return,
        }
    };
    let fetched = operation.as_ref().and_then(Operation::importer).and_then(pending::fetched_by);
    if let Some(kind) = fetched {
        pending::run(shared, lease, kind).await;
    } else if operation.as_ref().is_some_and(is_to_be_loaded) {
        load::load(repositories, lease, activity, *settings, shutdown.clone()).await;
    } else {
        run::run(repositories, lease, activity, *settings, shutdown.clone()).await;
    }
}

/// Whether the operation's file is not staged to its end. Also if it is no longer valid: loading then tidies up.
fn is_to_be_loaded(operation: &Operation) -> bool {
    operation.step().map(ProgressStep::state) == Some(State::Loading) && operation.file_source().is_some()
}
