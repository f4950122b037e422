//! What every topic needs: a MongoDB, a workspace in it, and the service over that.

mod builders;
mod events;
mod held;
mod importing;
mod limited;
mod mongo;
mod profile;
mod program;
mod raw;
mod receipts;
mod receiver;
mod service;
mod slack_export;
mod stored;
mod workspace;

pub use builders::{OperationBuilder, UserBuilder, hashed, operation, user};
pub use events::{Event, states};
pub use held::Held;
pub use importing::{staged_user, staged_users};
pub use limited::LIMITED;
pub use mongo::Mongo;
#[allow(unused_imports, reason = "for the tests of upgrades")]
pub use program::program_at;
pub use program::{Finished, program, run};
pub use raw::Framing;
pub use receiver::{Received, Receiver, Reply};
pub use service::{Answer, Service};
pub use slack_export::{SlackExport, zip};
pub use stored::{names, served};
pub use workspace::{Workspace, with_element, workspace};

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds and fails the test if it does not within `patience`.
pub async fn eventually(what: &str, patience: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(POLL_INTERVAL).await;
    }
}
