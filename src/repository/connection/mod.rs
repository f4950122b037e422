//! The connection to MongoDB: how it is configured and whether it works.

pub(in crate::repository) mod commands;
pub(in crate::repository) mod error;
pub(in crate::repository) mod observer;
pub(in crate::repository) mod read_ahead;
pub(in crate::repository) mod shared_reads;
pub(in crate::repository) mod timeouts;

use std::{sync::Arc, time::Duration};

use bson::doc;
use mongodb::{
    Client, ClientSession, Collection, Database, ServerInfo, ServerType,
    options::{ClientOptions, CollectionOptions, ReadPreference, RunCommandOptions, SelectionCriteria, WriteConcern},
};
use thiserror::Error;

use crate::repository::{
    RepositoryError,
    connection::{observer::Observer, shared_reads::SharedReads, timeouts::with_timeout},
};

/// The database when the connection string names none; Rocket.Chat's own deployments use it.
const DEFAULT_DATABASE: &str = "rocketchat";
/// How long an operation may look for a usable server. Short enough that a caller hears of an outage within seconds.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a sign of life may take. A supervisor of a service waits for seconds only.
const PING_PATIENCE: Duration = Duration::from_secs(2);
/// One at a time is wanted; the second is for when the first connection has broken.
const POOL_OF_PINGS: u32 = 2;
/// What the database's own log calls our connections.
const APPLICATION_NAME: &str = "rocketchat-import";

/// A handle on the workspace's database. Cheap to clone; all clones share one pool.
#[derive(Debug, Clone)]
pub struct Connection {
    database: Database,
    /// The same database over a connection that nothing else uses, so that a sign of life waits for nobody.
    apart: Database,
    pings: SharedReads<(), ()>,
}

/// The connection string cannot be used.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct ConnectionError {
    /// Why, without the password.
    reason: String,
}

impl ConnectionError {
    pub(in crate::repository) fn new(error: &mongodb::error::Error, mongo_url: &str) -> Self {
        Self { reason: without_password(&error.kind.to_string(), mongo_url) }
    }

    pub(in crate::repository) fn because(reason: &str) -> Self {
        Self { reason: reason.to_owned() }
    }
}

impl Connection {
    /// Reads the connection string. Connects on first use, so this succeeds while the database is down. What goes on
    /// between this service and the database is reported to `observer`, which costs some time with every command.
    ///
    /// # Errors
    /// When the string cannot be understood. The message does not hold the password.
    pub async fn open(mongo_url: &str, observer: Option<Arc<dyn Observer>>) -> Result<Self, ConnectionError> {
        let explain = |error: mongodb::error::Error| ConnectionError::new(&error, mongo_url);
        let mut options = ClientOptions::parse(mongo_url).await.map_err(explain)?;
        options.app_name.get_or_insert_with(|| APPLICATION_NAME.to_owned());
        options.server_selection_timeout = Some(SERVER_SELECTION_TIMEOUT);
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.selection_criteria = Some(primaries_only(&options));
        let mut apart = options.clone();
        apart.min_pool_size = None;
        apart.max_pool_size = Some(POOL_OF_PINGS);
        if let Some(observer) = observer {
            observer::observe(&mut options, observer);
        }
        let name = options.default_database.clone().unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        let database = Client::with_options(options).map_err(explain)?.database(&name);
        let apart = Client::with_options(apart).map_err(explain)?.database(&name);
        Ok(Self { database, apart, pings: SharedReads::with_patience(PING_PATIENCE) })
    }

    /// The same servers, as the same user, but another database.
    pub fn in_database(&self, name: &str) -> Self {
        let database = self.database.client().database(name);
        Self { database, apart: self.apart.client().database(name), pings: self.pings.clone() }
    }

    /// The name of the workspace's database.
    pub fn database_name(&self) -> &str {
        self.database.name()
    }

    /// Asks the primary for a sign of life, however busy the connections are on which the work is done.
    ///
    /// # Errors
    /// When there is no primary or it does not answer.
    pub async fn ping(&self) -> Result<(), RepositoryError> {
        let apart = self.apart.clone();
        let ping = async move || {
            let primary = RunCommandOptions::builder().selection_criteria(apart.selection_criteria().cloned()).build();
            apart.run_command(doc! { "ping": 1 }).with_options(primary).await?;
            Ok(())
        };
        with_timeout(PING_PATIENCE, self.pings.get((), ping)).await
    }

    /// Does `work` in one transaction, stored by a majority; again if the database asks for it.
    pub(in crate::repository) async fn transaction(
        &self,
        work: impl AsyncFnMut(&mut ClientSession) -> mongodb::error::Result<()>,
    ) -> mongodb::error::Result<()> {
        let mut session = self.database.client().start_session().await?;
        session.start_transaction().write_concern(WriteConcern::majority()).and_run2(work).await
    }

    /// A session, in which a read knows of everything that the one before it knew of.
    pub(in crate::repository) async fn session(&self) -> mongodb::error::Result<ClientSession> {
        self.database.client().start_session().causal_consistency(true).await
    }

    pub(in crate::repository) fn database(&self) -> &Database {
        &self.database
    }

    /// A collection of Rocket.Chat's. Every write there must survive a change of primary.
    pub(in crate::repository) fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        let options = CollectionOptions::builder().write_concern(WriteConcern::majority()).build();
        self.database.collection_with_options(name, options)
    }
}

/// The servers that commands may go to.
fn primaries_only(options: &ClientOptions) -> SelectionCriteria {
    if options.direct_connection != Some(true) {
        return SelectionCriteria::ReadPreference(ReadPreference::Primary);
    }
    // Of a server that is connected to directly, the driver reads whatever it is: also one that was the primary once and
    // falls behind for ever.
    SelectionCriteria::Predicate(Arc::new(|server: &ServerInfo| {
        !matches!(server.server_type(), ServerType::RsSecondary | ServerType::RsArbiter | ServerType::RsOther)
    }))
}

/// `message` with the password of `mongo_url` blotted out, in case the driver quotes it.
fn without_password(message: &str, mongo_url: &str) -> String {
    let password = mongo_url
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'))
        .and_then(|(credentials, _)| credentials.split_once(':'))
        .map(|(_, password)| password)
        .filter(|password| !password.is_empty());
    match password {
        Some(password) => message.replace(password, "***"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_blotted_out_of_messages() {
        let url = "mongodb://rc:s3cret@db/rocketchat";
        assert_eq!(without_password("bad url mongodb://rc:s3cret@db", url), "bad url mongodb://rc:***@db");
        assert_eq!(without_password("bad port", "mongodb://db:x"), "bad port");
    }
}
