//! Getting the database ready while the service already listens.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    config::PreparationArgs,
    http::readiness::Readiness,
    repository::{Connection, MigrationError, RepositoryError, example_workspace, initiate_replica_set, migrate},
};

/// How long to let the database rest before it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long one try waits for a fresh server to become a primary.
const REPLICA_SET_PATIENCE: Duration = Duration::from_secs(30);

/// Does what `wanted` asks for and applies the migrations, again and again while the database cannot be reached; then
/// tells `readiness`.
///
/// A database that refuses a step is logged and left as it is: the API works without it.
pub(super) async fn prepare(wanted: PreparationArgs, connection: Connection, readiness: Readiness) {
    if let Some(member) = wanted.initiate_replica_set() {
        while let Err(error) = initiate_replica_set(member, REPLICA_SET_PATIENCE).await {
            log::warn!("{error}");
        }
    }
    loop {
        match prepare_once(&wanted, &connection).await {
            Ok(()) => break,
            Err(MigrationError::Database(RepositoryError::Unavailable(error))) => {
                log::warn!("waiting for the database: {}", error.kind);
                sleep(RETRY_INTERVAL).await;
            }
            Err(error) => {
                log::error!("the database could not be prepared: {error}");
                break;
            }
        }
    }
    readiness.prepared();
}

async fn prepare_once(wanted: &PreparationArgs, connection: &Connection) -> Result<(), MigrationError> {
    migrate(connection).await?;
    if wanted.load_example_workspace {
        let loaded = example_workspace::load(connection).await?;
        log::info!("example workspace: {loaded}");
    }
    Ok(())
}
