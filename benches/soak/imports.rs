//! Imports from `import.new` to `import.clear`, one after the other.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::Collection;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{client::Client, workspace::Workspace};

const USERS: usize = 5000;
const USERS_EACH_CALL: usize = 1000;
/// Every so many-th user wants a name that somebody else has.
const ONE_FAILS_OF: usize = 50;
const TAKEN: &str = "taken";
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How often to look for the end of one import: for two minutes.
const MOST_LOOKS: usize = 1200;
const PAUSE: Duration = Duration::from_secs(1);
const CHECK: &str = "an import's numbers at its end";

/// What an import leaves in the database.
pub struct Imports {
    users: Collection<Document>,
    operations: Collection<Document>,
    staged: Collection<Document>,
}

impl Workspace {
    /// The roles that imported users get, and somebody whose name is taken.
    pub async fn make_ready_for_imports(&self) {
        let roles = ["admin", "user", "bot"].map(|role| doc! { "_id": role, "name": role, "scope": "Users" });
        self.collection("rocketchat_roles").insert_many(roles).await.unwrap();
        let view = doc! { "_id": "view-import-operations", "roles": ["admin"] };
        self.collection("rocketchat_permissions").insert_one(view).await.unwrap();
        self.collection("users").insert_one(doc! { "_id": TAKEN, "username": TAKEN, "roles": ["user"] }).await.unwrap();
    }

    pub fn imports(&self) -> Imports {
        Imports {
            users: self.collection("users"),
            operations: self.collection("rocketchat_import"),
            staged: self.collection("rocketchat_import_data"),
        }
    }
}

impl Imports {
    /// Removes what has been imported, so that the database stays as small as it was.
    async fn forget(&self) {
        self.users.delete_many(doc! { "importIds": { "$exists": true } }).await.unwrap();
        self.staged.delete_many(doc! {}).await.unwrap();
        self.operations.delete_many(doc! { "valid": false }).await.unwrap();
    }
}

pub async fn import_again_and_again(client: Client, imports: Imports) {
    loop {
        if import(&client).await.is_some() {
            client.tally.imported();
        }
        imports.forget().await;
        sleep(PAUSE).await;
    }
}

/// `None` when something was not answered as it should be, which is counted.
async fn import(client: &Client) -> Option<()> {
    client.post("/api/v1/import.new", &json!({})).await?;
    for call in 0..USERS / USERS_EACH_CALL {
        let users: Vec<Value> = (call * USERS_EACH_CALL..(call + 1) * USERS_EACH_CALL).map(user).collect();
        client.post("/api/v1/import.addUsers", &json!({ "users": users })).await?;
    }
    client.get("/api/v1/getImportFileData").await?;
    client.post("/api/v1/import.run", &json!({})).await?;
    let count = wait_for_the_end(client).await?;
    let failed = USERS / ONE_FAILS_OF;
    let errors = "/api/v1/import.errors?count=100";
    let errors = client.expect("/api/v1/import.errors", 200, client.request(Method::GET, errors)).await?;
    let told = (count["completed"].as_u64(), count["error"].as_u64(), errors["total"].as_u64());
    let expected = (USERS - failed, failed, failed);
    if told == (Some(expected.0 as u64), Some(expected.1 as u64), Some(expected.2 as u64)) {
        client.tally.as_expected(CHECK);
    } else {
        client.tally.not_expected(CHECK, &format!("{count}, {} errors, instead of {expected:?}", errors["total"]));
    }
    client.get("/api/v1/getImportProgress").await?;
    client.post("/api/v1/import.clear", &json!({})).await?;
    Some(())
}

/// What `count` says once it is done.
async fn wait_for_the_end(client: &Client) -> Option<Value> {
    for _ in 0..MOST_LOOKS {
        let status = client.get("/api/v1/import.status").await?;
        if status["state"] == "done" {
            return Some(status["operation"]["count"].clone());
        }
        sleep(LOOK_INTERVAL).await;
    }
    client.tally.not_expected(CHECK, "it did not end");
    None
}

fn user(number: usize) -> Value {
    let fails = number.is_multiple_of(ONE_FAILS_OF);
    json!({
        "username": if fails { TAKEN.to_owned() } else { format!("user{number}") },
        "emails": [format!("user{number}@example.com")],
        "importIds": [format!("id{number}")],
        "name": format!("User {number}"),
    })
}
