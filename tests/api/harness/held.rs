//! Writes of somebody else that the writes of a run wait for.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::ClientSession;

use super::{Service, Workspace, eventually};

const RECEIPTS: &str = "rocketchat_import_service_receipts";
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody else's transaction, which holds back every other write of the same document.
pub struct Held {
    session: ClientSession,
    /// The `_id` of the receipt that is held back.
    receipt: Option<String>,
}

impl Held {
    pub async fn begin(workspace: &Workspace) -> Self {
        let mut session = workspace.database.client().start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        Self { session, receipt: None }
    }

    /// Holds back the receipt of a batch.
    pub async fn receipt(workspace: &Workspace, operation: &str, number: u32) -> Self {
        // An index that is being made and this would wait for each other.
        workspace.migrated().await;
        let id = format!("{operation}:{number:010}");
        let mut held = Self::begin(workspace).await;
        workspace.collection(RECEIPTS).insert_one(doc! { "_id": &id }).session(&mut held.session).await.unwrap();
        Self { receipt: Some(id), ..held }
    }

    /// Changes a document without letting anybody see it.
    pub async fn update(&mut self, workspace: &Workspace, collection: &str, id: &str, update: Document) {
        let collection = workspace.collection(collection);
        let updated = collection.update_one(doc! { "_id": id }, update).session(&mut self.session).await.unwrap();
        assert_eq!(updated.matched_count, 1, "{id}");
    }

    /// Gives the receipt up, and before that the writes of it that wait: their instance is dead.
    pub async fn give_up(mut self, workspace: &Workspace) {
        let admin = workspace.database.client().database("admin");
        let collection = format!("{}.{RECEIPTS}", workspace.database.name());
        eventually("nobody waits any more", PATIENCE, async || {
            let waiting = doc! { "currentOp": 1, "ns": &collection, "op": "insert" };
            let waiting = admin.run_command(waiting).await.unwrap();
            let waiting = waiting.get_array("inprog").unwrap().clone();
            for one in &waiting {
                let id = one.as_document().unwrap().get("opid").unwrap().clone();
                admin.run_command(doc! { "killOp": 1, "op": id }).await.unwrap();
            }
            waiting.is_empty()
        })
        .await;
        let stored = workspace.collection(RECEIPTS).find_one(doc! { "_id": &self.receipt }).await.unwrap();
        assert_eq!(stored, None, "the batch has its receipt");
        self.session.abort_transaction().await.unwrap();
    }

    pub async fn end(mut self) {
        self.session.commit_transaction().await.unwrap();
    }
}

impl Service {
    /// The `_id` of the newest operation.
    pub async fn operation_id(&self) -> String {
        self.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned()
    }
}
