//! What an import leaves behind, and what it offered before.

use bson::{Bson, Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use super::fixture;
use crate::harness::Workspace;

/// Collections, in the order of the differences.
pub(super) const FILES: [&str; 6] = [
    "users",
    "rocketchat_room",
    "rocketchat_subscription",
    "rocketchat_message",
    "rocketchat_livechat_contact",
    "rocketchat_import",
];
/// Parts of what was offered.
pub(super) const OFFERED: [&str; 4] = ["offered", "offered users", "offered channels", "offered contacts"];

/// Documents by collection.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) files: Vec<(&'static str, Vec<Document>)>,
}

impl Stored {
    /// What Rocket.Chat stored; `moment` is `seed` or `final`.
    pub(super) fn read(case: &str, moment: &str) -> Self {
        let mut files: Vec<(&str, Vec<Document>)> = FILES
            .into_iter()
            .map(|file| {
                let is_missing = moment == "seed" && file == "rocketchat_import";
                let path = format!("{moment}/{file}.json");
                (file, if is_missing { Vec::new() } else { fixture::documents(case, &path) })
            })
            .collect();
        // One import before this one has an operation of its own.
        let operations = &mut files[5].1;
        operations.sort_by_key(|operation| operation.get_datetime("ts").ok().copied());
        operations.drain(..operations.len().saturating_sub(1));
        if moment == "final" {
            files.extend(offered(&fixture::selection(case)));
        }
        Self { files }
    }

    /// What the service stored, and what it offered.
    pub(super) async fn of(workspace: &Workspace, selection: &Value) -> Self {
        let mut files = Vec::new();
        for file in FILES {
            let newest = doc! { "ts": 1, "_id": 1 };
            let found = workspace.collection(file).find(doc! {}).sort(newest).await.unwrap();
            files.push((file, found.try_collect().await.unwrap()));
        }
        let operations: &mut Vec<Document> = &mut files[5].1;
        operations.drain(..operations.len() - 1);
        files.extend(offered(selection));
        Self { files }
    }

    pub(super) fn documents(&self, file: &str) -> &[Document] {
        self.files.iter().find(|(name, _)| *name == file).map(|(_, documents)| documents.as_slice()).unwrap_or_default()
    }
}

fn offered(selection: &Value) -> Vec<(&'static str, Vec<Document>)> {
    let document = |value: &Value| Bson::try_from(value.clone()).unwrap().as_document().unwrap().clone();
    let list = |name: &str| selection[name].as_array().unwrap().iter().map(document).collect();
    let whole = json!({ "name": selection["name"], "message_count": selection["message_count"] });
    let lists = [vec![document(&whole)], list("users"), list("channels"), list("contacts")];
    OFFERED.into_iter().zip(lists).collect()
}

pub(super) fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get_str(name).unwrap_or_default()
}

pub(super) fn texts<'a>(document: &'a Document, name: &str) -> Vec<&'a str> {
    document.get_array(name).map(|list| list.iter().filter_map(Bson::as_str).collect()).unwrap_or_default()
}
