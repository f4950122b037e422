//! The accounts of the workspace, `users`.

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError, permissions::texts_in};
use crate::domain::user::{Caller, HashedLoginToken};

pub(super) const COLLECTION: &str = "users";

/// Reads users.
#[derive(Debug, Clone)]
pub struct Users {
    users: Collection<RawDocumentBuf>,
}

impl Users {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { users: connection.collection(COLLECTION) }
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
        let user = self
            .users
            .find_one(doc! { "_id": id, "services.resume.loginTokens.hashedToken": token.as_str() })
            .projection(doc! { "roles": 1 })
            .await?;
        Ok(user.map(|user| Caller { id: id.to_owned(), roles: texts_in(&user, "roles") }))
    }
}
