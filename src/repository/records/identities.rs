//! The import ids and addresses of accounts, for comparing them with receipts.

use bson::{Document, doc};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mongodb::Collection;

use crate::repository::{Connection, RepositoryError, access::users::COLLECTION};

/// Reads the identities of accounts.
#[derive(Debug, Clone)]
pub struct Identities {
    accounts: Collection<Document>,
}

/// An account as others know it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The account's `_id`.
    pub id: String,
    pub import_ids: Vec<String>,
    pub emails: Vec<String>,
}

impl Identities {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { accounts: connection.collection(COLLECTION) }
    }

    /// Returns the `_id`s of those of these accounts that are active.
    ///
    /// # Errors
    /// As for every read.
    pub async fn active_among(&self, ids: &[&str]) -> Result<Vec<String>, RepositoryError> {
        let active = doc! { "_id": { "$in": ids }, "active": true };
        let found: Vec<Document> =
            self.accounts.find(active).projection(doc! { "_id": 1 }).await?.try_collect().await?;
        Ok(found.iter().filter_map(|account| account.get_str("_id").ok().map(str::to_owned)).collect())
    }

    /// Those of these accounts that are there, in any order, one at a time.
    pub async fn of(
        &self,
        ids: &[&str],
    ) -> Result<impl Stream<Item = Result<Identity, RepositoryError>> + Send + use<>, RepositoryError> {
        let shown = doc! { "importIds": 1, "emails.address": 1 };
        let found = self.accounts.find(doc! { "_id": { "$in": ids } }).projection(shown).await?;
        Ok(found.map(|account| Ok(identity_of(&account?))))
    }
}

fn identity_of(account: &Document) -> Identity {
    let list = |name: &str| account.get_array(name).into_iter().flatten();
    let address = |email: &bson::Bson| Some(email.as_document()?.get_str("address").ok()?.to_owned());
    Identity {
        id: account.get_str("_id").unwrap_or_default().to_owned(),
        import_ids: list("importIds").filter_map(|id| Some(id.as_str()?.to_owned())).collect(),
        emails: list("emails").filter_map(address).collect(),
    }
}
