//! Rocket.Chat's own processes, and other instances, that write to the same collections in the middle of an import.
//!
//! Source of what Rocket.Chat does: `apps/meteor/server/services/import/service.ts`, `apps/meteor/app/importer/server`.

use std::time::{Duration, Instant};

use bson::{Bson, DateTime, doc};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    harness::{Service, Workspace, eventually, staged_users},
    invariants::{differences, differences_from_receipt},
    replica_set::ReplicaSet,
    report::Row,
};

/// Users of an import whose records are taken away.
const MANY_USERS: usize = 100_000;
/// Users of all others.
const USERS: usize = 12_000;
/// Accounts after which an import is certainly under way.
const UNDER_WAY: u64 = 1500;
const PATIENCE: Duration = Duration::from_secs(180);
/// Longer than a lease lives.
const LONGER_THAN_A_LEASE: Duration = Duration::from_millis(5500);
/// How long an answer to `import.new` may take, whatever is removed.
const NEW_PATIENCE: Duration = Duration::from_secs(6);

const OPERATIONS: &str = "rocketchat_import";
const STAGING: &str = "rocketchat_import_data";

/// An import that somebody else disturbs.
struct Disturbed {
    fault: &'static str,
    workspace: Workspace,
    services: Vec<Service>,
    operation: String,
    users: usize,
}

impl Disturbed {
    /// An import that is under way on the first of so many instances.
    async fn begin(fault: &'static str, set: &ReplicaSet, instances: usize, users: usize) -> Self {
        let workspace = set.workspace().await;
        let mut services = Vec::new();
        for _ in 0..instances {
            services.push(workspace.serve().await);
        }
        let operation = services[0].stage(&staged_users(0..users)).await;
        let trial = Self { fault, workspace, services, operation, users };
        trial.services[0].run_import().await;
        trial.is_under_way().await;
        trial
    }

    async fn is_under_way(&self) {
        eventually("users arrive", PATIENCE, async || self.workspace.count_imported().await > UNDER_WAY).await;
    }

    /// Waits until the operation is over and no run of it goes on; how it ended.
    async fn end(&self) -> bson::Document {
        let leases = self.workspace.collection("rocketchat_import_service_run_leases");
        eventually("the run is over", PATIENCE, async || {
            leases.count_documents(doc! { "_id": &self.operation }).await.unwrap() == 0
        })
        .await;
        self.workspace.operation_named(&self.operation).await
    }

    /// The counters of the operation, which is over, against everything that is stored.
    async fn counted(&self) -> (u64, u64) {
        let operation = self.end().await;
        let count = operation.get_document("count").unwrap();
        let number = |name: &str| match count.get(name) {
            Some(Bson::Int32(number)) => u64::try_from(*number).unwrap(),
            Some(Bson::Int64(number)) => u64::try_from(*number).unwrap(),
            _ => 0,
        };
        (number("completed"), number("error"))
    }

    /// The operation has ended before everybody was imported: it counts those who were.
    async fn assert_ended_early(&self) -> u64 {
        let counted = self.counted().await;
        let accounts = self.workspace.count_imported().await;
        assert_eq!(counted, (accounts, 0), "{}", self.log());
        assert!(accounts < self.users as u64, "the import was over before the fault: {}", self.fault);
        assert!(!self.ended_done().await, "{}", self.log());
        let service = self.services.last().unwrap();
        let wrong = differences_from_receipt(&self.workspace, service, &self.operation, counted).await;
        assert_eq!(wrong, [""; 0], "{}", self.log());
        accounts
    }

    async fn ended_done(&self) -> bool {
        let operation = self.end().await;
        operation.get_str("status").unwrap() == "importer_done"
    }

    /// The newest operation is done, has `users` users, and counts those who were not there before it.
    async fn assert_done(&self, users: u64, accounts_before: u64) -> Value {
        let service = self.services.last().unwrap();
        let done = service.wait_for_state("done").await;
        let count = json!({ "total": users, "users": users, "completed": users, "error": 0 });
        assert_eq!(done["operation"]["count"], count, "{}", self.log());
        let accounts = self.workspace.count_imported().await - accounts_before;
        assert_eq!(differences(&self.workspace, service, &done, accounts).await, [""; 0], "{}", self.log());
        for service in &self.services {
            assert_eq!(service.log_lines("panicked"), [""; 0]);
        }
        self.workspace.left_staged(0).await;
        done
    }

    fn log(&self) -> String {
        let lines = self.services.iter().flat_map(|service| service.log_lines(""));
        lines.filter(|line| !line.contains("target=access")).collect::<Vec<_>>().join("\n")
    }

    fn tell(&self, users: u64) {
        Row::of_dropped(self.fault, users, 0, 0).tell();
    }
}

impl Workspace {
    /// What every Rocket.Chat process does when it starts, and at the beginning of a new import.
    async fn invalidate_as_rocket_chat_does(&self) {
        let valid = doc! { "valid": { "$ne": false } };
        self.collection(OPERATIONS).update_many(valid, doc! { "$set": { "valid": false } }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_by_rocket_chat_among_many_users_never_ends_in_done() {
    let set = ReplicaSet::of_three().await;
    let fault = "Rocket.Chat's clean-up among 100,000 staged users: ends in `error`, counts are exact";
    let trial = Disturbed::begin(fault, set, 1, MANY_USERS).await;
    let succeeded = doc! { "errors": { "$exists": false } };
    let removed = trial.workspace.collection(STAGING).delete_many(succeeded).await.unwrap().deleted_count;
    assert!(removed > 0);
    let ended = trial.services[0].wait_for_state("error").await;
    let accounts = trial.assert_ended_early().await;
    assert_eq!(differences(&trial.workspace, &trial.services[0], &ended, accounts).await, [""; 0]);
    let problem = ended["operation"]["import"]["problem"].as_str().unwrap();
    let missing = MANY_USERS as u64 - accounts;
    assert_eq!(problem, format!("{missing} staged records were removed by another process during the run"));
    trial.tell(accounts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_uploaded_to_rocket_chat_ends_the_run_and_is_left_alone() {
    let set = ReplicaSet::of_three().await;
    let fault = "Rocket.Chat's `uploadImportFile`: the run ends, counts are exact, the new operation is left alone";
    let trial = Disturbed::begin(fault, set, 1, USERS).await;
    trial.workspace.invalidate_as_rocket_chat_does().await;
    trial.workspace.collection(STAGING).delete_many(doc! {}).await.unwrap();
    let theirs = doc! {
        "_id": "theirs", "type": "CSV", "importerKey": "csv", "ts": DateTime::now(), "status": "importer_uploading",
        "valid": true, "user": "admin", "_updatedAt": DateTime::now(),
    };
    trial.workspace.collection(OPERATIONS).insert_one(theirs.clone()).await.unwrap();
    let record = doc! { "_id": "their-record", "dataType": "user", "data": { "username": "theirs" } };
    trial.workspace.collection(STAGING).insert_one(record.clone()).await.unwrap();

    let accounts = trial.assert_ended_early().await;
    assert_eq!(trial.services[0].status().await.json()["operation"]["_id"], "theirs");
    // Also what is tidied up in the background.
    sleep(LONGER_THAN_A_LEASE).await;
    assert_eq!(trial.workspace.operation_named("theirs").await, theirs);
    assert_eq!(trial.workspace.staged().await, [record]);
    trial.tell(accounts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_set_back_under_a_run_changes_nothing_of_its_end() {
    let set = ReplicaSet::of_three().await;
    let fault = "Rocket.Chat's `getImportFileData` sets the status back: ends in `done`, counts are exact";
    let trial = Disturbed::begin(fault, set, 2, USERS).await;
    let selection = doc! { "status": "importer_user_selection", "_updatedAt": DateTime::now() };
    trial.workspace.change_operation(&trial.operation, selection).await;
    // Nobody can begin it a second time meanwhile.
    let again = trial.services[1].try_run().await;
    assert_eq!(again.status, 400, "{}", again.body);
    trial.assert_done(USERS as u64, 0).await;
    trial.tell(USERS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_set_back_under_a_run_that_dies_is_not_believed() {
    let set = ReplicaSet::of_three().await;
    let fault = "`getImportFileData` sets the status back, then the instance is killed: the next one finishes it";
    let mut trial = Disturbed::begin(fault, set, 2, USERS).await;
    let selection = doc! { "status": "importer_user_selection", "_updatedAt": DateTime::now() };
    trial.services[0].signal(nix::sys::signal::Signal::SIGSTOP);
    trial.workspace.change_operation(&trial.operation, selection).await;
    trial.services.remove(0).kill();
    trial.assert_done(USERS as u64, 0).await;
    trial.tell(USERS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_rocket_chat_ends_the_run_and_the_rest_is_imported_after_a_resume() {
    let set = ReplicaSet::of_three().await;
    let fault = "Rocket.Chat starts and invalidates the operation; `import.resume` finishes it";
    let trial = Disturbed::begin(fault, set, 1, USERS).await;
    trial.workspace.invalidate_as_rocket_chat_does().await;
    let accounts = trial.assert_ended_early().await;
    let resumed = trial.services[0].post("/api/v1/import.resume", &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    trial.services[0].run_import().await;
    trial.assert_done(USERS as u64 - accounts, accounts).await;
    trial.tell(USERS as u64);
}

/// Its counters and its status are those of a run that found nobody to import.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_rocket_chat_beside_ours_does_not_make_a_false_done() {
    let set = ReplicaSet::of_three().await;
    let fault = "Rocket.Chat starts the operation that we run, counts for itself and says `done`";
    let trial = Disturbed::begin(fault, set, 1, USERS).await;
    for status in ["importer_importing_started", "importer_importing_users", "importer_finishing", "importer_done"] {
        let progress =
            doc! { "status": status, "count.completed": 50, "count.error": 7, "_updatedAt": DateTime::now() };
        trial.workspace.change_operation(&trial.operation, progress).await;
        sleep(Duration::from_millis(50)).await;
    }
    trial.end().await;
    trial.assert_done(USERS as u64, 0).await;
    trial.tell(USERS as u64);
}

/// The same, and the run dies: nobody is left who knows better than what stands in the operation.
#[tokio::test(flavor = "multi_thread")]
async fn a_done_that_rocket_chat_wrote_under_a_run_that_dies_is_not_believed() {
    let set = ReplicaSet::of_three().await;
    let fault = "Rocket.Chat says `done` of the operation that we run, then the instance is killed";
    let mut trial = Disturbed::begin(fault, set, 2, USERS).await;
    trial.services[0].signal(nix::sys::signal::Signal::SIGSTOP);
    let done =
        doc! { "status": "importer_done", "count.completed": 50, "count.error": 7, "_updatedAt": DateTime::now() };
    trial.workspace.change_operation(&trial.operation, done).await;
    trial.services.remove(0).kill();
    trial.end().await;
    trial.assert_done(USERS as u64, 0).await;
    trial.tell(USERS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_is_late_leaves_the_next_import_alone() {
    let set = ReplicaSet::of_three().await;
    let fault = "`import.new` twice, of which the removals are late by 4 s: the next import is left alone";
    let trial = Disturbed::begin(fault, set, 2, USERS).await;
    set.delay(set.primary().await, "delete", Duration::from_secs(4)).await;
    let begun = Instant::now();
    let (first, second) = (trial.services[0].new_import(), trial.services[1].new_import());
    tokio::join!(first, second);
    assert!(begun.elapsed() < NEW_PATIENCE, "import.new took {:?}", begun.elapsed());
    let accounts = trial.assert_ended_early().await;
    let newest = &trial.services[1];
    for call in staged_users(USERS..2 * USERS).chunks(1000) {
        newest.add_users(call).await;
    }
    newest.run_import().await;
    newest.wait_for_state("done").await;
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    trial.assert_done(USERS as u64, accounts).await;
    trial.tell(USERS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_beside_a_run_that_drains_slowly_counts_nobody_twice() {
    let set = ReplicaSet::of_three().await;
    let fault = "`import.resume` and `import.run` while the batches of the run before take 1.5 s";
    let trial = Disturbed::begin(fault, set, 2, USERS).await;
    set.delay(set.primary().await, "insert", Duration::from_millis(1500)).await;
    sleep(Duration::from_millis(200)).await;
    trial.workspace.invalidate_as_rocket_chat_does().await;
    let resumed = trial.services[1].post("/api/v1/import.resume", &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    let run = trial.services[1].try_run().await;
    assert_eq!(run.status, 200, "{}", run.body);
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    let counted = trial.counted().await;
    let service = &trial.services[1];
    let wrong = differences_from_receipt(&trial.workspace, service, &trial.operation, counted).await;
    assert_eq!((wrong, counted.1), (Vec::new(), 0));
    trial.assert_done(USERS as u64 - counted.0, counted.0).await;
    trial.tell(USERS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_stored_costs_itself_and_nobody_else() {
    let set = ReplicaSet::of_three().await;
    let fault = "an account over 16 MiB among the others: fails with a reason, the others are imported";
    let workspace = set.workspace().await;
    let service = workspace.serve().await;
    // The account, in which each takes 45 bytes, is larger than a document may be.
    let emails: Vec<String> = (0..420_000).map(|number| format!("a{number}@b.c")).collect();
    service.stage(&staged_users(0..USERS / 4)).await;
    service.add_users(&[json!({ "username": "giant", "importIds": ["giant"], "emails": emails })]).await;
    for call in staged_users(USERS / 4..USERS / 2).chunks(1000) {
        service.add_users(call).await;
    }
    service.run_import().await;
    let done = service.wait_for_state("done").await;
    let (users, total) = (USERS as u64 / 2, USERS as u64 / 2 + 1);
    let count = json!({ "total": total, "users": total, "completed": users, "error": 1 });
    assert_eq!(done["operation"]["count"], count);
    assert_eq!(workspace.count_imported().await, users);
    assert_eq!(differences(&workspace, &service, &done, users).await, [""; 0]);
    workspace.left_staged(1).await;
    Row::of_dropped(fault, users, 0, 0).tell();
}

/// The lease is lost to another instance again and again, or is not; either way everybody is imported once.
#[tokio::test(flavor = "multi_thread")]
async fn commands_that_take_longer_than_a_lease_lives_delay_a_run_and_nothing_else() {
    let set = ReplicaSet::of_three().await;
    for (fault, command) in [
        ("each `aggregate` takes 5.5 s, twice: longer than a lease lives", "aggregate"),
        ("each `update` takes 5.5 s, eight times: longer than a lease lives", "update"),
        ("each `findAndModify` takes 5.5 s, eight times: longer than a lease lives", "findAndModify"),
    ] {
        let workspace = set.workspace().await;
        let services = vec![workspace.serve().await, workspace.serve().await];
        let operation = services[0].stage(&staged_users(0..USERS)).await;
        let trial = Disturbed { fault, workspace, services, operation, users: USERS };
        let primary = set.primary().await;
        let time = i64::try_from(LONGER_THAN_A_LEASE.as_millis()).unwrap();
        let slow = doc! { "failCommands": [command], "blockConnection": true, "blockTimeMS": time };
        // The counting before the first user is slow, too.
        if command == "aggregate" {
            set.fail(primary, doc! { "times": 2 }, slow).await;
            trial.services[0].run_import().await;
        } else {
            trial.services[0].run_import().await;
            trial.is_under_way().await;
            set.fail(primary, doc! { "times": 8 }, slow).await;
        }
        trial.assert_done(USERS as u64, 0).await;
        set.fail(primary, Bson::from("off"), doc! {}).await;
        if command == "aggregate" {
            assert_eq!(trial.services[1].log_lines("taking over"), [""; 0], "a lease is renewed beside the counting");
        }
        trial.tell(USERS as u64);
    }
}
