//! What an import has left in the database.

use std::time::Duration;

use bson::{Document, doc};
use futures::TryStreamExt as _;

use super::{Service, Workspace, eventually, workspace};

const PATIENCE: Duration = Duration::from_secs(30);

impl Workspace {
    /// Every record of the staging area, in the order they were staged.
    pub async fn staged(&self) -> Vec<Document> {
        self.all("rocketchat_import_data").await
    }

    /// The staged data, without the records around it.
    pub async fn staged_data(&self) -> Vec<Document> {
        self.staged().await.iter().map(|record| record.get_document("data").unwrap().clone()).collect()
    }

    /// Every operation, in the order of their ids.
    pub async fn operations(&self) -> Vec<Document> {
        self.all("rocketchat_import").await
    }

    pub async fn operation_named(&self, id: &str) -> Document {
        self.collection("rocketchat_import").find_one(doc! { "_id": id }).await.unwrap().expect("the operation")
    }

    /// Sets fields of an operation, as its run does.
    pub async fn change_operation(&self, id: &str, change: Document) {
        self.update("rocketchat_import", id, doc! { "$set": change }).await;
    }

    /// Stores a setting in place of what was stored before.
    pub async fn set(&self, setting: &str, value: impl Into<bson::Bson>) {
        self.collection("rocketchat_settings")
            .replace_one(doc! { "_id": setting }, doc! { "_id": setting, "value": value.into() })
            .upsert(true)
            .await
            .unwrap();
    }

    /// Waits until the service over the workspace has made its indexes.
    pub async fn migrated(&self) {
        let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count() as u64;
        let applied = self.collection("rocketchat_import_service_migrations");
        eventually("the migrations are applied", PATIENCE, async || {
            applied.count_documents(doc! { "_id": { "$ne": "lock" } }).await.unwrap() == migrations
        })
        .await;
    }

    async fn all(&self, collection: &str) -> Vec<Document> {
        let found = self.collection(collection).find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
        found.try_collect().await.unwrap()
    }
}

/// The names of a document's fields, in stored order.
pub fn names(document: &Document) -> Vec<&str> {
    document.keys().map(String::as_str).collect()
}

/// A workspace with Rocket.Chat's roles, and the service over it.
pub async fn served() -> (Workspace, Service) {
    let workspace = workspace().await.ready_for_imports().await;
    let service = workspace.serve().await;
    (workspace, service)
}
