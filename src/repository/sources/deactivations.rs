//! The deactivation of people whom their source no longer holds, in one transaction for each account.

use std::collections::HashSet;

use bson::{DateTime, Document, doc};
use mongodb::{ClientSession, Collection, error::Result as DriverResult};

use super::{COLLECTION, keys};
use crate::repository::{
    Connection, LeftAccount, Receipts, RepositoryError,
    access::users,
    import::RECEIPTS,
    records::{Activity, Leave, Succession},
};

/// Deactivates accounts.
#[derive(Debug, Clone)]
pub struct Deactivations {
    connection: Connection,
    entries: Collection<Document>,
    accounts: Collection<Document>,
    activity: Activity,
    receipts: Collection<Document>,
}

/// The account of somebody whom the source no longer holds.
#[derive(Debug, Clone, Copy)]
pub struct Leaver<'a> {
    /// The account's `_id`.
    pub account: &'a str,
    pub source: &'a str,
    /// The import ids that came from the source.
    pub import_ids: &'a [String],
    /// The operation in whose receipt the deactivation stands.
    pub operation: Option<&'a str>,
}

/// What becomes of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deactivation {
    Deactivated(Succession),
    /// It was inactive before.
    Inactive,
    /// There is no such account any more.
    Gone,
    /// Nobody would administrate the workspace any more.
    LastAdministrator,
    /// Another server has the say.
    Federated,
}

impl Deactivations {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            entries: connection.collection(COLLECTION),
            accounts: connection.collection(users::COLLECTION),
            activity: Activity::new(connection),
            receipts: connection.collection(RECEIPTS),
        }
    }

    /// Says what [`Deactivations::deactivate`] would do once the accounts `gone` are deactivated.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn foresee(&self, leaver: Leaver<'_>, gone: &HashSet<String>) -> Result<Deactivation, RepositoryError> {
        let mut session = self.connection.session().await?;
        Ok(self.activity.look_at(&mut session, leaver.account, gone).await?.into())
    }

    /// Deactivates the account and stores with its import ids that this was done: both or nothing.
    ///
    /// # Errors
    /// When the database does not answer. It may have been done all the same.
    pub async fn deactivate(&self, leaver: Leaver<'_>, receipts: &Receipts) -> Result<Deactivation, RepositoryError> {
        let mut outcome = Deactivation::Gone;
        self.connection
            .transaction(async |session| {
                outcome = self.deactivate_within(session, leaver, receipts).await?;
                Ok(())
            })
            .await?;
        Ok(outcome)
    }

    async fn deactivate_within(
        &self,
        session: &mut ClientSession,
        leaver: Leaver<'_>,
        receipts: &Receipts,
    ) -> DriverResult<Deactivation> {
        let Leaver { account, source, import_ids, operation } = leaver;
        let now = DateTime::now();
        let outcome = match self.activity.look_at(session, account, &HashSet::new()).await? {
            Leave::Possible(leaving) => {
                // REST looks at nothing but the tokens.
                let change = doc! { "$set": { "active": false, "services.resume.loginTokens": [], "_updatedAt": now } };
                self.accounts.update_one(doc! { "_id": account }, change).session(&mut *session).await?;
                self.activity.end(session, account, &leaving, now).await?;
                if let Some(operation) = operation {
                    let (id, source) = (account.to_owned(), source.to_owned());
                    let import_ids = import_ids.to_vec();
                    let left = LeftAccount { id, username: leaving.username.clone(), import_ids, source };
                    self.note(session, receipts.of_left(operation, &left)).await?;
                }
                Deactivation::Deactivated(leaving.succession)
            }
            other => other.into(),
        };
        if let Some(word) = outcome.left_word() {
            let left = doc! { "$set": { "left": { "at": now, "account": account, "outcome": word } } };
            let ids: Vec<&str> = import_ids.iter().map(String::as_str).collect();
            self.entries.update_many(keys(source, &ids), left).session(&mut *session).await?;
        }
        Ok(outcome)
    }

    /// Stores what the receipt says, unless it says so already.
    async fn note(&self, session: &mut ClientSession, receipt: Document) -> DriverResult<()> {
        let same = doc! { "_id": receipt.get_str("_id").unwrap_or_default() };
        if self.receipts.find_one(same).session(&mut *session).await?.is_none() {
            self.receipts.insert_one(receipt).session(&mut *session).await?;
        }
        Ok(())
    }
}

impl From<Leave> for Deactivation {
    fn from(leave: Leave) -> Self {
        match leave {
            Leave::Gone => Self::Gone,
            Leave::Inactive => Self::Inactive,
            Leave::Federated => Self::Federated,
            Leave::LastAdministrator => Self::LastAdministrator,
            Leave::Possible(leaving) => Self::Deactivated(leaving.succession),
        }
    }
}

impl Deactivation {
    /// The word that is stored where nothing is left to do for the account.
    const fn left_word(&self) -> Option<&'static str> {
        match self {
            Self::Deactivated(_) => Some("deactivated"),
            Self::Inactive => Some("inactive"),
            Self::Gone => Some("gone"),
            Self::LastAdministrator | Self::Federated => None,
        }
    }
}
