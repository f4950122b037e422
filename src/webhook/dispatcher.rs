//! The task that finds imports that are over and delivers the news.

use std::{collections::HashSet, time::Duration};

use reqwest::{
    Client, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Webhook, backoff, signature::signature};
use crate::{
    domain::operation::State,
    repository::{
        Delivery, EndedImport, Ends, News, Repositories, RepositoryError, UnreadableOperation, with_default_timeout,
    },
    wire::status::status_body,
};

/// How often to look for imports that are over, and for deliveries that are due.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the receiver may take to answer.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(10);
/// The longest wait for a delivery under way once the service is to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(3);

const EVENT: &str = "x-rocketchat-import-event";
const DELIVERY: &str = "x-rocketchat-import-delivery";
const TIMESTAMP: &str = "x-rocketchat-import-timestamp";
const SIGNATURE: &str = "x-rocketchat-import-signature";
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The running task.
#[derive(Debug)]
pub(crate) struct WebhookDispatcher {
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

impl WebhookDispatcher {
    /// Starts the task on the current runtime.
    pub(crate) fn start(webhook: Webhook, repositories: Repositories) -> Self {
        let stopping = CancellationToken::new();
        let token = stopping.clone();
        let task = tokio::spawn(async move {
            let client = Client::builder().redirect(redirect::Policy::none()).timeout(DELIVERY_PATIENCE).build();
            let client = match client {
                Ok(client) => client,
                Err(error) => return log::error!("no webhook is called: {error}"),
            };
            let work = Work {
                webhook,
                repositories,
                client,
                stopping: token,
                baseline: None,
                known: HashSet::new(),
                unreadable: HashSet::new(),
                problem: None,
            };
            work.run().await;
        });
        Self { stopping, task }
    }

    /// Lets a delivery that is on its way arrive, if that does not take long, and ends the task.
    pub(crate) async fn stop(mut self) {
        self.stopping.cancel();
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
    client: Client,
    stopping: CancellationToken,
    /// Ends that are not announced; `None` until the database has answered.
    baseline: Option<HashSet<String>>,
    /// Ends that are on record.
    known: HashSet<EndedImport>,
    /// Operations that were reported as unreadable.
    unreadable: HashSet<String>,
    /// The last round's error, which is reported once.
    problem: Option<String>,
}

impl Work {
    async fn run(mut self) {
        while !self.stopping.is_cancelled() {
            // What is on record is delivered whatever becomes of the search for more.
            let recorded = self.record_ends().await;
            let outcome = self.deliver_all().await.and(recorded);
            self.report(outcome);
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = self.stopping.cancelled() => {}
            }
        }
    }

    async fn deliver_all(&self) -> Result<(), RepositoryError> {
        while !self.stopping.is_cancelled() {
            let Some(delivery) = with_default_timeout(self.repositories.webhooks.claim()).await? else { break };
            self.deliver(&delivery).await?;
        }
        Ok(())
    }

    fn report(&mut self, outcome: Result<(), RepositoryError>) {
        let problem = outcome.err().map(|error| error.to_string());
        if let Some(problem) = problem.as_ref().filter(|problem| self.problem.as_ref() != Some(problem)) {
            log::warn!("webhooks have to wait: {problem}");
        }
        self.problem = problem;
    }

    fn report_unreadable(&mut self, UnreadableOperation { operation, reason }: UnreadableOperation) {
        if self.unreadable.insert(operation.clone()) {
            log::warn!("webhook: the end of operation {operation:?} is not told: {reason}");
        }
    }

    async fn record_ends(&mut self) -> Result<(), RepositoryError> {
        let Repositories { webhooks, leases, .. } = self.repositories.clone();
        if self.baseline.is_none() {
            self.baseline = Some(with_default_timeout(webhooks.baseline()).await?);
        }
        let Ends { ended, unreadable } = with_default_timeout(webhooks.ended()).await?;
        for operation in unreadable {
            self.report_unreadable(operation);
        }
        self.known.retain(|known| ended.contains(known));
        for end in ended {
            let is_old =
                |end: &EndedImport| self.baseline.as_ref().is_some_and(|baseline| baseline.contains(&end.id()));
            if is_old(&end) || self.known.contains(&end) {
                continue;
            }
            // One that was canceled is in error once a new import takes its place. That is no news.
            let canceled = EndedImport { operation: end.operation.clone(), news: News::Ended(State::Canceled) };
            if end.news == News::Ended(State::Error)
                && (is_old(&canceled) || with_default_timeout(webhooks.is_recorded(&canceled)).await?)
            {
                self.known.insert(end);
                continue;
            }
            // A run that was ended from outside stores its last counts before it lets go of the operation.
            let may_be_at_work = !matches!(end.news, News::Ready | News::Ended(State::Done));
            if may_be_at_work && with_default_timeout(leases.is_leased(&end.operation)).await? {
                continue;
            }
            let operation = match with_default_timeout(webhooks.operation(&end.operation)).await {
                Err(error @ RepositoryError::Unreadable { .. }) => {
                    let reason = error.to_string();
                    self.report_unreadable(UnreadableOperation { operation: end.operation.clone(), reason });
                    continue;
                }
                operation => operation?,
            };
            let Some(operation) = operation.filter(|operation| EndedImport::of(operation).as_ref() == Some(&end))
            else {
                continue;
            };
            with_default_timeout(webhooks.record(&end, &status_body(&operation))).await?;
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
                return with_default_timeout(webhooks.delivered(delivery)).await;
            }
            Ok(status) => format!("the answer was {status}"),
            Err(reason) => reason,
        };
        if let Some(rest) = backoff::after(*attempt, delivery.age, rand::random()) {
            log::warn!("webhook: {id} was not delivered, attempt {attempt}, again in {rest:.1?}: {reason}");
            with_default_timeout(webhooks.try_again(delivery, rest)).await
        } else {
            log::error!("webhook: {id} was not delivered and is given up after {attempt} attempts: {reason}");
            with_default_timeout(webhooks.give_up(delivery)).await
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
