//! What the database user of this service may do, held against what the service does.
//!
//! An update of this program may take privileges that the user does not have yet. A run that finds out by a refused write has
//! begun already, so this is found out before.

use std::fmt;

use bson::{Document, doc};

use super::database_user::DatabaseRole;
use crate::repository::{Connection, RepositoryError};

/// Collections of ours that no import waits for.
const BESIDE_IMPORTS: [&str; 2] = ["rocketchat_import_service_migrations", "rocketchat_import_service_webhooks"];
/// What the name of a collection that holds files begins with.
const FILES: &str = "rocketchat_import_service_files.";
/// Collections of ours that fetching files and pictures takes, and imports of users do without.
const FETCHED: [&str; 2] = ["rocketchat_import_service_uploads", "rocketchat_import_service_worklists"];
/// What a run itself does without: which import ids came from which source.
const SOURCES: &str = "rocketchat_import_service_sources";
/// The collections that deactivations touch.
const DEACTIVATED: [&str; 4] = ["users", "rocketchat_room", "rocketchat_subscription", SOURCES];
/// The collections that memberships and deactivations touch, beside those of every import.
const OF_ROOMS: [&str; 2] = ["rocketchat_room", "rocketchat_subscription"];
/// The collections that tell of a staged record.
const STAGED: [&str; 4] = [
    "rocketchat_import",
    "rocketchat_import_data",
    "rocketchat_import_service_receipts",
    "rocketchat_import_service_reports",
];
/// What an import does without: indexes make it faster, without a change stream the database is polled, and without
/// `dbStats` it is not known beforehand whether a file fits.
const NOT_WAITED_FOR: [&str; 3] = ["createIndex", "changeStream", "dbStats"];

/// Actions on a collection that the database user may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingPrivilege {
    collection: String,
    actions: Vec<String>,
    /// Whether imports of files alone take them.
    is_for_files: bool,
}

/// Work that takes privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reads staged users, or what became of them.
    ReadStaged,
    /// Changes anything about an import. All that an import of users takes is needed from its first step on.
    Import,
    /// Brings or starts an import of a file, with rooms and messages.
    ImportFile,
    /// Stores a file, and begins nothing with it.
    StoreFile,
    /// Lets new accounts join channels, and puts away the direct messages and ownerships of deactivated ones.
    TouchRooms,
    /// Reads or stores which import ids came from a source.
    KeepSource,
    /// Deactivates the accounts of people whom a source no longer holds.
    Deactivate,
}

impl MissingPrivilege {
    /// Whether imports of files alone take this. A service that imports users does without.
    pub(crate) const fn is_for_files(&self) -> bool {
        self.is_for_files
    }

    /// What of this the work takes; `None` when it does without.
    pub(crate) fn needed_for(&self, work: Work) -> Option<Self> {
        if self.is_for_files && !matches!(work, Work::ImportFile | Work::TouchRooms | Work::Deactivate) {
            return None;
        }
        if matches!(work, Work::Import | Work::ImportFile) && self.collection == SOURCES {
            return None;
        }
        if work == Work::Import && FETCHED.contains(&self.collection.as_str()) {
            return None;
        }
        let is_needed = |action: &str| match work {
            Work::ReadStaged => action == "find" && STAGED.contains(&self.collection.as_str()),
            Work::Import | Work::ImportFile => {
                !BESIDE_IMPORTS.contains(&self.collection.as_str()) && !NOT_WAITED_FOR.contains(&action)
            }
            Work::StoreFile => self.collection.starts_with(FILES) && !NOT_WAITED_FOR.contains(&action),
            Work::TouchRooms => {
                OF_ROOMS.contains(&self.collection.as_str()) && ["find", "insert", "update"].contains(&action)
            }
            Work::KeepSource => self.collection == SOURCES && !NOT_WAITED_FOR.contains(&action),
            Work::Deactivate => DEACTIVATED.contains(&self.collection.as_str()) && ["find", "update"].contains(&action),
        };
        let actions: Vec<String> = self.actions.iter().filter(|action| is_needed(action)).cloned().collect();
        (!actions.is_empty()).then(|| Self { actions, ..self.clone() })
    }
}

impl fmt::Display for MissingPrivilege {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = if self.collection.is_empty() { "the database" } else { &self.collection };
        write!(formatter, "{} on {on}", self.actions.join(", "))
    }
}

/// The privileges of the roles in `deploy/mongodb` that the user of `connection` lacks. A server without access control lacks
/// none.
pub(super) async fn missing_privileges(connection: &Connection) -> Result<Vec<MissingPrivilege>, RepositoryError> {
    let status = connection.database().run_command(doc! { "connectionStatus": 1, "showPrivileges": true }).await?;
    let lacking = |role: DatabaseRole| match role.command(connection.database_name()) {
        Ok(command) => lacking(&command, role == DatabaseRole::Files, &status),
        Err(_) => Vec::new(),
    };
    Ok(DatabaseRole::ALL.into_iter().flat_map(lacking).collect())
}

fn lacking(role: &Document, is_for_files: bool, connection_status: &Document) -> Vec<MissingPrivilege> {
    let Ok(authentication) = connection_status.get_document("authInfo") else { return Vec::new() };
    if authentication.get_array("authenticatedUsers").is_ok_and(Vec::is_empty) {
        return Vec::new();
    }
    let held = privileges_in(authentication, "authenticatedUserPrivileges");
    let missing = privileges_in(role, "privileges").into_iter().filter_map(|(resource, actions)| {
        let may = |action: &&str| held.iter().any(|(on, actions)| covers(on, resource) && actions.contains(action));
        let actions: Vec<String> =
            actions.iter().filter(|action| !may(action)).map(|&action| action.to_owned()).collect();
        let collection = resource.get_str("collection").unwrap_or_default().to_owned();
        (!actions.is_empty()).then_some(MissingPrivilege { collection, actions, is_for_files })
    });
    missing.collect()
}

fn privileges_in<'a>(document: &'a Document, name: &str) -> Vec<(&'a Document, Vec<&'a str>)> {
    let privileges = document.get_array(name).map(Vec::as_slice).unwrap_or_default();
    let privileges = privileges.iter().filter_map(|privilege| {
        let privilege = privilege.as_document()?;
        let actions = privilege.get_array("actions").ok()?.iter().filter_map(bson::Bson::as_str).collect();
        Some((privilege.get_document("resource").ok()?, actions))
    });
    privileges.collect()
}

/// Whether a privilege on `held` is one on `wanted`. An empty name stands for all.
fn covers(held: &Document, wanted: &Document) -> bool {
    held.get_bool("anyResource").unwrap_or(false)
        || ["db", "collection"].iter().all(|part| match (held.get_str(part), wanted.get_str(part)) {
            (Ok(held), Ok(wanted)) => held.is_empty() || held == wanted,
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(users: i32, privileges: Vec<Document>) -> Document {
        let users: Vec<Document> = (0..users).map(|_| doc! { "user": "importer", "db": "chat" }).collect();
        doc! { "authInfo": { "authenticatedUsers": users, "authenticatedUserPrivileges": privileges } }
    }

    fn privilege(database: &str, collection: &str, actions: &[&str]) -> Document {
        doc! { "resource": { "db": database, "collection": collection }, "actions": actions }
    }

    #[test]
    fn a_server_without_users_and_a_user_who_may_do_everything_lack_nothing() {
        let role = DatabaseRole::Users.command("chat").unwrap();
        assert_eq!(lacking(&role, false, &status(0, vec![])), []);
        let all = ["find", "insert", "update", "remove", "createIndex", "changeStream", "dbStats"];
        assert_eq!(lacking(&role, false, &status(1, vec![privilege("", "", &all)])), []);
        assert_eq!(lacking(&role, false, &status(1, vec![privilege("chat", "", &all)])), []);
        let any = doc! { "resource": { "anyResource": true }, "actions": &all[..] };
        assert_eq!(lacking(&role, false, &status(1, vec![any])), []);
        assert!(lacking(&role, false, &status(1, vec![privilege("other", "", &all)])).len() > 5);
    }

    #[test]
    fn what_is_missing_stops_the_work_that_takes_it_and_no_other() {
        let role = DatabaseRole::Users.command("chat").unwrap();
        let mut held: Vec<Document> = privileges_in(&role, "privileges")
            .into_iter()
            .map(|(on, may)| doc! { "resource": on, "actions": may })
            .collect();
        assert_eq!(lacking(&role, false, &status(1, held.clone())), []);
        held.retain(|privilege| {
            let collection = privilege.get_document("resource").unwrap().get_str("collection").unwrap();
            !collection.ends_with("_webhooks") && !collection.ends_with("_run_leases")
        });
        let missing = lacking(&role, false, &status(1, held));
        assert_eq!(missing.len(), 2, "{missing:?}");
        let stopped = |work| missing.iter().filter_map(|missing| missing.needed_for(work)).collect::<Vec<_>>();
        assert_eq!(stopped(Work::ReadStaged), []);
        let import: Vec<String> = stopped(Work::Import).iter().map(ToString::to_string).collect();
        assert_eq!(import, ["find, insert, update, remove on rocketchat_import_service_run_leases"]);
        assert_eq!(stopped(Work::StoreFile), []);
    }
}
