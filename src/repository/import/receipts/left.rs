//! Accounts that were deactivated beside the records of an operation, since a source no longer holds their people.
//!
//! Each stands in a document of its own, which the transaction of the deactivation stores: both are there or neither.

use std::collections::VecDeque;

use bson::{DateTime, Document, doc};
use futures::{Stream, TryStreamExt as _, stream};

use super::{Receipts, expiry};
use crate::repository::{RepositoryError, connection::timeouts::with_default_timeout, import::part::Part};

/// Documents that one query reads.
const READ_AT_A_TIME: u64 = 500;

/// An account that was deactivated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAccount {
    /// The account's `_id`.
    pub id: String,
    pub username: Option<String>,
    /// The import ids that came from the source.
    pub import_ids: Vec<String>,
    /// The name of the source.
    pub source: String,
}

impl Receipts {
    /// Returns the document that says so in the receipt of the operation.
    pub(in crate::repository) fn of_left(&self, operation: &str, left: &LeftAccount) -> Document {
        let at = DateTime::now();
        let mut document = doc! {
            "_id": format!("{}{}", prefix(operation), left.id),
            "left": { "account": &left.id, "importIds": &left.import_ids, "source": &left.source },
            "at": at,
            "expires": expiry(at, self.lifetime),
        };
        if let (Some(username), Ok(left)) = (&left.username, document.get_document_mut("left")) {
            left.insert("username", username);
        }
        document
    }

    /// Returns how many accounts were deactivated with the operation.
    ///
    /// # Errors
    /// As for every read.
    pub async fn count_left(&self, operation: &str) -> Result<u64, RepositoryError> {
        Ok(self.receipts.count_documents(after(operation, "")).await?)
    }

    /// Reads the accounts that were deactivated with the operation, by their `_id`s, some at a time. No cursor stays open.
    pub fn left(
        &self,
        operation: &str,
        Part { offset, limit }: Part,
    ) -> impl Stream<Item = Result<LeftAccount, RepositoryError>> + Send + use<> {
        let reading = Reading {
            receipts: self.clone(),
            operation: operation.to_owned(),
            last: String::new(),
            offset,
            left: limit,
            read: VecDeque::new(),
        };
        stream::try_unfold(
            reading,
            |mut reading| async move { Ok(reading.next().await?.map(|account| (account, reading))) },
        )
    }
}

struct Reading {
    receipts: Receipts,
    operation: String,
    /// The account that was read last.
    last: String,
    offset: u64,
    left: u64,
    read: VecDeque<LeftAccount>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<LeftAccount>, RepositoryError> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.read.is_empty() {
            self.read = with_default_timeout(self.read_some()).await?.into();
            self.offset = 0;
        }
        let Some(account) = self.read.pop_front() else { return Ok(None) };
        self.left -= 1;
        self.last.clone_from(&account.id);
        Ok(Some(account))
    }

    async fn read_some(&self) -> Result<Vec<LeftAccount>, RepositoryError> {
        let documents = self.receipts.receipts.clone_with_type::<Document>();
        let found = documents.find(after(&self.operation, &self.last)).sort(doc! { "_id": 1 }).skip(self.offset);
        let limit = i64::try_from(READ_AT_A_TIME.min(self.left)).unwrap_or(i64::MAX);
        let found: Vec<Document> = found.limit(limit).await?.try_collect().await?;
        Ok(found.iter().filter_map(left_account).collect())
    }
}

fn left_account(stored: &Document) -> Option<LeftAccount> {
    let left = stored.get_document("left").ok()?;
    let text = |name: &str| left.get_str(name).ok().map(str::to_owned);
    let import_ids = left.get_array("importIds").into_iter().flatten();
    Some(LeftAccount {
        id: text("account")?,
        username: text("username"),
        import_ids: import_ids.filter_map(|id| id.as_str().map(str::to_owned)).collect(),
        source: text("source")?,
    })
}

/// The beginning of the ids of these documents. Not among the ids of batches.
fn prefix(operation: &str) -> String {
    format!("{operation}#left:")
}

/// Those after the one of this account. `;` follows the colon.
fn after(operation: &str, account: &str) -> Document {
    doc! { "_id": { "$gt": format!("{}{account}", prefix(operation)), "$lt": format!("{operation}#left;") } }
}
