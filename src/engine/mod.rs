//! The import run: turns staged users into accounts, once each, whatever happens meanwhile.
//!
//! How it stays exact. The staging area is the truth: a record that is there without an error has not been processed.
//! A batch goes through three steps, and a crash may come between any two:
//!
//! 1. The accounts are stored by a majority, under ids that follow from the records (`domain::user_id`). Done twice, the
//!    second time meets its own ids and counts as done.
//! 2. Imported records are removed from the staging area, failed ones get their reason.
//! 3. The counters move.
//!
//! Whoever starts or resumes a run reads the counters off the staging area, so nothing that was only in memory is missed.

mod activity;
mod batch;
mod pass;
mod progress;
mod run;
mod watch;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::watch as signal,
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

pub use activity::Activity;

use crate::repository::{Claim, Repositories, RepositoryError, answered};

/// How often to look for runs whose instance died.
const TAKE_OVER_INTERVAL: Duration = Duration::from_secs(1);
/// How long runs may take to finish what they have in hand once the service is told to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Runs imports. Cheap to clone; all clones share the same runs.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    repositories: Repositories,
    activity: Activity,
    /// Where runs live: the threads that answer requests have runtimes of their own.
    runtime: Handle,
    running: Mutex<HashSet<String>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    shutdown: signal::Sender<bool>,
}

impl Engine {
    /// An engine over the workspace, whose runs live on the current runtime. It does nothing until
    /// [`Engine::supervise`] is polled or a run is started.
    ///
    /// # Panics
    /// When called outside a runtime.
    #[must_use]
    pub fn over(repositories: Repositories) -> Self {
        let (shutdown, _) = signal::channel(false);
        let shared = Shared {
            repositories,
            activity: Activity::default(),
            runtime: Handle::current(),
            running: Mutex::default(),
            tasks: Mutex::default(),
            shutdown,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What this engine is doing, in numbers that move with it.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.shared.activity.clone()
    }

    /// Starts the run of the operation `id`, unless it is not ready or somebody else was faster. Returns as soon as that
    /// is decided; the run goes on by itself.
    ///
    /// # Errors
    /// When the database does not answer. The run may have been claimed all the same; it is then taken up later.
    pub async fn start(&self, id: &str) -> Result<Claim, RepositoryError> {
        let claim = self.shared.repositories.runs.claim(id).await?;
        if claim == Claim::Ours {
            self.begin(id.to_owned());
        }
        Ok(claim)
    }

    /// Takes over the runs of instances that died, for as long as it is polled.
    pub async fn supervise(self) {
        loop {
            match answered(self.shared.repositories.runs.take_over_expired()).await {
                Ok(operations) => {
                    for id in operations {
                        log::info!("taking over the run of operation {id}");
                        self.begin(id);
                    }
                }
                Err(error) => log::debug!("cannot look for abandoned runs: {error}"),
            }
            sleep(TAKE_OVER_INTERVAL).await;
        }
    }

    /// Stops all runs after the batches they have in hand, so that another instance can go on with them at once.
    pub async fn shut_down(&self) {
        self.shared.shutdown.send_replace(true);
        let tasks = std::mem::take(&mut *lock(&self.shared.tasks));
        let deadline = Instant::now() + SHUTDOWN_PATIENCE;
        for task in tasks {
            if timeout_at(deadline, task).await.is_err() {
                log::warn!("a run did not stop in time; another instance will take it over");
            }
        }
    }

    fn begin(&self, id: String) {
        if !lock(&self.shared.running).insert(id.clone()) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let task = self.shared.runtime.spawn(async move {
            run::run(&shared.repositories, &id, &shared.activity, shared.shutdown.subscribe()).await;
            lock(&shared.running).remove(&id);
        });
        let mut tasks = lock(&self.shared.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }
}

/// Resolves when the signal is raised.
async fn raised(signal: &mut signal::Receiver<bool>) {
    // Nobody left to raise it means that it never will be.
    if signal.wait_for(|raised| *raised).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
