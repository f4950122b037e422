//! The preparation of a database: its replica set, indexes, example data, and the database user of this service.

mod database_user;
pub mod example_workspace;
mod migrations;
pub(crate) mod preparation;
mod privileges;
mod readiness;
mod replica_set;

pub use database_user::{DatabaseUser, DatabaseUserError, Made, Purpose};
pub use migrations::{MigrationError, migrate};
pub(crate) use privileges::{MissingPrivilege, Work};
pub(crate) use readiness::Readiness;
pub use replica_set::{initiate_replica_set, initiate_replica_set_at};
