//! What the roles of the workspace may do, `rocketchat_permissions`.

use std::sync::Arc;

use bson::{RawDocument, RawDocumentBuf, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError, shared_reads::SharedReads};
use crate::domain::permission::Permission;

const COLLECTION: &str = "rocketchat_permissions";

/// Reads permissions.
#[derive(Debug, Clone)]
pub struct Permissions {
    permissions: Collection<RawDocumentBuf>,
    holders: SharedReads<Permission, Arc<[String]>>,
}

impl Permissions {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { permissions: connection.collection(COLLECTION), holders: SharedReads::default() }
    }

    /// The roles that have the permission right now. A permission that is not stored is nobody's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn holders(&self, permission: Permission) -> Result<Arc<[String]>, RepositoryError> {
        let permissions = self.permissions.clone();
        let read = move || async move {
            let stored = permissions.find_one(doc! { "_id": permission.id() }).projection(doc! { "roles": 1 }).await?;
            Ok(stored.map(|stored| texts_in(&stored, "roles")).unwrap_or_default().into())
        };
        self.holders.get(permission, read).await
    }
}

/// The texts in the array `field`. Anything else that is stored there names no role and is passed over.
pub(super) fn texts_in(document: &RawDocument, field: &str) -> Vec<String> {
    let Ok(Some(bson::RawBsonRef::Array(texts))) = document.get(field) else {
        return Vec::new();
    };
    texts.into_iter().filter_map(|text| Some(text.ok()?.as_str()?.to_owned())).collect()
}
