//! `demo`: from nothing to a running service.

mod slack_export;

use std::{fs, path::PathBuf};

use clap::Args;

use super::{
    CommandError,
    settings::{LimitArgs, ListenArgs, MetricsArgs},
    stop_signal::stop_signal,
};
use crate::{
    domain::api::client_address::Proxies,
    mongo_process::{PrivateMongo, Source, Topology},
    repository::{Connection, migrate, setup::example_workspace},
    service::{EngineSettings, FetchSettings, UploadSettings},
    service::{Service, Settings},
};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Write an example of a Slack export to this file, and do nothing else
    #[arg(long, value_name = "FILE")]
    slack_export: Option<PathBuf>,

    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
}

/// Starts a private MongoDB, loads the example workspace, serves the API, and ends all of it when the process is stopped.
pub(super) async fn run(args: DemoArgs) -> Result<(), CommandError> {
    if let Some(path) = &args.slack_export {
        let written = slack_export::slack_export().and_then(|archive| fs::write(path, archive));
        return written.map_err(|error| CommandError::File(format!("{}: {error}", path.display())));
    }
    let stop = stop_signal()?;
    let service = Service::bind(Settings {
        bind_ip: args.listen.bind_ip,
        port: args.listen.port,
        metrics_port: args.metrics.metrics_port,
        max_requests_in_work: LimitArgs::default().max_requests_in_work,
        engine: EngineSettings::default(),
        fetch: FetchSettings::default(),
        uploads: UploadSettings::default(),
        proxies: Proxies::default(),
        preparation: None,
        webhook: None,
    })
    .map_err(CommandError::failed)?;
    let mongo = PrivateMongo::start(Source::Any, Topology::ReplicaSet).await.map_err(CommandError::failed)?;
    log::info!("MongoDB: {}", mongo.description());
    let served = serve_workspace(&mongo, service, stop).await;
    mongo.stop().await;
    served
}

async fn serve_workspace(
    mongo: &PrivateMongo,
    service: Service,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), CommandError> {
    let connection = Connection::open(mongo.url(), service.observer()).await.map_err(CommandError::failed)?;
    migrate(&connection).await.map_err(CommandError::failed)?;
    example_workspace::load(&connection).await.map_err(CommandError::failed)?;
    let address = service.address().map_err(CommandError::failed)?;
    println!(
        "\nThe example workspace is being served. Try:\n\n  \
         curl http://{address}/api/v1/import.status -H 'x-auth-token: {token}' -H 'x-user-id: {user}'\n\n\
         Import a small Slack export:\n\n  \
         export ROCKETCHAT_URL=http://{address} ROCKETCHAT_USER_ID={user} ROCKETCHAT_AUTH_TOKEN={token}\n  \
         rocketchat-import demo --slack-export slack-export.zip\n  \
         rocketchat-import import slack-export.zip --replace\n  \
         rocketchat-import import slack-export.zip --run\n  \
         rocketchat-import verify\n\n\
         The page: http://{address}/import\nIts MongoDB: {}\nCtrl-C ends both.\n",
        mongo.url(),
        token = example_workspace::AUTH_TOKEN,
        user = example_workspace::USER_ID,
    );
    service.run_until(connection, stop).await.map_err(CommandError::failed)
}
