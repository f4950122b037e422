//! The accounts of the workspace, `users`.

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError, permissions::texts_in, shared_reads::SharedReads};
use crate::domain::user::{Caller, HashedLoginToken};

pub(super) const COLLECTION: &str = "users";

/// Reads users.
#[derive(Debug, Clone)]
pub struct Users {
    users: Collection<RawDocumentBuf>,
    by_token: SharedReads<(String, HashedLoginToken), Option<Caller>>,
}

impl Users {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { users: connection.collection(COLLECTION), by_token: SharedReads::default() }
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
        let (users, id, token) = (self.users.clone(), id.to_owned(), token.clone());
        let question = (id.clone(), token.clone());
        let read = || async move {
            let holder = doc! { "_id": &id, "services.resume.loginTokens.hashedToken": token.as_str() };
            let user = users.find_one(holder).projection(doc! { "roles": 1 }).await?;
            Ok(user.map(|user| Caller { id, roles: texts_in(&user, "roles") }))
        };
        self.by_token.get(question, read).await
    }
}
