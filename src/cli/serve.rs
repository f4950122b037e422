//! `serve`: the HTTP service.

use clap::Args;

use super::{CommandError, connect, preparation, stop_signal::stop_signal};
use crate::{
    config::{DatabaseArgs, ListenArgs, PreparationArgs},
    http::{self, readiness::Readiness},
    repository::Repositories,
};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    preparation: PreparationArgs,
}

/// Serves until told to stop. The database need not be up: requests are answered with 503 until it is.
pub(super) async fn run(args: &ServeArgs) -> Result<(), CommandError> {
    let stop = stop_signal()?;
    let connection = connect(&args.database).await?;
    let listener = http::startup::bind(args.listen.bind_ip, args.listen.port).map_err(|error| {
        CommandError::Failed(format!("cannot listen on {}:{}: {error}", args.listen.bind_ip, args.listen.port))
    })?;
    let readiness = Readiness::default();
    let preparation =
        tokio::spawn(preparation::prepare(args.preparation.clone(), connection.clone(), readiness.clone()));
    let served = http::startup::serve(listener, Repositories::over(connection), readiness, stop).await;
    preparation.abort();
    served.map_err(CommandError::failed)
}
