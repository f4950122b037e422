//! Making a replica set of one out of a fresh `mongod`, without a shell beside it.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{Client, options::ClientOptions};
use thiserror::Error;
use tokio::time::{Instant, sleep};

/// The time between two looks at whether the server got there.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// `replSetInitiate` answers this when the set was made before.
const ALREADY_INITIALIZED: i32 = 23;
const UNAUTHORIZED: i32 = 13;
/// What sets are called in the documentation.
const DEFAULT_NAME: &str = "rs0";

/// The server did not become the primary of a replica set of one.
#[derive(Debug, Error)]
#[error("{member} did not become the primary of a replica set within {patience:?}: {reason}")]
pub struct ReplicaSetError {
    member: String,
    patience: Duration,
    reason: String,
}

/// Waits for the `mongod` at `member` (`host:port`, as other members and clients will know it), makes it a replica set
/// of one unless it belongs to a set already, and waits until it takes writes.
///
/// The server must have been started with `--replSet`; the set gets the name given there.
///
/// # Errors
/// When it does not take writes within `patience`.
pub async fn initiate_replica_set(member: &str, patience: Duration) -> Result<(), ReplicaSetError> {
    initiate_replica_set_at(member, member, patience).await
}

/// The same by way of another `address` of the server: one that wants to know its users lets nobody do this but somebody who
/// comes from its own machine.
///
/// # Errors
/// When it does not take writes within `patience`.
pub async fn initiate_replica_set_at(address: &str, member: &str, patience: Duration) -> Result<(), ReplicaSetError> {
    let started = Instant::now();
    loop {
        let reason = match make_primary(address, member).await {
            Ok(true) => return Ok(()),
            Ok(false) => "the election is not over".to_owned(),
            Err(error) => error.kind.to_string(),
        };
        if started.elapsed() > patience {
            return Err(ReplicaSetError { member: member.to_owned(), patience, reason });
        }
        sleep(RETRY_INTERVAL).await;
    }
}

/// Whether the server is the primary by now.
async fn make_primary(address: &str, member: &str) -> mongodb::error::Result<bool> {
    let mut options = ClientOptions::parse(format!("mongodb://{address}/?directConnection=true")).await?;
    options.server_selection_timeout = Some(Duration::from_secs(2));
    let client = Client::with_options(options)?;
    let admin = client.database("admin");
    let hello = admin.run_command(doc! { "hello": 1 }).await?;
    if hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return Ok(hello.contains_key("setName"));
    }
    if hello.contains_key("setName") {
        return Ok(false);
    }
    // Without a member list the set would be known by the machine's host name, which clients may not resolve.
    let name = configured_set_name(&admin).await?;
    let config = doc! { "_id": name, "members": [{ "_id": 0, "host": member }] };
    match admin.run_command(doc! { "replSetInitiate": config }).await {
        Err(error) if error_code(&error) != Some(ALREADY_INITIALIZED) => Err(error),
        _ => Ok(false),
    }
}

/// The name given to the server with `--replSet`.
async fn configured_set_name(admin: &mongodb::Database) -> mongodb::error::Result<String> {
    let options = match admin.run_command(doc! { "getCmdLineOpts": 1 }).await {
        // Before it has users it tells nobody.
        Err(error) if error_code(&error) == Some(UNAUTHORIZED) => Document::new(),
        options => options?,
    };
    let replication = options.get_document("parsed").and_then(|parsed| parsed.get_document("replication"));
    let name = replication
        .and_then(|replication| replication.get_str("replSet").or_else(|_| replication.get_str("replSetName")));
    Ok(name.unwrap_or(DEFAULT_NAME).to_owned())
}

fn error_code(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        mongodb::error::ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}
