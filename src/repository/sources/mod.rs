//! Which import ids came from which source, and the accounts of people whom their source no longer holds.

mod deactivations;

use std::collections::HashSet;

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::{
    domain::field_value::Date,
    repository::{
        Connection, Part, RepositoryError,
        access::users,
        connection::error::{are_only_duplicate_keys, is_duplicate_key},
        records::is_active,
    },
};

pub use deactivations::{Deactivation, Deactivations, Leaver};

/// Ours, kept without end.
const COLLECTION: &str = "rocketchat_import_service_sources";
/// As many import ids go into one command.
const AT_A_TIME: usize = 1000;

/// Reads and writes which import ids came from which source.
#[derive(Debug, Clone)]
pub struct Sources {
    entries: Collection<Document>,
    accounts: Collection<Document>,
}

/// An import id that came from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    pub import_id: String,
    /// Whether the source no longer held it in a former run, and what follows from that was done.
    pub has_left: bool,
}

/// What was done when a source no longer held an import id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftEntry {
    pub import_id: String,
    pub at: Date,
    /// The `_id` of the account, if there was an active one.
    pub account: Option<String>,
    /// `deactivated`, `inactive` (it was so before), `elsewhere` (another source holds the person) or `gone` (there was no
    /// account).
    pub outcome: String,
}

/// An account with import ids of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAccount {
    /// Its `_id`.
    pub id: String,
    pub username: Option<String>,
    pub import_ids: Vec<String>,
    pub is_active: bool,
}

impl Sources {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { entries: connection.collection(COLLECTION), accounts: connection.collection(users::COLLECTION) }
    }

    /// All import ids that ever came from the source.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entries(&self, source: &str) -> Result<Vec<SourceEntry>, RepositoryError> {
        let mut found = self.entries.find(doc! { "source": source }).projection(doc! { "left": 1 }).await?;
        let mut entries = Vec::new();
        while let Some(entry) = found.try_next().await? {
            let has_left = entry.contains_key("left");
            entries.extend(import_id_of(&entry).map(|import_id| SourceEntry { import_id, has_left }));
        }
        Ok(entries)
    }

    /// Those whom the source no longer holds, by their import ids, and their number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn left(&self, source: &str, part: Part) -> Result<(Vec<LeftEntry>, u64), RepositoryError> {
        let wanted = doc! { "source": source, "left": { "$exists": true } };
        let total = self.entries.count_documents(wanted.clone()).await?;
        let query = self.entries.find(wanted).sort(doc! { "_id": 1 }).skip(part.offset);
        let limit = i64::try_from(part.limit).unwrap_or(i64::MAX);
        let mut found = query.limit(limit).await?;
        let mut left = Vec::new();
        while let Some(entry) = found.try_next().await? {
            left.extend(read_left(&entry));
        }
        Ok((left, total))
    }

    /// Returns those of these import ids that another source holds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held_by_others(&self, source: &str, import_ids: &[&str]) -> Result<HashSet<String>, RepositoryError> {
        let mut held = HashSet::new();
        for part in import_ids.chunks(AT_A_TIME) {
            let by_others =
                doc! { "_id.importId": { "$in": part }, "source": { "$ne": source }, "left": { "$exists": false } };
            let mut found = self.entries.find(by_others).projection(doc! { "_id": 1 }).await?;
            while let Some(entry) = found.try_next().await? {
                held.extend(import_id_of(&entry));
            }
        }
        Ok(held)
    }

    /// Stores that these import ids came from the source. Those that are stored already stay as they are.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn add(&self, source: &str, import_ids: &[&str]) -> Result<(), RepositoryError> {
        for part in import_ids.chunks(AT_A_TIME) {
            let since = DateTime::now();
            let entries = part.iter().map(|id| doc! { "_id": key(source, id), "source": source, "since": since });
            match self.entries.insert_many(entries).ordered(false).await {
                // Another call stored the same.
                Err(error) if !(are_only_duplicate_keys(&error) || is_duplicate_key(&error)) => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Stores that the source no longer holds these import ids, where there was no account to deactivate.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn mark_left(&self, source: &str, import_ids: &[&str], outcome: &str) -> Result<(), RepositoryError> {
        let left = doc! { "$set": { "left": { "at": DateTime::now(), "outcome": outcome } } };
        for part in import_ids.chunks(AT_A_TIME) {
            self.entries.update_many(keys(source, part), left.clone()).await?;
        }
        Ok(())
    }

    /// Stores that the source holds these import ids again.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn mark_back(&self, source: &str, import_ids: &[&str]) -> Result<(), RepositoryError> {
        for part in import_ids.chunks(AT_A_TIME) {
            self.entries.update_many(keys(source, part), doc! { "$unset": { "left": 1 } }).await?;
        }
        Ok(())
    }

    /// The accounts with one of these import ids; one may come more than once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn accounts(&self, import_ids: &[&str]) -> Result<Vec<SourceAccount>, RepositoryError> {
        let mut accounts = Vec::new();
        for part in import_ids.chunks(AT_A_TIME) {
            let shown = doc! { "username": 1, "importIds": 1, "active": 1 };
            let mut found = self.accounts.find(doc! { "importIds": { "$in": part } }).projection(shown).await?;
            while let Some(account) = found.try_next().await? {
                accounts.extend(read_account(&account));
            }
        }
        Ok(accounts)
    }
}

fn import_id_of(entry: &Document) -> Option<String> {
    Some(entry.get_document("_id").ok()?.get_str("importId").ok()?.to_owned())
}

fn read_left(entry: &Document) -> Option<LeftEntry> {
    let left = entry.get_document("left").ok()?;
    Some(LeftEntry {
        import_id: import_id_of(entry)?,
        at: Date::from_epoch_millis(left.get_datetime("at").ok()?.timestamp_millis()),
        account: left.get_str("account").ok().map(str::to_owned),
        outcome: left.get_str("outcome").ok()?.to_owned(),
    })
}

fn read_account(account: &Document) -> Option<SourceAccount> {
    let ids = account.get_array("importIds").ok()?;
    Some(SourceAccount {
        id: account.get_str("_id").ok()?.to_owned(),
        username: account.get_str("username").ok().map(str::to_owned),
        import_ids: ids.iter().filter_map(Bson::as_str).map(str::to_owned).collect(),
        is_active: is_active(account),
    })
}

/// Whether somebody may sign in. Rocket.Chat refuses nobody whose account says nothing of that.
fn key(source: &str, import_id: &str) -> Document {
    doc! { "source": source, "importId": import_id }
}

fn keys<'a>(source: &str, import_ids: impl IntoIterator<Item = &'a &'a str>) -> Document {
    let keys: Vec<Document> = import_ids.into_iter().map(|id| key(source, id)).collect();
    doc! { "_id": { "$in": keys } }
}
