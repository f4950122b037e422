//! The accounts of the workspace, `users`.

use std::{collections::HashMap, sync::Arc};

use bson::RawDocumentBuf;
use mongodb::Collection;

use crate::{
    domain::caller::{Caller, HashedLoginToken},
    repository::{
        Connection, RepositoryError,
        access::token_holders::{self, Claim},
        connection::shared_reads::SharedReads,
    },
};

pub(in crate::repository) const COLLECTION: &str = "users";

/// Reads users.
#[derive(Debug, Clone)]
pub struct Users {
    accounts: Collection<RawDocumentBuf>,
    callers: SharedReads<Claim, Arc<HashMap<Claim, Caller>>>,
}

impl Users {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { accounts: connection.collection(COLLECTION), callers: SharedReads::default() }
    }

    /// Returns the user `id`, if it holds the login token or personal access token. Callers who wait at the same time
    /// share one read, however different they are.
    ///
    /// As in Rocket.Chat nothing else counts: not the token's age, nor whether the user is active (deactivation removes
    /// the tokens). Source: `apps/meteor/app/api/server/ApiClass.ts` (`authenticatedRoute`).
    pub async fn find_by_login_token(
        &self,
        id: &str,
        token: &HashedLoginToken,
    ) -> Result<Option<Caller>, RepositoryError> {
        let claim = (id.to_owned(), token.clone());
        let accounts = self.accounts.clone();
        let read = |claims| async move { token_holders::find(&accounts, claims).await.map(Arc::new) };
        Ok(self.callers.look_up(claim.clone(), read).await?.get(&claim).cloned())
    }
}
