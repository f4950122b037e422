//! `healthcheck`: asks the service on this machine whether it is ready.

use std::{net::IpAddr, time::Duration};

use clap::Args;

use crate::{
    cli::{CommandError, settings::ListenArgs},
    http::READINESS_PATH,
};

/// Longer than the service itself waits for the database.
const PATIENCE: Duration = Duration::from_secs(6);

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    listen: ListenArgs,
}

/// Succeeds if the service is ready.
pub(super) async fn run(args: HealthcheckArgs) -> Result<(), CommandError> {
    let host = match args.listen.bind_ip {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let address = std::net::SocketAddr::new(host, args.listen.port);
    let not_ready = |error: reqwest::Error| CommandError::Failed(format!("not ready: {}", error.without_url()));
    // A proxy has no business between a container and itself.
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(not_ready)?;
    let answer = client.get(format!("http://{address}{READINESS_PATH}")).send().await;
    answer.and_then(reqwest::Response::error_for_status).map(drop).map_err(not_ready)
}
