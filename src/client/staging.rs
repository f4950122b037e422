//! Staging users exactly once, over a call that is not idempotent.
//!
//! When the answer to `import.addUsers` is lost nobody knows whether the users were staged, and sending them again may
//! stage them twice. The operation's own `count.users` tells: it grows by a batch when the batch is in. So after such a
//! failure the count is watched for a while, and only if it stays where it was are the users sent again. Before the run
//! the count is compared once more with what was sent, so that users who were staged twice after all are never run.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Client, ClientError, ReportedState, Status, retry::Retry};

/// How long the server may go on working on a request whose connection broke.
const SETTLING: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// What `import.run` says to the second call.
const ALREADY_RUN: &str = "error-invalid-operation-status";

/// A new import that is being filled.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    client: &'a Client,
    operation: String,
    staged: u64,
}

impl<'a> Staging<'a> {
    /// Begins a new import. What was staged before is gone, an import that runs is ended.
    pub(crate) async fn begin(client: &'a Client) -> Result<Self, ClientError> {
        Ok(Self { client, operation: client.new_import().await?, staged: 0 })
    }

    /// The `_id` of the operation.
    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    /// Users staged so far.
    pub(crate) fn staged(&self) -> u64 {
        self.staged
    }

    /// Stages the `users` users of `body`, a whole body of `import.addUsers`.
    pub(crate) async fn add(&mut self, body: &str, users: u64) -> Result<(), ClientError> {
        let mut retry = Retry::new(self.client.patience);
        loop {
            match self.client.post("import.addUsers", body.to_owned()).await {
                Ok(_) => break,
                Err(error) if error.leaves_open_what_was_done() => {
                    (self.client.notice)(&error, SETTLING);
                    if self.are_in(users).await? {
                        break;
                    }
                    retry.pause_after(error, |_, _| {}).await?;
                }
                Err(error) => retry.pause_after(error, &self.client.notice).await?,
            }
        }
        self.staged += users;
        Ok(())
    }

    /// Whether the `users` users that were just sent are staged.
    async fn are_in(&self, users: u64) -> Result<bool, ClientError> {
        let settled = Instant::now() + SETTLING;
        loop {
            let asked = Instant::now();
            let count = self.own_status().await?.counts.users;
            if count == self.staged + users {
                return Ok(true);
            }
            if count != self.staged {
                return Err(self.wrong_count(count));
            }
            if asked >= settled {
                return Ok(false);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Makes sure that exactly the users that were sent are staged.
    pub(crate) async fn verify(&self) -> Result<(), ClientError> {
        let count = self.own_status().await?.counts.users;
        if count == self.staged { Ok(()) } else { Err(self.wrong_count(count)) }
    }

    /// Starts the run, once.
    pub(crate) async fn run(&self) -> Result<(), ClientError> {
        let mut retry = Retry::new(self.client.patience);
        let mut may_have_started = false;
        loop {
            let Err(error) = self.client.post("import.run", "{}".to_owned()).await else { return Ok(()) };
            may_have_started |= error.leaves_open_what_was_done();
            let was_refused = matches!(&error, ClientError::Refused { reason, .. } if reason.contains(ALREADY_RUN));
            if may_have_started && (was_refused || error.leaves_open_what_was_done()) {
                match self.own_status().await?.state {
                    ReportedState::New | ReportedState::Ready => {}
                    _ => return Ok(()),
                }
            }
            retry.pause_after(error, &self.client.notice).await?;
        }
    }

    async fn own_status(&self) -> Result<Status, ClientError> {
        let status = self.client.status().await?;
        if status.operation == self.operation {
            return Ok(status);
        }
        Err(ClientError::Interfered("somebody else began another import meanwhile; nothing was run".to_owned()))
    }

    fn wrong_count(&self, count: u64) -> ClientError {
        ClientError::Interfered(format!(
            "the server holds {count} staged users where {} were sent; nothing was run, and the same command again starts over",
            self.staged
        ))
    }
}
