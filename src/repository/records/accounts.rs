//! Making accounts, `users`.

use std::collections::HashSet;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use mongodb::{Collection, error::ErrorKind};

use crate::{
    domain::field_value::Fields,
    repository::{
        Connection, RepositoryError,
        access::users::COLLECTION,
        bson::write::AsDocument,
        connection::error::{DUPLICATE_KEY, is_about_operation},
    },
};

/// Writes accounts.
#[derive(Debug, Clone)]
pub struct Accounts {
    accounts: Collection<Document>,
}

/// An account the database did not take.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Its place in the list that was handed over.
    pub position: usize,
    /// Why, without any of its values, some of which must not be shown.
    pub reason: String,
}

/// An account that holds a user name or an address.
#[derive(Debug, Clone)]
pub struct Holder {
    pub id: String,
    pub username: Option<String>,
    pub emails: Vec<String>,
}

impl Accounts {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { accounts: connection.collection(COLLECTION) }
    }

    /// Stores new accounts, each on its own: those that the database refuses do not keep the others out.
    ///
    /// A majority has stored them when this returns. Their receipt is written next, perhaps on another primary by then,
    /// which must not be without them.
    ///
    /// # Errors
    /// When the database does not answer. Some may have been stored all the same.
    pub async fn insert(&self, accounts: &[&Fields]) -> Result<Vec<Rejection>, RepositoryError> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let documents: Vec<AsDocument<'_>> = accounts.iter().map(|account| AsDocument(account)).collect();
        let collection = self.accounts.clone_with_type::<AsDocument<'_>>();
        let insertion = collection.insert_many(documents).ordered(false).await;
        let Err(error) = insertion else { return Ok(Vec::new()) };
        match error.kind.as_ref() {
            ErrorKind::InsertMany(failure)
                if failure.write_concern_error.is_none()
                    && !failure.write_errors.iter().flatten().any(|error| is_about_operation(error.code)) =>
            {
                let rejections = failure.write_errors.iter().flatten();
                Ok(rejections
                    .map(|rejection| Rejection {
                        position: rejection.index,
                        reason: reason_of(rejection.code, &rejection.message),
                    })
                    .collect())
            }
            _ => Err(error.into()),
        }
    }

    /// Which of these ids belong to an account.
    pub async fn existing(&self, ids: &[&str]) -> Result<HashSet<String>, RepositoryError> {
        let found = self.accounts.find(doc! { "_id": { "$in": ids } }).projection(doc! { "_id": 1 }).await?;
        let ids = found.try_filter_map(|account| async move { Ok(account.get_str("_id").ok().map(str::to_owned)) });
        Ok(ids.try_collect().await?)
    }

    /// The accounts that hold one of these user names or addresses, letter by letter.
    pub async fn holders(&self, usernames: &[&str], emails: &[&str]) -> Result<Vec<Holder>, RepositoryError> {
        let wanted = doc! { "$or": [{ "username": { "$in": usernames } }, { "emails.address": { "$in": emails } }] };
        let shown = doc! { "username": 1, "emails.address": 1 };
        let found: Vec<Document> = self.accounts.find(wanted).projection(shown).await?.try_collect().await?;
        Ok(found.iter().map(holder_of).collect())
    }
}

fn holder_of(account: &Document) -> Holder {
    let addresses = account.get_array("emails").into_iter().flatten();
    Holder {
        id: account.get_str("_id").unwrap_or_default().to_owned(),
        username: account.get_str("username").ok().map(str::to_owned),
        emails: addresses.filter_map(|email| Some(email.as_document()?.get_str("address").ok()?.to_owned())).collect(),
    }
}

/// The database's words quote the value, which may be a login token's hash; its name is enough.
pub(super) fn reason_of(code: i32, message: &str) -> String {
    let index = message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next());
    match (code, index) {
        (DUPLICATE_KEY, Some(index)) => format!("Another user has the same value (unique index {index})."),
        (DUPLICATE_KEY, None) => "Another user has the same value in a unique field.".to_owned(),
        _ => format!("The database refused the user (code {code})."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_index_but_not_the_value() {
        let message = "E11000 duplicate key error collection: rc.users index: \
                       services.resume.loginTokens.hashedToken_1 dup key: { : \"secret\" }";
        let reason = reason_of(DUPLICATE_KEY, message);
        assert_eq!(reason, "Another user has the same value (unique index services.resume.loginTokens.hashedToken_1).");
    }
}
