//! A Rocket.Chat workspace of the test's own: a fresh database.

use bson::{Document, RawDocumentBuf, doc};
use mongodb::{Client, Collection, Database};
use serde::Serialize;

use super::{Mongo, OperationBuilder, Service, UserBuilder, user};

/// A database in Rocket.Chat's shape. Dropped with the test.
pub struct Workspace {
    pub database: Database,
    pub url: String,
}

/// A workspace where `admin` may run imports, as often as it likes, and one administrator, `admin`, exists.
pub async fn workspace() -> Workspace {
    Workspace::on(Mongo::shared()).await
}

impl Workspace {
    /// A [`workspace`] on this server.
    pub async fn on(mongo: &Mongo) -> Self {
        Self::empty_on(mongo).await.with_administrator().await
    }

    /// Lets `admin` run imports, as often as it likes, and makes the user who does.
    pub async fn with_administrator(self) -> Self {
        self.grant("run-import", &["admin"]).await;
        self.grant("api-bypass-rate-limit", &["admin", "bot", "app"]).await;
        self.add_user(user("admin").admin().with_token("admin-token")).await;
        self
    }

    /// A database without a single collection.
    pub async fn empty_on(mongo: &Mongo) -> Self {
        Self::empty_at(|name| mongo.url_of(name)).await
    }

    /// The same on whatever server has the URL that `url_of` makes of the database's name.
    pub async fn empty_at(url_of: impl FnOnce(&str) -> String) -> Self {
        let name = format!("test_{:016x}", rand::random::<u64>());
        let url = url_of(&name);
        let database = Client::with_uri_str(&url).await.unwrap().database(&name);
        Self { database, url }
    }

    pub fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// Stores who has the permission, in place of what was stored before.
    pub async fn grant(&self, permission: &str, roles: &[&str]) {
        self.collection("rocketchat_permissions")
            .replace_one(doc! { "_id": permission }, doc! { "_id": permission, "roles": roles })
            .upsert(true)
            .await
            .unwrap();
    }

    pub async fn add_user(&self, user: UserBuilder) {
        self.collection("users").insert_one(user.document()).await.unwrap();
    }

    /// Changes one document, by its `_id`.
    pub async fn update(&self, collection: &str, id: &str, update: Document) {
        let updated = self.collection(collection).update_one(doc! { "_id": id }, update).await.unwrap();
        assert_eq!(updated.matched_count, 1, "{id} in {collection}");
    }

    pub async fn add_operation(&self, operation: OperationBuilder) {
        self.collection("rocketchat_import").insert_one(operation.document()).await.unwrap();
    }

    /// Puts `document` in place of every operation there is.
    pub async fn only_operation<D: Serialize + Send + Sync>(&self, document: D) {
        let operations = self.database.collection::<D>("rocketchat_import");
        operations.delete_many(doc! {}).await.unwrap();
        operations.insert_one(document).await.unwrap();
    }

    /// The service over this workspace.
    pub async fn serve(&self) -> Service {
        Service::start(&[("MONGO_URL", &self.url)]).await
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.database.name().to_owned());
        // The test's own runtime may be gone, and cannot be waited on from here anyway.
        let cleanup = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let url = format!("{url}{}serverSelectionTimeoutMS=500", if url.contains('?') { '&' } else { '?' });
                if let Ok(client) = Client::with_uri_str(&url).await {
                    client.database(&name).drop().await.ok();
                }
            });
        });
        cleanup.join().ok();
    }
}

/// The document, and these bytes behind its fields: a type, a name and a value, in BSON's own words.
pub fn with_element(document: &Document, element: &[u8]) -> RawDocumentBuf {
    let mut bytes = bson::serialize_to_vec(document).unwrap();
    bytes.pop();
    bytes.extend_from_slice(element);
    bytes.push(0);
    let length = i32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[..4].copy_from_slice(&length);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}
