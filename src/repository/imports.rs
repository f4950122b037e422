//! The import operations, `rocketchat_import`.

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;

use super::{Connection, RepositoryError, bson_fields::read_fields};
use crate::domain::operation::Operation;

const COLLECTION: &str = "rocketchat_import";

/// Reads import operations.
#[derive(Debug, Clone)]
pub struct Imports {
    operations: Collection<RawDocumentBuf>,
}

impl Imports {
    pub(super) fn over(connection: &Connection) -> Self {
        Self { operations: connection.collection(COLLECTION) }
    }

    /// The operation with the highest `ts`, which is *the* operation to Rocket.Chat, valid or not; `None` if there never
    /// was one.
    ///
    /// Source: `packages/models/src/models/Imports.ts` (`findLastImport`).
    ///
    /// # Errors
    /// When the database does not answer, or the document is not valid BSON.
    pub async fn newest(&self) -> Result<Option<Operation>, RepositoryError> {
        self.operations
            .find_one(doc! {})
            .sort(doc! { "ts": -1 })
            .await?
            .map(|document| {
                let fields = read_fields(&document)
                    .map_err(|reason| RepositoryError::Unreadable { collection: COLLECTION, reason })?;
                Ok(Operation { fields })
            })
            .transpose()
    }
}
