//! Following the newest import: one change stream for any number of followers.
//!
//! The feed (`feed.rs`) begins with the first follower and ends some time after the last. It turns every change into an
//! event, once, and puts it on the timeline (`timeline.rs`), from which each follower (`follower.rs`) takes what comes
//! next at its own speed. Nothing is kept for a follower: one that is slow finds the newest event and the changes of
//! state that led to it. All followers together take so many events a second and no more, or a thousand of them would
//! take from the import what it needs: where there are many, each is told less often. Changes of state never wait.

mod event;
mod feed;
mod follower;
mod timeline;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
};

pub(crate) use follower::Follower;
use timeline::Timeline;

use crate::{
    domain::{operation::Operation, pace::Outlook},
    repository::{Repositories, RepositoryError},
};

/// Writes the newest operation, if there is one, as what followers are told: a line of text.
pub(crate) type Wording = fn(Option<&Operation>, &Outlook) -> String;

/// Where followers come to. Cheap to clone; all clones share one feed.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    repositories: Repositories,
    wording: Wording,
    /// Where the feed lives: the threads that answer requests have runtimes of their own.
    runtime: Handle,
    timeline: watch::Sender<Timeline>,
    /// The number of the last event that told of another state.
    state_change: watch::Sender<u64>,
    followers: watch::Sender<usize>,
    /// Whether there is a feed. Held while that is being decided.
    is_fed: Mutex<bool>,
    /// Somebody wants to know how things are.
    asked: Arc<Notify>,
    stop: watch::Sender<bool>,
}

impl Hub {
    /// A hub over the workspace, whose feed lives on the current runtime.
    ///
    /// # Panics
    /// When called outside a runtime.
    pub(crate) fn over(repositories: Repositories, wording: Wording) -> Self {
        let shared = Shared {
            repositories,
            wording,
            runtime: Handle::current(),
            timeline: watch::Sender::default(),
            state_change: watch::Sender::default(),
            followers: watch::Sender::default(),
            is_fed: Mutex::default(),
            asked: Arc::default(),
            stop: watch::Sender::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A new follower, who saw the event `last_seen` before or, without one, nothing. Returns once there is something to
    /// tell that is not older than this call.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn follow(&self, last_seen: Option<&str>) -> Result<Follower, RepositoryError> {
        Follower::join(&self.shared, last_seen).await
    }

    /// Ends the feed and all followers.
    pub(crate) fn stop(&self) {
        self.shared.stop.send_replace(true);
    }
}

impl Shared {
    fn is_fed(&self) -> MutexGuard<'_, bool> {
        self.is_fed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when the hub is told to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody left to say so means that it never will be.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
