//! What the roles of the workspace may do, `rocketchat_permissions`.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bson::{RawDocument, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::{
    domain::caller::Permission,
    repository::{Connection, RepositoryError, connection::shared_reads::SharedReads},
};

const COLLECTION: &str = "rocketchat_permissions";

/// The roles that have each permission. A permission that is not stored is absent.
type Holders = HashMap<Permission, Arc<[String]>>;

/// Reads permissions.
#[derive(Debug, Clone)]
pub struct Permissions {
    permissions: Collection<RawDocumentBuf>,
    holders: SharedReads<Permission, Arc<Holders>>,
}

impl Permissions {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { permissions: connection.collection(COLLECTION), holders: SharedReads::default() }
    }

    /// Returns the roles that have the permission right now. A permission that is not stored is nobody's.
    pub async fn holders(&self, permission: Permission) -> Result<Arc<[String]>, RepositoryError> {
        let permissions = self.permissions.clone();
        let read = |wanted| async move { find(&permissions, wanted).await.map(Arc::new) };
        Ok(self.holders.look_up(permission, read).await?.get(&permission).cloned().unwrap_or_default())
    }
}

async fn find(
    permissions: &Collection<RawDocumentBuf>,
    wanted: HashSet<Permission>,
) -> Result<Holders, RepositoryError> {
    let ids: Vec<&str> = wanted.iter().map(|permission| permission.id()).collect();
    let found = permissions.find(doc! { "_id": { "$in": ids } }).projection(doc! { "roles": 1 }).await?;
    let found: Vec<RawDocumentBuf> = found.try_collect().await?;
    let holders_of = |permission: Permission| {
        let stored = found.iter().find(|stored| stored.get_str("_id").is_ok_and(|id| id == permission.id()))?;
        Some((permission, texts_in(stored, "roles").into()))
    };
    Ok(wanted.into_iter().filter_map(holders_of).collect())
}

/// The texts in the array `field`. Anything else that is stored there names no role and is passed over.
pub(in crate::repository) fn texts_in(document: &RawDocument, field: &str) -> Vec<String> {
    let Ok(Some(bson::RawBsonRef::Array(texts))) = document.get(field) else {
        return Vec::new();
    };
    texts.into_iter().filter_map(|text| Some(text.ok()?.as_str()?.to_owned())).collect()
}
