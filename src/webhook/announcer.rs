//! The task that finds imports that are over and delivers the news.

use std::{collections::HashSet, time::Duration};

use reqwest::{
    Client, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{Webhook, backoff, signature::signature};
use crate::{
    domain::operation::{Operation, State},
    repository::{Delivery, Ended, Repositories, RepositoryError, answered},
};

/// How often to look for imports that are over, and for deliveries that are due.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the receiver may take to answer.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(10);
/// How long a delivery that is on its way may take once the service is told to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(3);

const EVENT: &str = "x-rocketchat-import-event";
const DELIVERY: &str = "x-rocketchat-import-delivery";
const TIMESTAMP: &str = "x-rocketchat-import-timestamp";
const SIGNATURE: &str = "x-rocketchat-import-signature";
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Writes an operation as the body to be sent.
type Wording = fn(&Operation) -> String;

/// The running task.
#[derive(Debug)]
pub(crate) struct Announcer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Starts the task on the current runtime.
    pub(crate) fn start(webhook: Webhook, repositories: Repositories, wording: Wording) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let client = Client::builder().redirect(redirect::Policy::none()).timeout(DELIVERY_PATIENCE).build();
            let client = match client {
                Ok(client) => client,
                Err(error) => return log::error!("no webhook is called: {error}"),
            };
            let (baseline, known) = (None, HashSet::new());
            Work { webhook, repositories, wording, client, stopped, baseline, known }.go_on().await;
        });
        Self { stop, task }
    }

    /// Lets a delivery that is on its way arrive, if that does not take long, and ends the task.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        if timeout(SHUTDOWN_PATIENCE, &mut self.task).await.is_err() {
            log::warn!(
                "a webhook did not answer in time; it is called again when the claim on the delivery has run out"
            );
            self.task.abort();
        }
    }
}

struct Work {
    webhook: Webhook,
    repositories: Repositories,
    wording: Wording,
    client: Client,
    stopped: watch::Receiver<bool>,
    /// Ends that are not to be told; `None` until the database has said.
    baseline: Option<HashSet<String>>,
    /// Ends that are on record.
    known: HashSet<Ended>,
}

impl Work {
    async fn go_on(mut self) {
        while !*self.stopped.borrow() {
            if let Err(error) = self.round().await {
                log::debug!("webhooks have to wait: {error}");
            }
            tokio::select! {
                () = sleep(INTERVAL) => {}
                _ = self.stopped.changed() => {}
            }
        }
    }

    async fn round(&mut self) -> Result<(), RepositoryError> {
        self.record_ends().await?;
        while !*self.stopped.borrow() {
            let Some(delivery) = answered(self.repositories.webhooks.claim()).await? else { break };
            self.deliver(&delivery).await?;
        }
        Ok(())
    }

    async fn record_ends(&mut self) -> Result<(), RepositoryError> {
        let Repositories { webhooks, imports, runs, .. } = &self.repositories;
        if self.baseline.is_none() {
            self.baseline = Some(answered(webhooks.baseline()).await?);
        }
        let ended = answered(webhooks.ended()).await?;
        self.known.retain(|known| ended.contains(known));
        for end in ended {
            let is_old = |end: &Ended| self.baseline.as_ref().is_some_and(|baseline| baseline.contains(&end.id()));
            if is_old(&end) || self.known.contains(&end) {
                continue;
            }
            // One that was canceled is in error once a new import takes its place. That is no news.
            let canceled = Ended { operation: end.operation.clone(), state: State::Canceled };
            if end.state == State::Error && (is_old(&canceled) || answered(webhooks.is_recorded(&canceled)).await?) {
                self.known.insert(end);
                continue;
            }
            // A run that was ended from outside stores its last counts before it lets go of the operation.
            if end.state != State::Done && answered(runs.is_leased(&end.operation)).await? {
                continue;
            }
            let operation = answered(imports.find(&end.operation)).await?;
            let Some(operation) = operation.filter(|operation| operation.state() == Some(end.state)) else { continue };
            answered(webhooks.record(&end, &(self.wording)(&operation))).await?;
            self.known.insert(end);
        }
        Ok(())
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<(), RepositoryError> {
        let webhooks = &self.repositories.webhooks;
        let Delivery { id, attempt, .. } = delivery;
        let reason = match self.post(delivery).await {
            Ok(status) if status.is_success() => {
                log::info!("webhook: {id} was delivered");
                return answered(webhooks.delivered(delivery)).await;
            }
            Ok(status) => format!("the answer was {status}"),
            Err(reason) => reason,
        };
        if let Some(rest) = backoff::after(*attempt, delivery.age, rand::random()) {
            log::warn!("webhook: {id} was not delivered, attempt {attempt}, again in {rest:.1?}: {reason}");
            answered(webhooks.try_again(delivery, rest)).await
        } else {
            log::error!("webhook: {id} was not delivered and is given up after {attempt} attempts: {reason}");
            answered(webhooks.give_up(delivery)).await
        }
    }

    /// The receiver's answer, or why there was none.
    async fn post(&self, delivery: &Delivery) -> Result<StatusCode, String> {
        let timestamp = chrono::Utc::now().timestamp();
        let mut request = self
            .client
            .post(self.webhook.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(EVENT, &delivery.event)
            .header(DELIVERY, &delivery.id)
            .header(TIMESTAMP, timestamp)
            .body(delivery.body.clone());
        if let Some(secret) = &self.webhook.secret {
            let signature = signature(secret, timestamp, &delivery.body).ok_or("it could not be signed")?;
            request = request.header(SIGNATURE, signature);
        }
        let answer = request.send().await.map_err(|error| reason_of(&error.without_url()))?;
        Ok(answer.status())
    }
}

/// The innermost cause says what happened. The URL is left out: there may be a password in it.
fn reason_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {DELIVERY_PATIENCE:?}");
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
