//! The running process: the parts that are started, in which order, and how they stop.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    num::NonZeroU16,
    sync::Arc,
};

use futures::future::OptionFuture;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::engine::{AvatarApi, EngineSettings, FetchSettings, GoogleEndpoints, UploadSettings};
use crate::{
    domain::api::client_address::Proxies,
    engine::{Engine, Uploads, WritePace},
    http::startup::{self, Parts},
    live::StatusFeed,
    metrics::MetricsServer,
    repository::{
        Connection, Observer, Repositories,
        setup::{
            Readiness,
            preparation::{Preparation, prepare},
        },
    },
    webhook::{Webhook, WebhookDispatcher},
};

/// The settings of a service, parsed.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) bind_ip: IpAddr,
    /// Port of the API; 0 takes a free one.
    pub(crate) port: u16,
    /// Port of the metrics, on the same address; `None` serves no metrics.
    pub(crate) metrics_port: Option<u16>,
    pub(crate) max_requests_in_work: NonZeroU16,
    /// How imports are run.
    pub(crate) engine: EngineSettings,
    /// How files of messages and pictures of people are fetched.
    pub(crate) fetch: FetchSettings,
    /// How files are taken.
    pub(crate) uploads: UploadSettings,
    pub(crate) proxies: Proxies,
    /// The preparation of the database; `None` if it is prepared already.
    pub(crate) preparation: Option<Preparation>,
    pub(crate) webhook: Option<Webhook>,
}

/// A service that holds its addresses and has started nothing yet.
#[derive(Debug)]
pub(crate) struct Service {
    listener: TcpListener,
    metrics: Option<MetricsServer>,
    settings: Settings,
}

/// An address that cannot be had.
#[derive(Debug, Error)]
pub(crate) enum BindError {
    #[error("cannot listen on {0}: {1}")]
    Api(SocketAddr, #[source] io::Error),
    #[error("cannot serve metrics on {0}: {1}")]
    Metrics(SocketAddr, #[source] io::Error),
}

impl Service {
    /// Takes the addresses, so that a conflict shows before anything else is started.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub(crate) fn bind(settings: Settings) -> Result<Self, BindError> {
        let address = SocketAddr::new(settings.bind_ip, settings.port);
        let listener = startup::bind(address).map_err(|error| BindError::Api(address, error))?;
        let metrics = settings.metrics_port.map(|port| {
            let address = SocketAddr::new(settings.bind_ip, port);
            MetricsServer::bind(address).map_err(|error| BindError::Metrics(address, error))
        });
        Ok(Self { listener, metrics: metrics.transpose()?, settings })
    }

    /// The address of the API.
    ///
    /// # Errors
    /// When the system does not say.
    #[cfg(feature = "private-mongod")]
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The observer that the connection to the database reports to.
    pub(crate) fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.metrics.as_ref().map(MetricsServer::observer)
    }

    /// Serves the API and runs imports until `stop` resolves. Then it accepts nothing new and lets requests in flight
    /// finish, for ten seconds at most. Streams end at once. The metrics go last.
    ///
    /// # Errors
    /// When a listener cannot be used.
    pub(crate) async fn run_until(
        self,
        connection: Connection,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Self { listener, metrics, settings } = self;
        let stopping = CancellationToken::new();
        let readiness = Readiness::default();
        let mut repositories = Repositories::new(connection.clone());
        repositories.receipts = repositories.receipts.kept_for(settings.engine.receipt_lifetime);
        repositories.load_reports = repositories.load_reports.kept_for(settings.engine.receipt_lifetime);
        let write_pace = WritePace::new(settings.uploads.bytes_per_second);
        let engine = Engine::new(repositories.clone(), readiness.clone(), settings.engine, settings.fetch, write_pace);
        let uploads = Uploads::new(engine.clone(), settings.uploads);
        let live = StatusFeed::new(repositories.clone());

        if settings.preparation.is_none() {
            readiness.prepared();
        }
        let preparation =
            settings.preparation.map(|wanted| tokio::spawn(prepare(wanted, connection, readiness.clone())));
        let supervisor = tokio::spawn(engine.clone().supervise());
        let sweep = tokio::spawn({
            let uploads = uploads.clone();
            async move { uploads.sweep().await }
        });
        let webhook = settings.webhook.map(|webhook| WebhookDispatcher::start(webhook, repositories.clone()));
        let parts = Parts {
            repositories: repositories.clone(),
            engine: engine.clone(),
            uploads,
            live: live.clone(),
            readiness,
            proxies: settings.proxies,
            requests: metrics.as_ref().map(MetricsServer::requests),
            overload: metrics.as_ref().map(MetricsServer::overload).unwrap_or_default(),
            max_requests_in_work: settings.max_requests_in_work,
        };
        let metrics = metrics.map(|metrics| metrics.start(repositories, engine.activity())).transpose()?;
        let (metrics_server, metrics_handle) = metrics.unzip();
        let signal = stopping.clone();
        let stop = async move {
            stop.await;
            // Streams would never finish by themselves.
            live.stop();
            signal.cancel();
        };
        let server = startup::server(listener, parts, stop)?;
        let end_of_runs = async {
            stopping.cancelled().await;
            supervisor.abort();
            sweep.abort();
            engine.shut_down().await;
        };
        let api_and_runs = async {
            let (outcome, ()) = tokio::join!(
                async {
                    let outcome = server.await;
                    // A server that failed ends the runs too.
                    stopping.cancel();
                    outcome
                },
                end_of_runs
            );
            if let Some(metrics) = metrics_handle {
                metrics.stop(false).await;
            }
            outcome
        };
        let (outcome, _) = tokio::join!(api_and_runs, OptionFuture::from(metrics_server));
        if let Some(preparation) = preparation {
            preparation.abort();
        }
        if let Some(webhook) = webhook {
            webhook.stop().await;
        }
        outcome
    }
}
