//! `serve`: the HTTP service.

use clap::Args;

use super::{
    CommandError, connect,
    settings::{
        DatabaseArgs, FetchArgs, FileArgs, ImportArgs, LimitArgs, ListenArgs, MetricsArgs, PreparationArgs, ProxyArgs,
        WebhookArgs,
    },
    stop_signal::stop_signal,
};
use crate::service::{Service, Settings};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    imports: ImportArgs,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    fetch: FetchArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    proxies: ProxyArgs,
    #[command(flatten)]
    preparation: PreparationArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
}

/// Serves until the process is stopped. The database need not be up: requests are answered with 503 until it is.
pub(super) async fn run(args: &ServeArgs) -> Result<(), CommandError> {
    let stop = stop_signal()?;
    let service = Service::bind(Settings {
        bind_ip: args.listen.bind_ip,
        port: args.listen.port,
        metrics_port: args.metrics.metrics_port,
        max_requests_in_work: args.limits.max_requests_in_work,
        engine: args.imports.engine(),
        fetch: args.fetch.fetch().map_err(CommandError::Setting)?,
        uploads: args.files.uploads(),
        proxies: args.proxies.proxies(),
        preparation: Some(args.preparation.preparation()),
        webhook: args.webhook.webhook().map_err(CommandError::Setting)?,
    })
    .map_err(CommandError::failed)?;
    let connection = connect(&args.database, service.observer()).await?;
    service.run_until(connection, stop).await.map_err(CommandError::failed)
}
