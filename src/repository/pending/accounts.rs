//! The accounts that wait for pictures.

use bson::{DateTime, Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use super::worklist::Worklists;
use crate::{
    domain::field_value::{FieldValue, Fields},
    repository::{Connection, RepositoryError, access::users::COLLECTION, bson::read::read_fields},
};

/// Accounts that are listed together.
const LISTED_AT_A_TIME: usize = 1000;
const ADDRESS: &str = "_pendingAvatarUrl";

/// Reads and changes accounts that wait for pictures.
#[derive(Debug, Clone)]
pub struct PendingAccounts {
    accounts: Collection<RawDocumentBuf>,
}

/// An account that is listed as waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingAccount {
    pub id: String,
    /// Empty for an account without a user name.
    pub username: String,
    /// Where the picture is. It may hold a token.
    pub address: String,
}

impl PendingAccounts {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { accounts: connection.collection(COLLECTION) }
    }

    /// Returns the number of accounts that wait for pictures.
    pub async fn count(&self) -> Result<u64, RepositoryError> {
        Ok(self.accounts.count_documents(waiting()).await?)
    }

    /// Lists every account that waits for a picture as one of the operation's.
    ///
    /// # Errors
    /// Some may have been listed all the same.
    pub async fn list(&self, worklists: &Worklists, operation: &str) -> Result<(), RepositoryError> {
        let accounts = self.accounts.clone_with_type::<Document>();
        let mut found = accounts.find(waiting()).projection(doc! { "_id": 1 }).await?;
        let mut records = Vec::new();
        while let Some(account) = found.try_next().await? {
            let Ok(id) = account.get_str("_id") else { continue };
            records.push((id.to_owned(), id.to_owned()));
            if records.len() == LISTED_AT_A_TIME {
                worklists.add(operation, &records).await?;
                records.clear();
            }
        }
        worklists.add(operation, &records).await
    }

    /// Returns the account if it waits still.
    pub async fn find(&self, id: &str) -> Result<Option<PendingAccount>, RepositoryError> {
        let mut waiting = waiting();
        waiting.insert("_id", id);
        let shown = doc! { "username": 1, ADDRESS: 1 };
        let Some(account) = self.accounts.find_one(waiting).projection(shown).await? else { return Ok(None) };
        let account: Fields =
            read_fields(&account).map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
        let text = |name: &str| account.get(name).and_then(FieldValue::as_text).unwrap_or_default().to_owned();
        Ok(Some(PendingAccount { id: id.to_owned(), username: text("username"), address: text(ADDRESS) }))
    }

    /// Gives the account its picture and has it wait no more, in one step. False if the account is gone.
    pub async fn show(&self, id: &str, etag: &str) -> Result<bool, RepositoryError> {
        let fields = doc! { "avatarOrigin": "url", "avatarETag": etag, "_updatedAt": DateTime::now() };
        let change = doc! { "$set": fields, "$unset": { ADDRESS: "" } };
        Ok(self.accounts.update_one(doc! { "_id": id }, change).await?.matched_count == 1)
    }

    /// Has the account, which has a picture of its own, wait no more.
    pub async fn forget(&self, id: &str) -> Result<(), RepositoryError> {
        let change = doc! { "$set": { "_updatedAt": DateTime::now() }, "$unset": { ADDRESS: "" } };
        self.accounts.update_one(doc! { "_id": id }, change).await?;
        Ok(())
    }
}

/// Source: `packages/models/src/models/Users.ts` (`findAllUsersWithPendingAvatar`).
fn waiting() -> Document {
    doc! { ADDRESS: { "$exists": true } }
}
