//! The roles of the workspace, `rocketchat_roles`.

use std::collections::BTreeSet;

use bson::{Document, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError};

const COLLECTION: &str = "rocketchat_roles";

/// Reads roles.
#[derive(Debug, Clone)]
pub struct Roles {
    roles: Collection<Document>,
}

impl Roles {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { roles: connection.collection(COLLECTION) }
    }

    /// Whether every one of these is the `_id` of a role.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn all_exist(&self, ids: &BTreeSet<&str>) -> Result<bool, RepositoryError> {
        let wanted: Vec<&str> = ids.iter().copied().collect();
        let found = self.roles.count_documents(doc! { "_id": { "$in": wanted } }).await?;
        Ok(usize::try_from(found) == Ok(ids.len()))
    }
}
