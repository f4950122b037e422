//! `serve`: the HTTP service.

use clap::Args;

use super::{CommandError, connect, metrics, preparation, stop_signal::stop_signal};
use crate::{
    config::{DatabaseArgs, LimitArgs, ListenArgs, MetricsArgs, PreparationArgs, ProxyArgs, WebhookArgs},
    http::{self, readiness::Readiness},
    metrics::MetricsServer,
    repository::Repositories,
    webhook::Announcer,
};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    proxies: ProxyArgs,
    #[command(flatten)]
    preparation: PreparationArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
}

/// Serves until told to stop. The database need not be up: requests are answered with 503 until it is.
pub(super) async fn run(args: &ServeArgs) -> Result<(), CommandError> {
    let stop = stop_signal()?;
    let webhook = args.webhook.webhook().map_err(CommandError::Setting)?;
    let listener = http::startup::bind(args.listen.bind_ip, args.listen.port).map_err(|error| {
        CommandError::Failed(format!("cannot listen on {}:{}: {error}", args.listen.bind_ip, args.listen.port))
    })?;
    let metrics = metrics(args.listen, args.metrics)?;
    let connection = connect(&args.database, metrics.as_ref().map(MetricsServer::observer)).await?;
    let readiness = Readiness::default();
    let preparation =
        tokio::spawn(preparation::prepare(args.preparation.clone(), connection.clone(), readiness.clone()));
    let repositories = Repositories::over(connection);
    let announcer = webhook.map(|webhook| Announcer::start(webhook, repositories.clone(), http::status_body));
    let proxies = args.proxies.proxies();
    let served = http::startup::serve(listener, repositories, readiness, args.limits, proxies, metrics, stop).await;
    preparation.abort();
    if let Some(announcer) = announcer {
        announcer.stop().await;
    }
    served.map_err(CommandError::failed)
}
