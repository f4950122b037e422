//! The database's own record of every command on a workspace.

use std::collections::BTreeSet;

use bson::{Document, doc};
use futures::TryStreamExt as _;

use super::Workspace;

/// The collections of this service.
const OURS: &str = "rocketchat_import_service_";
const PROFILE_BYTES: i32 = 64 * 1024 * 1024;

impl Workspace {
    /// Records every command from now on, once the service over the workspace has made its indexes.
    pub async fn record_commands(&self) {
        self.migrated().await;
        let capped = doc! { "create": "system.profile", "capped": true, "size": PROFILE_BYTES };
        self.database.run_command(capped).await.unwrap();
        self.database.run_command(doc! { "profile": 2 }).await.unwrap();
    }

    /// Asserts that recorded commands read these collections of the service, and none of its collections without an index.
    pub async fn assert_indexed(&self, read: &[&str]) {
        self.database.run_command(doc! { "profile": 0 }).await.unwrap();
        let ours = format!("{}.{OURS}", self.database.name());
        let planned =
            doc! { "ns": { "$regex": format!("^{}", ours.replace('.', "\\.")) }, "planSummary": { "$exists": true } };
        let mut commands = self.database.collection::<Document>("system.profile").find(planned).await.unwrap();
        let (mut seen, mut without) = (BTreeSet::new(), Vec::new());
        while let Some(command) = commands.try_next().await.unwrap() {
            let collection = command.get_str("ns").unwrap()[ours.len()..].to_owned();
            if command.get_str("planSummary").unwrap().contains("COLLSCAN") {
                without.push(format!("{collection}: {}", command.get("command").unwrap()));
            }
            seen.insert(collection);
        }
        assert!(without.is_empty(), "{}", without.join("\n"));
        let unread: Vec<_> = read.iter().filter(|name| !seen.contains(**name)).collect();
        assert!(unread.is_empty(), "{unread:?} of {seen:?}");
    }
}
