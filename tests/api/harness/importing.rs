//! An import as a script drives it.

use std::time::Duration;

use bson::{Document, doc};
use futures::TryStreamExt as _;
use mongodb::{IndexModel, options::IndexOptions};
use serde_json::{Value, json};

use super::{Answer, Service, Workspace, eventually};

/// How long an import of a test may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A user as a script sends it, the `number`-th.
pub fn staged_user(number: usize) -> Value {
    json!({
        "username": format!("user{number}"),
        "emails": [format!("user{number}@example.com")],
        "importIds": [format!("id{number}")],
        "name": format!("User {number}"),
    })
}

pub fn staged_users(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
    numbers.into_iter().map(staged_user).collect()
}

impl Workspace {
    /// The roles a workspace has from its first day on, and the indexes that keep names and addresses apart.
    pub async fn ready_for_imports(self) -> Self {
        for role in ["admin", "user", "bot"] {
            let document = doc! { "_id": role, "name": role, "scope": "Users" };
            self.collection("rocketchat_roles").insert_one(document).await.unwrap();
        }
        for field in ["username", "emails.address"] {
            let options = IndexOptions::builder().unique(true).sparse(true).build();
            let index = IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
            self.collection("users").create_index(index).await.unwrap();
        }
        self
    }

    /// All users but the administrator.
    pub async fn imported(&self) -> Vec<Document> {
        let users = self.collection("users").find(doc! { "_id": { "$ne": "admin" } }).await.unwrap();
        users.try_collect().await.unwrap()
    }

    pub async fn count_imported(&self) -> u64 {
        self.collection("users").count_documents(doc! { "_id": { "$ne": "admin" } }).await.unwrap()
    }

    /// Waits until so many records are left in the staging area: those that are no longer needed go in the background.
    pub async fn left_staged(&self, count: u64) {
        eventually(&format!("{count} staged records are left"), PATIENCE, async || self.count_staged().await == count)
            .await;
    }

    pub async fn count_staged(&self) -> u64 {
        self.collection("rocketchat_import_data").count_documents(doc! {}).await.unwrap()
    }
}

impl Service {
    /// `import.new`, and the id of what it made.
    pub async fn new_import(&self) -> String {
        let answer = self.post("/api/v1/import.new", &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["operation"]["_id"].as_str().unwrap().to_owned()
    }

    /// `import.addUsers`, whatever it answers.
    pub async fn try_add_users(&self, users: &[Value]) -> Answer {
        self.post("/api/v1/import.addUsers", &json!({ "users": users })).await
    }

    pub async fn add_users(&self, users: &[Value]) {
        let answer = self.try_add_users(users).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, r#"{"success":true}"#));
    }

    /// A new operation with these users, a thousand a call.
    pub async fn stage(&self, users: &[Value]) -> String {
        let operation = self.new_import().await;
        for call in users.chunks(1000) {
            self.add_users(call).await;
        }
        operation
    }

    /// `import.run`, whatever it answers.
    pub async fn try_run(&self) -> Answer {
        self.post("/api/v1/import.run", &json!({})).await
    }

    pub async fn run_import(&self) {
        let answer = self.try_run().await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, r#"{"success":true}"#));
    }

    /// Polls `import.status` until it says `state`; the last answer.
    pub async fn wait_for_state(&self, state: &str) -> Value {
        let mut last = Value::Null;
        eventually(&format!("the state is {state}"), PATIENCE, async || {
            last = self.status().await.json();
            last["state"] == state
        })
        .await;
        last
    }
}
