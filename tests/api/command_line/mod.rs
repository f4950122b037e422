//! The commands `status` and `users`, as a person or a script calls them, against the service.

mod bad_files;
mod checking;
pub mod files;
mod foreign_server;
mod imports;
mod inspecting;
mod leaving;
mod lost_answers;
mod many_failures;
mod narrow_checks;
mod pages;
mod passwords;
mod progress;
mod proxy;
mod reading;
mod refusals;
mod refused_by_workspace;
mod reported;
mod sources;
mod watching;
pub mod workbooks;

use std::path::PathBuf;

use bson::doc;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Finished, Service, Workspace, run};

const TOKEN: &str = "admin-token";

/// Runs a command as the administrator against `url`.
pub async fn call(url: &str, arguments: &[&str]) -> Finished {
    let settings = [
        ("ROCKETCHAT_URL", url),
        ("ROCKETCHAT_USER_ID", "admin"),
        ("ROCKETCHAT_AUTH_TOKEN", TOKEN),
        ("RUST_LOG", "info"),
    ];
    let finished = run(arguments, &settings).await;
    assert!(!finished.output.contains(TOKEN) && !finished.errors.contains(TOKEN), "{finished:?}");
    finished
}

/// Stages a file with this text, in the place of whatever is staged.
pub async fn call_with_file(url: &str, name: &str, text: &str) -> Finished {
    let file = File::new(name, text);
    call(url, &["users", file.path(), "--replace=staged"]).await
}

/// A file of users in a folder of its own.
struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// Users in CSV, by their numbers.
fn csv_of(numbers: impl IntoIterator<Item = usize>) -> String {
    let rows = numbers.into_iter().map(|number| format!("user{number},user{number}@example.com,id{number}\n"));
    std::iter::once("username,emails,importIds\n".to_owned()).chain(rows).collect()
}

fn summary(finished: &Finished) -> Value {
    serde_json::from_str(&finished.output).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// Stores the roles that the files of the tests give beside those of every workspace.
async fn add_roles(workspace: &Workspace) {
    let roles = ["guest", "livechat-agent"].map(|id| doc! { "_id": id, "name": id });
    workspace.collection("rocketchat_roles").insert_many(roles).await.unwrap();
}

async fn operation_count(service: &Service, name: &str) -> u64 {
    service.status().await.json()["operation"]["count"][name].as_u64().unwrap()
}
