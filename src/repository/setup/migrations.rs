//! Bringing the database to what this service wants of it.
//!
//! Each file under `migrations/` is one MongoDB command in extended JSON; its number gives the order. The files are part
//! of the binary. Which of them were applied is recorded in a collection of our own, so that each is applied once.
//!
//! In Rocket.Chat's collections, migrations only make indexes that Rocket.Chat itself declares for them, with the same keys and
//! names: a Rocket.Chat that starts later finds them as its own. In collections of ours they make what our queries take.

use std::time::Duration;

use bson::{Bson, Document, doc};
use include_dir::{Dir, include_dir};
use mongodb::Collection;
use rand::random;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::repository::{
    Connection, RepositoryError,
    connection::error::{has_code, is_duplicate_key},
};

static MIGRATIONS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations");

/// Ours; Rocket.Chat does not know it.
const COLLECTION: &str = "rocketchat_import_service_migrations";
/// The record that says who is applying migrations, beside the records of those that were applied.
const LOCK_ID: &str = "lock";
/// After this long without an end the holder of the lock counts as dead.
const LOCK_LIFETIME: Duration = Duration::from_secs(60);
/// How long to wait for another instance that is at it. Longer than the lock of a dead one lasts.
const LOCK_PATIENCE: Duration = Duration::from_secs(90);
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// An index with this key is there under another name or with other options: what we want of it is there.
const INDEX_CONFLICTS: [i32; 2] = [85, 86];

/// One migration that this call applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The file's name without its ending.
    pub name: String,
}

/// The migrations could not be applied.
#[derive(Debug, Error)]
pub enum MigrationError {
    #[error("migration {file} is not a MongoDB command in extended JSON: {reason}")]
    Unreadable { file: String, reason: String },
    #[error("another instance has been applying migrations for more than {LOCK_PATIENCE:?}")]
    Locked,
    #[error(transparent)]
    Database(#[from] RepositoryError),
}

struct Migration {
    name: String,
    command: Document,
}

/// Applies the migrations that this database has not seen, in order, and says which.
///
/// Several instances may call it at once: one applies, the others wait and then find nothing to do.
///
/// # Errors
/// When the database does not answer or refuses, or another instance does not finish.
pub async fn migrate(connection: &Connection) -> Result<Vec<AppliedMigration>, MigrationError> {
    let migrations = embedded()?;
    let records = connection.collection(COLLECTION);
    if pending(&records, &migrations).await?.is_empty() {
        return Ok(Vec::new());
    }
    let holder = format!("{:016x}", random::<u64>());
    lock(&records, &holder).await?;
    let applied = apply_pending(connection, &records, &migrations).await;
    // Left to expire if this fails, and the failure before it matters more.
    let released = records.delete_one(doc! { "_id": LOCK_ID, "holder": holder }).await;
    let applied = applied?;
    released.map_err(RepositoryError::from)?;
    Ok(applied)
}

fn embedded() -> Result<Vec<Migration>, MigrationError> {
    let mut migrations = MIGRATIONS
        .files()
        .map(|file| {
            let path = file.path();
            let unreadable = |reason: String| MigrationError::Unreadable { file: path.display().to_string(), reason };
            let text = file.contents_utf8().ok_or_else(|| unreadable("not UTF-8".to_owned()))?;
            let command = read_command(text).map_err(unreadable)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Migration { name, command })
        })
        .collect::<Result<Vec<_>, MigrationError>>()?;
    migrations.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(migrations)
}

/// By way of a JSON value: read straight into a document, `-1` would become a 64-bit integer and be stored as such in
/// an index that Rocket.Chat declares with a 32-bit one.
fn read_command(text: &str) -> Result<Document, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match Bson::try_from(json) {
        Ok(Bson::Document(command)) => Ok(command),
        Ok(_) => Err("not an object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn pending<'a>(
    records: &Collection<Document>,
    migrations: &'a [Migration],
) -> Result<Vec<&'a Migration>, RepositoryError> {
    let known = records.distinct("_id", doc! {}).await?;
    Ok(migrations.iter().filter(|migration| !known.iter().any(|id| id.as_str() == Some(&migration.name))).collect())
}

async fn apply_pending(
    connection: &Connection,
    records: &Collection<Document>,
    migrations: &[Migration],
) -> Result<Vec<AppliedMigration>, MigrationError> {
    let mut applied = Vec::new();
    for migration in pending(records, migrations).await? {
        let result = connection.database().run_command(migration.command.clone()).await;
        match result {
            Err(error) if !has_code(&error, &INDEX_CONFLICTS) => return Err(RepositoryError::from(error).into()),
            _ => {}
        }
        records
            .insert_one(doc! { "_id": &migration.name, "appliedAt": bson::DateTime::now() })
            .await
            .map_err(RepositoryError::from)?;
        log::info!("applied migration {}", migration.name);
        applied.push(AppliedMigration { name: migration.name.clone() });
    }
    Ok(applied)
}

/// Takes the lock, by the database's clock so that instances need not agree on the time.
async fn lock(records: &Collection<Document>, holder: &str) -> Result<(), MigrationError> {
    let started = Instant::now();
    let lifetime = i64::try_from(LOCK_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    loop {
        let long_ago = bson::DateTime::from_millis(0);
        match records.insert_one(doc! { "_id": LOCK_ID, "until": long_ago }).await {
            Err(error) if !is_duplicate_key(&error) => return Err(RepositoryError::from(error).into()),
            _ => {}
        }
        let free = doc! { "_id": LOCK_ID, "$expr": { "$lt": ["$until", "$$NOW"] } };
        let take = doc! { "$set": { "holder": holder, "until": { "$add": ["$$NOW", lifetime] } } };
        let taken = records.update_one(free, vec![take]).await.map_err(RepositoryError::from)?;
        if taken.modified_count == 1 {
            return Ok(());
        }
        if started.elapsed() > LOCK_PATIENCE {
            return Err(MigrationError::Locked);
        }
        sleep(LOCK_RETRY_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_commands_in_the_order_of_their_numbers() {
        let migrations = embedded().unwrap();
        assert!(!migrations.is_empty());
        for (position, migration) in migrations.iter().enumerate() {
            let (number, _) = migration.name.split_once('_').unwrap();
            assert_eq!(number.parse::<usize>().unwrap(), position + 1, "{}", migration.name);
            assert_eq!(migration.command.keys().next().map(String::as_str), Some("createIndexes"));
        }
    }
}
