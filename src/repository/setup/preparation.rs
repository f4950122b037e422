//! Getting the database ready while the service already listens.

use std::time::Duration;

use tokio::time::sleep;

use crate::repository::{
    Connection, MigrationError, RepositoryError, initiate_replica_set, migrate,
    setup::{example_workspace, privileges::missing_privileges, readiness::Readiness},
    with_default_timeout,
};

/// How long to let the database rest before it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often privileges that are missing are looked for.
const PRIVILEGE_INTERVAL: Duration = Duration::from_secs(10);
/// How long one try waits for a fresh server to become a primary.
const REPLICA_SET_PATIENCE: Duration = Duration::from_secs(30);

/// The steps wanted before the service is ready, besides the migrations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preparation {
    /// `host:port` of a server to make a replica set of one.
    pub(crate) initiate_replica_set: Option<String>,
    /// Whether to load the documentation's example workspace into a database that holds no users.
    pub(crate) load_example_workspace: bool,
}

/// Does what `wanted` asks for and applies the migrations, again and again while the database cannot be reached; then
/// tells `readiness`. Goes on while the database user lacks privileges, until it has them.
///
/// A database that refuses a step is logged and left as it is: the API works without it.
pub(crate) async fn prepare(wanted: Preparation, connection: Connection, readiness: Readiness) {
    if let Some(member) = &wanted.initiate_replica_set {
        while let Err(error) = initiate_replica_set(member, REPLICA_SET_PATIENCE).await {
            log::warn!("{error}");
        }
    }
    prepare_until_done(&wanted, &connection).await;
    let mut may_do_all = has_all_privileges(&connection, &readiness).await;
    readiness.prepared();
    if may_do_all {
        return;
    }
    while !may_do_all {
        sleep(PRIVILEGE_INTERVAL).await;
        may_do_all = has_all_privileges(&connection, &readiness).await;
    }
    log::info!("the database user may do now what this service does");
    // What was refused before.
    prepare_until_done(&wanted, &connection).await;
}

async fn prepare_until_done(wanted: &Preparation, connection: &Connection) {
    loop {
        match prepare_once(wanted, connection).await {
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
}

/// Looks for missing privileges, and tells `readiness` and the log. A database that does not say counts as one that has them.
async fn has_all_privileges(connection: &Connection, readiness: &Readiness) -> bool {
    let missing = match with_default_timeout(missing_privileges(connection)).await {
        Ok(missing) => missing,
        Err(RepositoryError::Unavailable(_) | RepositoryError::TimedOut) => return false,
        Err(error) => {
            log::debug!("the database does not say what its user may do: {error}");
            Vec::new()
        }
    };
    let is_all = missing.is_empty();
    let needed = missing.iter().filter(|missing| !missing.is_for_files());
    let listed = needed.map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if readiness.set_missing(missing) && !listed.is_empty() {
        log::error!("the database user may not {listed}: run `rocketchat-import create-database-user`");
    }
    is_all
}

async fn prepare_once(wanted: &Preparation, connection: &Connection) -> Result<(), MigrationError> {
    migrate(connection).await?;
    if wanted.load_example_workspace {
        let loaded = example_workspace::load(connection).await?;
        log::info!("example workspace: {loaded}");
    }
    Ok(())
}
