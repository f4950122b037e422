//! The rooms of Rocket.Chat's database this service enters.
//!
//! The only module that knows collection names and BSON. Every read goes to the primary, whatever the connection string
//! says, so that an answer is never older than the database was when it was asked.

mod bson_fields;
mod connection;
mod error;
pub mod example_workspace;
mod imports;
mod migrations;
mod permissions;
mod replica_set;
mod users;

pub use connection::{Connection, ConnectionError};
pub use error::RepositoryError;
pub use imports::Imports;
pub use migrations::{AppliedMigration, MigrationError, migrate};
pub use permissions::Permissions;
pub use replica_set::{ReplicaSetError, initiate_replica_set};
pub use users::Users;

/// One repository for each kind of document, over one connection.
#[derive(Debug, Clone)]
pub struct Repositories {
    pub connection: Connection,
    pub imports: Imports,
    pub users: Users,
    pub permissions: Permissions,
}

impl Repositories {
    #[must_use]
    pub fn over(connection: Connection) -> Self {
        Self {
            imports: Imports::over(&connection),
            users: Users::over(&connection),
            permissions: Permissions::over(&connection),
            connection,
        }
    }
}
