//! An import of thousands of users with pollers around it, a fault in its middle, and the reckoning afterwards.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bson::{Document, doc};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::{
    harness::{Service, Workspace, eventually, staged_users},
    invariants::{differences, differences_from_receipt},
    replica_set::ReplicaSet,
    report::Row,
    witness::{Seen, Told, Version, Witness, wrongs},
};

/// Users of one import.
pub const USERS: usize = 12_000;
/// Users of an import that one of many faults happens to.
const FEW_USERS: usize = 4_000;
/// This part of them is there when the fault comes.
const PART_BEFORE: usize = 6;
/// How long an import may take, faults and all.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A running import that something is about to happen to.
pub struct Trial {
    fault: String,
    users: usize,
    pub workspace: Workspace,
    pub services: Vec<Service>,
    pub witness: Witness,
    /// When the fault ended, and how far the import was by then, as far as pollers saw.
    over: Option<(Instant, Option<Version>)>,
}

impl Trial {
    /// An import on `set` by one instance, in its first part.
    pub async fn begin(fault: &str, set: &ReplicaSet) -> Self {
        let workspace = set.workspace().await;
        let service = workspace.serve().await;
        Self::over(fault, workspace, vec![service], USERS).await
    }

    /// The same, and smaller.
    pub async fn begin_small(fault: &str, set: &ReplicaSet) -> Self {
        let workspace = set.workspace().await;
        let service = workspace.serve().await;
        Self::over(fault, workspace, vec![service], FEW_USERS).await
    }

    /// The same on two instances, of which the first runs it and the second is polled.
    pub async fn begin_on_two(fault: &str, set: &ReplicaSet) -> Self {
        let workspace = set.workspace().await;
        let services = vec![workspace.serve().await, workspace.serve().await];
        Self::over(fault, workspace, services, USERS).await
    }

    /// The same with these instances, of which the first runs it and the last is polled.
    pub async fn over(fault: &str, workspace: Workspace, services: Vec<Service>, users: usize) -> Self {
        let (first, last) = (&services[0], services.last().unwrap());
        first.ready().await;
        first.stage(&staged_users(0..users)).await;
        let witness = Witness::of(&last.address, &workspace);
        first.run_import().await;
        let trial = Self { fault: fault.to_owned(), users, workspace, services, witness, over: None };
        let enough = (users / PART_BEFORE) as u64;
        eventually("users arrive", PATIENCE, async || trial.workspace.count_imported().await >= enough).await;
        trial
    }

    /// Whether the import is over, as far as the pollers saw.
    pub fn is_over(&self) -> bool {
        self.witness.furthest().is_some_and(|told| told.is_over())
    }

    /// Waits until more users are counted than now, or all.
    pub async fn goes_on(&self) {
        let before = self.witness.furthest().map_or(0, |told| told.completed);
        eventually("the import goes on", PATIENCE, async || {
            self.is_over() || self.witness.furthest().is_some_and(|told| told.completed > before)
        })
        .await;
    }

    /// The fault ends now, or has its whole effect now: from here on it is counted how long the recovery takes. The import
    /// must not be over by then.
    pub fn fault_over(&mut self) {
        assert!(!self.is_over(), "the import was over before the fault: {}", self.fault);
        self.count_from_now();
    }

    /// The last of several faults ends now, whether or not the import has come to its end among them.
    pub fn count_from_now(&mut self) {
        self.over = Some((Instant::now(), self.witness.furthest()));
    }

    /// Waits for the end of the import, and holds everything against everything.
    pub async fn reckon(self) {
        let Self { fault, users, workspace, services, witness, over } = self;
        eventually("the import ends", PATIENCE, async || witness.furthest().is_some_and(|told| told.is_over())).await;
        let seen = witness.stop().await;
        let service = services.last().unwrap();
        let mut end = service.status().await.json();
        let mut wrong = wrongs(&seen);
        let mut completed_before = 0;
        if end["state"] == "error" {
            let (id, count) = (end["operation"]["_id"].as_str().unwrap(), &end["operation"]["count"]);
            completed_before = count["completed"].as_u64().unwrap_or_default();
            let counted = (completed_before, count["error"].as_u64().unwrap_or_default());
            wrong.extend(differences_from_receipt(&workspace, service, id, counted).await);
            wrong.extend(account_for_everybody(users, &workspace, &end["operation"]["count"]).await);
            let resumed = service.post("/api/v1/import.resume", &json!({})).await;
            assert_eq!(resumed.status, 200, "{}", resumed.body);
            service.run_import().await;
            end = service.wait_for_state("done").await;
        }
        let left = end["operation"]["count"]["total"].as_u64().unwrap();
        if end["operation"]["count"] != json!({ "total": left, "users": left, "completed": left, "error": 0 }) {
            wrong.push(end.to_string());
        }
        let accounts = addresses_of_accounts(&workspace).await;
        let own_accounts = (accounts.len() as u64).saturating_sub(completed_before);
        wrong.extend(differences(&workspace, service, &end, own_accounts).await);
        let there: BTreeSet<&String> = accounts.iter().collect();
        let panics: Vec<String> = services.iter().flat_map(|service| service.log_lines("panicked")).collect();
        let row = Row {
            fault: &fault,
            users: users as u64,
            lost: users.saturating_sub(there.len()),
            doubled: accounts.len() - there.len(),
            answers: seen.len(),
            unavailable: seen.iter().filter(|answer| matches!(answer.told, Told::Unavailable)).count(),
            wrong: wrong.len(),
            told_again: over.as_ref().and_then(|(ended, _)| after(&seen, *ended, |_| true)),
            goes_on: over.as_ref().and_then(|(ended, before)| {
                let before = before.as_ref().map_or(0, |before| before.completed);
                after(&seen, *ended, |told| told.completed > before || told.is_over())
            }),
        };
        row.tell();
        let log = || {
            let lines: Vec<String> = services.iter().flat_map(|service| service.log_lines("")).collect();
            lines.into_iter().filter(|line| !line.contains("target=access")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!((row.lost, row.doubled), (0, 0), "{row:?}\n{}", log());
        assert_eq!(wrong, [""; 0], "{row:?}\n{}", log());
        assert_eq!(panics, [""; 0]);
        workspace.left_staged(0).await;
    }
}

/// How long after `moment` a poller got a status that is `good`.
fn after(seen: &[Seen], moment: Instant, good: impl Fn(&Version) -> bool) -> Option<Duration> {
    let answers = seen.iter().filter(|answer| answer.asked >= moment);
    let good = answers.filter(|answer| matches!(&answer.told, Told::Operation(version) if good(version)));
    good.map(|answer| answer.answered - moment).min()
}

/// The faults of an import that ended in an error: everybody has to be counted as completed or staged still. Some may
/// be both, whose records came back with a change of primary.
async fn account_for_everybody(users: usize, workspace: &Workspace, count: &Value) -> Option<String> {
    let accounts: BTreeSet<String> = addresses_of_accounts(workspace).await.into_iter().collect();
    let staged: BTreeSet<String> = addresses_of_staged(workspace).await.into_iter().collect();
    let everybody = accounts.union(&staged).count() == users;
    let completed = count["completed"].as_u64().unwrap_or(0);
    let counted = completed <= accounts.len() as u64 && completed + staged.len() as u64 >= users as u64;
    let counted = counted && count["error"].as_u64().unwrap_or(0) == 0;
    (!everybody || !counted).then(|| format!("{} accounts, {} staged, counted {count}", accounts.len(), staged.len()))
}

/// All addresses in a collection, as often as they are in there: `address` of every item in `list`.
async fn emails(workspace: &Workspace, collection: &str, list: &str, address: &str) -> Vec<String> {
    let pipeline = [
        doc! { "$match": { "_id": { "$ne": "admin" } } },
        doc! { "$unwind": list },
        doc! { "$project": { "address": address } },
    ];
    let found = workspace.collection(collection).aggregate(pipeline).await.unwrap();
    let found: Vec<Document> = found.try_collect().await.unwrap();
    found.iter().map(|document| document.get_str("address").unwrap().to_owned()).collect()
}

async fn addresses_of_accounts(workspace: &Workspace) -> Vec<String> {
    emails(workspace, "users", "$emails", "$emails.address").await
}

async fn addresses_of_staged(workspace: &Workspace) -> Vec<String> {
    emails(workspace, "rocketchat_import_data", "$data.emails", "$data.emails").await
}
