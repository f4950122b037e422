//! The roles of the workspace, `rocketchat_roles`.

use std::collections::BTreeSet;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::repository::{Connection, RepositoryError};

const COLLECTION: &str = "rocketchat_roles";

/// Reads roles.
#[derive(Debug, Clone)]
pub struct Roles {
    roles: Collection<Document>,
}

/// A role.
#[derive(Debug, Clone)]
pub struct Role {
    pub id: String,
    /// The name that people see.
    pub name: Option<String>,
}

impl Roles {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { roles: connection.collection(COLLECTION) }
    }

    /// The roles with one of these as their `_id` or their name.
    pub async fn called(&self, words: &BTreeSet<&str>) -> Result<Vec<Role>, RepositoryError> {
        let words: Vec<&str> = words.iter().copied().collect();
        let wanted = doc! { "$or": [{ "_id": { "$in": &words } }, { "name": { "$in": &words } }] };
        let found: Vec<Document> = self.roles.find(wanted).projection(doc! { "name": 1 }).await?.try_collect().await?;
        let roles = found.iter().filter_map(|role| {
            Some(Role { id: role.get_str("_id").ok()?.to_owned(), name: role.get_str("name").ok().map(str::to_owned) })
        });
        Ok(roles.collect())
    }
}
