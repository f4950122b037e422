//! Staging users exactly once, whatever is lost on the way.
//!
//! This service takes an idempotency key with `import.addUsers` and the operation's id with `import.run`: the same request
//! may simply be sent again.
//!
//! Rocket.Chat takes neither. When an answer of its `import.addUsers` is lost, the operation's own `count.users` tells
//! whether the batch is in, because it grows by the batch. It is watched for a while, and only if it stays where it was are
//! the users sent again. Before the run the count is compared once more with what was sent, for either server, so that
//! users who were staged twice after all are never run.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::{Client, ClientError, NewImport, ReportedState, Server, Status, retry::Retry};
use crate::domain::sent_list::SentList;

/// How long Rocket.Chat may go on working on a request whose connection broke.
const SETTLING: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// What Rocket.Chat's `import.run` says to the second call.
const ALREADY_RUN: &str = "error-invalid-operation-status";

/// A new import that is being filled.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    client: &'a Client,
    server: Server,
    operation: String,
    staged: u64,
}

impl<'a> Staging<'a> {
    /// Begins a new import for the list. What was staged before is gone, an import that runs is ended.
    pub(crate) async fn begin(client: &'a Client, list: &SentList) -> Result<Self, ClientError> {
        let NewImport { operation, server } = client.new_import(list).await?;
        Ok(Self { client, server, operation, staged: 0 })
    }

    /// Goes on with an import that this many users were staged in, by a call that was cut off.
    pub(crate) async fn go_on(client: &'a Client, operation: &str, staged: u64) -> Result<Self, ClientError> {
        Ok(Self { client, server: client.server().await?, operation: operation.to_owned(), staged })
    }

    /// The `_id` of the operation.
    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    /// Whether the server is this service, which finds people who are there, and keeps what list an import was begun for.
    /// Rocket.Chat's own does neither.
    pub(crate) fn is_with_this_service(&self) -> bool {
        self.server == Server::ThisService
    }

    /// Users staged so far.
    pub(crate) fn staged(&self) -> u64 {
        self.staged
    }

    /// Stages the `users` users of `body`, a whole body of `import.addUsers`.
    pub(crate) async fn add(&mut self, body: &str, users: u64) -> Result<(), ClientError> {
        match self.server {
            Server::ThisService => self.add_with_key(body).await?,
            Server::RocketChat => self.add_and_count(body, users).await?,
        }
        self.staged += users;
        Ok(())
    }

    async fn add_with_key(&self, body: &str) -> Result<(), ClientError> {
        let key = format!("{:032x}", rand::random::<u128>());
        let mut retry = Retry::new(self.client.patience);
        while let Err(error) = self.client.post("import.addUsers", body.to_owned(), Some(&key)).await {
            retry.pause_after(error, &self.client.notice).await?;
            // The key counts for this operation. Another one that somebody began meanwhile would take the users once more.
            self.own_status().await?;
        }
        Ok(())
    }

    async fn add_and_count(&self, body: &str, users: u64) -> Result<(), ClientError> {
        let mut retry = Retry::new(self.client.patience);
        while let Err(error) = self.client.post("import.addUsers", body.to_owned(), None).await {
            if error.leaves_open_what_was_done() {
                (self.client.notice)(&error, SETTLING);
                if self.are_in(users).await? {
                    break;
                }
                retry.pause_after(error, |_, _| {}).await?;
            } else {
                retry.pause_after(error, &self.client.notice).await?;
            }
        }
        Ok(())
    }

    /// Whether the `users` users that were just sent are staged.
    async fn are_in(&self, users: u64) -> Result<bool, ClientError> {
        let settled = Instant::now() + SETTLING;
        loop {
            let begun = Instant::now();
            let count = self.own_status().await?.counts.users;
            if count == self.staged + users {
                return Ok(true);
            }
            if count != self.staged {
                return Err(self.wrong_count(count));
            }
            if begun >= settled {
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
    pub(crate) async fn run(&self, rules: &Map<String, Value>) -> Result<(), ClientError> {
        match self.server {
            Server::ThisService => {
                let mut run = rules.clone();
                run.insert("operationId".to_owned(), self.operation.clone().into());
                let run = Value::Object(run).to_string();
                let post = async || self.client.post("import.run", run.clone(), None).await;
                self.client.repeat(self.client.patience, post).await.map(drop)
            }
            Server::RocketChat => self.run_and_look().await,
        }
    }

    async fn run_and_look(&self) -> Result<(), ClientError> {
        let mut retry = Retry::new(self.client.patience);
        let mut may_have_started = false;
        while let Err(error) = self.client.post("import.run", "{}".to_owned(), None).await {
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
        Ok(())
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
            "the server holds {count} staged users where {} were sent; nothing was run; the same command with --replace starts over",
            self.staged
        ))
    }
}
