//! `demo`: from nothing to a running service.

use clap::Args;

use super::{CommandError, metrics, stop_signal::stop_signal};
use crate::{
    config::{LimitArgs, ListenArgs, MetricsArgs},
    domain::client_address::Proxies,
    http::{self, readiness::Readiness},
    metrics::MetricsServer,
    mongo_process::{PrivateMongo, Source, Topology},
    repository::{Connection, Repositories, example_workspace, migrate},
};

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
}

/// Starts a MongoDB of its own, loads the example workspace, serves the API, and ends all of it when told to stop.
pub(super) async fn run(args: DemoArgs) -> Result<(), CommandError> {
    let stop = stop_signal()?;
    let listener = http::startup::bind(args.listen.bind_ip, args.listen.port).map_err(|error| {
        CommandError::Failed(format!("cannot listen on {}:{}: {error}", args.listen.bind_ip, args.listen.port))
    })?;
    let metrics = metrics(args.listen, args.metrics)?;
    let mongo = PrivateMongo::start(Source::Any, Topology::ReplicaSet).await.map_err(CommandError::failed)?;
    log::info!("MongoDB: {}", mongo.description());
    let served = serve_workspace(&mongo, listener, metrics, stop).await;
    mongo.stop().await;
    served
}

async fn serve_workspace(
    mongo: &PrivateMongo,
    listener: std::net::TcpListener,
    metrics: Option<MetricsServer>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), CommandError> {
    let observer = metrics.as_ref().map(MetricsServer::observer);
    let connection = Connection::open(mongo.url(), observer).await.map_err(CommandError::failed)?;
    migrate(&connection).await.map_err(CommandError::failed)?;
    example_workspace::load(&connection).await.map_err(CommandError::failed)?;
    let address = listener.local_addr().map_err(CommandError::failed)?;
    println!(
        "\nThe example workspace is being served. Try:\n\n  \
         curl http://{address}/api/v1/import.status -H 'x-auth-token: {}' -H 'x-user-id: {}'\n\n\
         Its MongoDB: {}\nCtrl-C ends both.\n",
        example_workspace::AUTH_TOKEN,
        example_workspace::USER_ID,
        mongo.url(),
    );
    let readiness = Readiness::default();
    readiness.prepared();
    let (limits, proxies) = (LimitArgs::default(), Proxies::default());
    http::startup::serve(listener, Repositories::over(connection), readiness, limits, proxies, metrics, stop)
        .await
        .map_err(CommandError::failed)
}
