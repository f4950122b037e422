//! The rooms of Rocket.Chat's database this service enters.
//!
//! The only module that knows collection names and BSON. Every read goes to the primary, whatever the connection string
//! says, so that an answer is never older than the database was when it was asked.

mod accounts;
mod api_rules;
mod bson_fields;
mod bson_write;
mod connection;
mod database_user;
mod error;
pub mod example_workspace;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod import_changes;
mod imports;
mod migrations;
mod newest_operation;
mod observer;
mod patience;
mod permissions;
mod replica_set;
mod roles;
mod runs;
mod settings;
mod shared_reads;
mod staging;
mod token_holders;
mod users;
mod webhooks;

use std::sync::LazyLock;

use mongodb::options::{Acknowledgment, WriteConcern};

pub use accounts::{Accounts, Holder, Rejection};
pub use api_rules::ApiRuleBook;
pub use connection::{Connection, ConnectionError};
pub use database_user::{DatabaseUser, DatabaseUserError, Made};
pub use error::RepositoryError;
pub use import_changes::{FollowedImport, ImportChanges, Moment, Reading, Sighting};
pub use imports::{Accepted, Imports};
pub use migrations::{AppliedMigration, MigrationError, migrate};
pub use observer::{CommandOutcome, ConnectionName, Observer, PoolEvent};
pub(crate) use patience::answered;
pub use permissions::Permissions;
pub use replica_set::{ReplicaSetError, initiate_replica_set, initiate_replica_set_at};
pub use roles::Roles;
pub use runs::{Change, Claim, HeldRun, LEASE_RENEWAL_INTERVAL, Reached, Runs, Target, Written};
pub use settings::Settings;
pub use staging::{FailedRecord, StagedId, StagedUser, Staging};
pub use users::Users;
pub use webhooks::{Delivery, Ended, Webhooks};

/// For the removal of imported records. The primary alone confirms it; the majority write of the counters, which comes
/// after it and is never stored without it, confirms it too. A primary that loses it loses the latest: the records are in
/// the staging area again, and their accounts are recognised.
static PIPELINED: LazyLock<WriteConcern> =
    LazyLock::new(|| WriteConcern::builder().w(Acknowledgment::Nodes(1)).build());

/// One repository for each kind of document, over one connection.
#[derive(Debug, Clone)]
pub struct Repositories {
    pub accounts: Accounts,
    pub api_rules: ApiRuleBook,
    pub connection: Connection,
    pub import_changes: ImportChanges,
    pub imports: Imports,
    pub permissions: Permissions,
    pub roles: Roles,
    pub runs: Runs,
    pub settings: Settings,
    pub staging: Staging,
    pub users: Users,
    pub webhooks: Webhooks,
}

impl Repositories {
    #[must_use]
    pub fn over(connection: Connection) -> Self {
        let imports = Imports::over(&connection);
        let permissions = Permissions::over(&connection);
        let settings = Settings::over(&connection);
        Self {
            accounts: Accounts::over(&connection),
            api_rules: ApiRuleBook::over(settings.clone(), permissions.clone()),
            import_changes: ImportChanges::over(&connection, &imports),
            imports,
            permissions,
            roles: Roles::over(&connection),
            runs: Runs::over(&connection),
            settings,
            staging: Staging::over(&connection),
            users: Users::over(&connection),
            webhooks: Webhooks::over(&connection),
            connection,
        }
    }
}
