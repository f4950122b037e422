//! What was chosen of the records of an operation, in a collection of our own.
//!
//! A selection is stored before a run begins and never changed. The operation names it in the step that begins the run, so
//! of several calls at once the choice of the one that begins it counts, also after the run was taken over.

use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::Collection;

use crate::{
    domain::selection::{Choice, Selection},
    repository::{Connection, RepositoryError},
};

const COLLECTION: &str = "rocketchat_import_service_selections";

/// Reads and writes selections.
#[derive(Debug, Clone)]
pub struct Selections {
    selections: Collection<Document>,
}

impl Selections {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { selections: connection.collection(COLLECTION) }
    }

    /// Stores a selection; its id.
    ///
    /// # Errors
    /// It may have been stored all the same, and has no effect then.
    pub async fn store(&self, operation: &str, selection: &Selection) -> Result<String, RepositoryError> {
        let id = ObjectId::new().to_hex();
        let document = doc! {
            "_id": &id,
            "operation": operation,
            "users": stored(&selection.users),
            "channels": stored(&selection.channels),
            "contacts": stored(&selection.contacts),
            "at": DateTime::now(),
        };
        self.selections.insert_one(document).await?;
        Ok(id)
    }

    /// Returns a selection that was stored.
    pub async fn find(&self, id: &str) -> Result<Option<Selection>, RepositoryError> {
        let found = self.selections.find_one(doc! { "_id": id }).await?;
        Ok(found.map(|found| Selection {
            users: choice(found.get("users")),
            channels: choice(found.get("channels")),
            contacts: choice(found.get("contacts")),
        }))
    }
}

/// `true` for everything, else a list.
fn stored(choice: &Choice) -> Bson {
    match choice {
        Choice::All => Bson::Boolean(true),
        Choice::Only(ids) => Bson::Array(ids.iter().cloned().map(Bson::String).collect()),
        Choice::None => Bson::Array(Vec::new()),
    }
}

fn choice(stored: Option<&Bson>) -> Choice {
    match stored {
        Some(Bson::Array(ids)) => Choice::new(false, ids.iter().filter_map(Bson::as_str).map(str::to_owned)),
        _ => Choice::All,
    }
}
