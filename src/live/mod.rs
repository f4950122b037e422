//! Following the newest import: one change stream for any number of followers.
//!
//! The feed (`feed.rs`) begins with the first follower and ends some time after the last. It turns every change into an
//! event, once, and puts it on the timeline (`timeline.rs`), from which each follower (`follower.rs`) takes what comes
//! next at its own speed. Nothing is kept for a follower: one that is slow finds the newest event and the changes of
//! state that led to it. All followers together take so many events a second and no more, or a thousand of them would
//! take from the import what it needs: where there are many, each hears less often. Changes of state never wait.

mod event;
mod feed;
mod follower;
mod timeline;

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

pub(crate) use follower::Follower;
use timeline::Timeline;

use crate::repository::{Repositories, RepositoryError};

/// Where followers come to. Cheap to clone; all clones share one feed.
#[derive(Debug, Clone)]
pub(crate) struct StatusFeed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    repositories: Repositories,
    /// Where the feed lives: the threads that answer requests have runtimes of their own.
    runtime: Handle,
    timeline: watch::Sender<Timeline>,
    /// The number of the last event with another state.
    state_change: watch::Sender<u64>,
    followers: watch::Sender<usize>,
    /// Whether there is a feed. Held while that is being decided.
    is_fed: Mutex<bool>,
    /// Somebody wants to know how things are.
    asked: Arc<Notify>,
    /// Cancelled when the process ends.
    stopping: CancellationToken,
}

impl StatusFeed {
    /// A hub over the workspace, whose feed lives on the current runtime.
    ///
    /// # Panics
    /// When called outside a runtime.
    pub(crate) fn new(repositories: Repositories) -> Self {
        let shared = Shared {
            repositories,
            runtime: Handle::current(),
            timeline: watch::Sender::default(),
            state_change: watch::Sender::default(),
            followers: watch::Sender::default(),
            is_fed: Mutex::default(),
            asked: Arc::default(),
            stopping: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A new follower, who saw the event `last_seen` before or, without one, nothing. Returns once there is something to
    /// tell that is not older than this call.
    pub(crate) async fn follow(&self, last_seen: Option<&str>) -> Result<Follower, RepositoryError> {
        Follower::join(&self.shared, last_seen).await
    }

    /// Ends the feed and all followers.
    pub(crate) fn stop(&self) {
        self.shared.stopping.cancel();
    }
}

impl Shared {
    fn is_fed(&self) -> MutexGuard<'_, bool> {
        self.is_fed.lock()
    }
}
