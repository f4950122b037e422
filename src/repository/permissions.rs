//! What the roles of the workspace may do, `rocketchat_permissions`.

use bson::{RawDocument, RawDocumentBuf, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError};
use crate::domain::{permission::Permission, user::Caller};

const COLLECTION: &str = "rocketchat_permissions";

/// Reads permissions.
#[derive(Debug, Clone)]
pub struct Permissions {
    permissions: Collection<RawDocumentBuf>,
}

impl Permissions {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { permissions: connection.collection(COLLECTION) }
    }

    /// Whether one of the caller's roles has the permission right now. A permission that is not stored is nobody's.
    ///
    /// Source: `apps/meteor/server/services/authorization/service.ts`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_granted(&self, permission: Permission, caller: &Caller) -> Result<bool, RepositoryError> {
        if caller.roles.is_empty() {
            return Ok(false);
        }
        let granted = self
            .permissions
            .find_one(doc! { "_id": permission.id(), "roles": { "$in": &caller.roles } })
            .projection(doc! { "_id": 1 })
            .await?;
        Ok(granted.is_some())
    }
}

/// The texts in the array `field`. Anything else that is stored there names no role and is passed over.
pub(super) fn texts_in(document: &RawDocument, field: &str) -> Vec<String> {
    let Ok(Some(bson::RawBsonRef::Array(texts))) = document.get(field) else {
        return Vec::new();
    };
    texts.into_iter().filter_map(|text| Some(text.ok()?.as_str()?.to_owned())).collect()
}
