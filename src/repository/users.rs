//! The accounts of the workspace, `users`.

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;

use super::{
    Connection, RepositoryError, permissions::texts_in, shared_reads::SharedReads, token_holders::TokenHolders,
};
use crate::domain::user::{Caller, HashedLoginToken};

pub(super) const COLLECTION: &str = "users";

/// Reads users.
#[derive(Debug, Clone)]
pub struct Users {
    accounts: Collection<RawDocumentBuf>,
    by_token: SharedReads<(String, HashedLoginToken), Option<Caller>>,
    token_holders: TokenHolders,
}

impl Users {
    pub(super) fn over(connection: &Connection) -> Self {
        let accounts = connection.collection(COLLECTION);
        let token_holders = TokenHolders::over(accounts.clone());
        Self { accounts, by_token: SharedReads::default(), token_holders }
    }

    /// The user `id`, if it holds the login token or personal access token.
    ///
    /// As in Rocket.Chat nothing else counts: not the token's age, nor whether the user is active (deactivation removes
    /// the tokens). Source: `apps/meteor/app/api/server/ApiClass.ts` (`authenticatedRoute`).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_by_login_token(
        &self,
        id: &str,
        token: &HashedLoginToken,
    ) -> Result<Option<Caller>, RepositoryError> {
        let (accounts, id, token) = (self.accounts.clone(), id.to_owned(), token.clone());
        let question = (id.clone(), token.clone());
        let read = || async move {
            let holder = doc! { "_id": &id, "services.resume.loginTokens.hashedToken": token.as_str() };
            let user = accounts.find_one(holder).projection(doc! { "roles": 1 }).await?;
            Ok(user.map(|user| Caller { id, roles: texts_in(&user, "roles") }))
        };
        self.by_token.get(question, read).await
    }

    /// The same for many different users at once, at the cost of a single read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_by_login_token_among_many(
        &self,
        id: &str,
        token: &HashedLoginToken,
    ) -> Result<Option<Caller>, RepositoryError> {
        self.token_holders.find((id.to_owned(), token.clone())).await
    }
}
