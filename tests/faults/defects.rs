//! Defects of the release before receipts, seen by what every release shows: `import.status`, `import.errors` and the
//! collections. So these run with the program of any release, as they did when the defects were mended.

use std::time::Duration;

use bson::{Bson, DateTime, doc};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    harness::{Service, Workspace, eventually, staged_users, user},
    replica_set::ReplicaSet,
};

const USERS: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(90);
/// The leases of this release, and of those without receipts.
const LEASES: [&str; 2] = ["rocketchat_import_service_run_leases", "rocketchat_import_service_leases"];

/// Waits until the import has ended; its state, and how many users it counts as completed and as failed.
async fn end(service: &Service, patience: Duration) -> (String, u64, u64) {
    let mut last = json!(null);
    let begun = Instant::now();
    while begun.elapsed() < patience && last["state"] != "done" && last["state"] != "error" {
        sleep(Duration::from_millis(100)).await;
        last = service.status().await.json();
    }
    let count = |name: &str| last["operation"]["count"][name].as_u64().unwrap_or_default();
    let state = if last["state"] == "importing" { &last["operation"]["status"] } else { &last["state"] };
    (state.as_str().unwrap_or_default().to_owned(), count("completed"), count("error"))
}

impl Workspace {
    async fn completed(&self, operation: &str) -> i64 {
        let operation = self.operation_named(operation).await;
        let completed = operation.get_document("count").ok().and_then(|count| count.get("completed"));
        completed.and_then(|number| number.as_i64().or_else(|| number.as_i32().map(i64::from))).unwrap_or_default()
    }

    /// Lets the lease of an operation run out at once.
    async fn expire_lease(&self, operation: &str) {
        for leases in LEASES {
            let past = doc! { "$set": { "until": DateTime::from_millis(0) } };
            self.collection(leases).update_one(doc! { "_id": operation }, past).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_error_that_passes_costs_nobody() {
    let set = ReplicaSet::of_three().await;
    let mut ends = Vec::new();
    for (command, code) in [("getMore", 262), ("getMore", 134), ("getMore", 11_601), ("insert", 262), ("aggregate", 50)]
    {
        let workspace = set.workspace().await;
        let service = workspace.serve().await;
        service.ready().await;
        service.stage(&staged_users(0..USERS)).await;
        let what = doc! { "failCommands": [command], "errorCode": code };
        set.fail(set.primary().await, doc! { "times": 1 }, what).await;
        service.run_import().await;
        let end = end(&service, PATIENCE).await;
        set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
        ends.push(format!("{command} {code}: {} with {} of {USERS}", end.0, end.1));
        assert_eq!(end.1, workspace.count_imported().await, "{ends:?}");
    }
    let well = |end: &String| end.ends_with(&format!("done with {USERS} of {USERS}"));
    assert!(ends.iter().all(well), "{ends:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_a_former_holder_that_is_late_leaves_the_reasons_alone() {
    const FAILING: usize = 300;
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let mut users = staged_users(0..800);
    for (number, staged) in users.iter_mut().take(FAILING).enumerate() {
        let name = format!("taken{number}");
        workspace.add_user(user(&name)).await;
        staged["username"] = json!(name);
    }
    let (first, second) = (workspace.serve().await, workspace.serve().await);
    first.ready().await;
    second.ready().await;
    first.stage(&users).await;
    let staging = format!("{}.rocketchat_import_data", workspace.database.name());
    let late = doc! { "failCommands": ["update"], "namespace": staging, "blockConnection": true, "blockTimeMS": 8000 };
    set.fail(set.primary().await, doc! { "times": 1 }, late).await;
    first.run_import().await;
    let end = end(&second, PATIENCE).await;
    // Until the late write has come, too.
    sleep(Duration::from_secs(9)).await;
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    let reasons = second.get_as_admin("/api/v1/import.errors?count=1").await.json()["total"].clone();
    let marked = doc! { "errors.0": { "$exists": true } };
    let marked = workspace.collection("rocketchat_import_data").count_documents(marked).await.unwrap();
    assert_eq!((end, reasons, marked), (("done".to_owned(), 500, 300), json!(300), 300));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_take_eleven_seconds_delay_a_run_and_do_not_stop_it() {
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    service.stage(&staged_users(0..USERS)).await;
    let staging = format!("{}.rocketchat_import_data", workspace.database.name());
    let slow =
        doc! { "failCommands": ["aggregate"], "namespace": staging, "blockConnection": true, "blockTimeMS": 11_000 };
    set.fail(set.primary().await, Bson::from("alwaysOn"), slow).await;
    service.run_import().await;
    let end = end(&service, PATIENCE).await;
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    let taken_over = service.log_lines("taking over").len();
    assert_eq!((end, taken_over), (("done".to_owned(), USERS as u64, 0), 0));
}

/// An instance sleeps, another one takes over, gets on and dies, and the first one wakes and takes its own lease over: what it
/// counted before does not count any more. Time is not waited for: the leases run out at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_wakes_after_its_successor_died_does_not_set_the_counters_back() {
    const ROUNDS: usize = 6;
    let set = ReplicaSet::of_three().await;
    let mut backwards = Vec::new();
    for round in 0..ROUNDS {
        let workspace = set.workspace().await;
        let first = workspace.serve().await;
        first.ready().await;
        let operation = first.stage(&staged_users(0..4 * USERS)).await;
        set.delay(set.primary().await, "insert", Duration::from_millis(150)).await;
        first.run_import().await;
        eventually("the first counts", PATIENCE, async || workspace.completed(&operation).await >= 500).await;
        first.signal(Signal::SIGSTOP);
        let second = workspace.serve().await;
        workspace.expire_lease(&operation).await;
        let before = workspace.completed(&operation).await;
        eventually("the second gets on", PATIENCE, async || workspace.completed(&operation).await >= before + 2_000)
            .await;
        second.kill();
        workspace.expire_lease(&operation).await;
        let mut highest = workspace.completed(&operation).await;
        first.signal(Signal::SIGCONT);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(6) {
            let completed = workspace.completed(&operation).await;
            if completed < highest {
                backwards.push(format!("round {round}: {completed} after {highest}"));
                break;
            }
            highest = completed;
        }
        set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
        let end = end(&first, PATIENCE).await;
        assert_eq!(end, ("done".to_owned(), 4 * USERS as u64, 0), "round {round}");
        assert_eq!(workspace.count_imported().await, 4 * USERS as u64);
    }
    assert_eq!(backwards, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_whose_records_vanish_during_the_run_are_not_counted_as_completed() {
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    service.stage(&staged_users(0..8 * USERS)).await;
    service.run_import().await;
    eventually("users arrive", PATIENCE, async || workspace.count_imported().await > 1000).await;
    // The clean-up of Rocket.Chat's own run, which is not limited to its operation.
    let succeeded = doc! { "errors": { "$exists": false } };
    workspace.collection("rocketchat_import_data").delete_many(succeeded).await.unwrap();
    let (state, completed, failed) = end(&service, PATIENCE).await;
    let accounts = workspace.count_imported().await;
    assert_eq!((state.as_str(), completed, failed), ("error", accounts, 0), "{accounts} accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clear_whose_removal_is_late_leaves_the_next_import_alone() {
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let (first, second) = (workspace.serve().await, workspace.serve().await);
    first.ready().await;
    second.ready().await;
    first.stage(&staged_users(0..10)).await;
    let late = doc! { "failCommands": ["delete"], "blockConnection": true, "blockTimeMS": 5000 };
    set.fail(set.primary().await, doc! { "times": 1 }, late).await;
    let clear = json!({});
    let next = async {
        sleep(Duration::from_millis(500)).await;
        second.stage(&staged_users(10..10 + 12 * USERS)).await;
        second.run_import().await;
        end(&second, PATIENCE).await
    };
    let (_, end) = tokio::join!(first.post("/api/v1/import.clear", &clear), next);
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    let accounts = workspace.count_imported().await;
    assert_eq!((end, accounts), (("done".to_owned(), 12 * USERS as u64, 0), 12 * USERS as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operations_over_the_same_records_count_each_user_once() {
    /// How long the database takes for a batch.
    const SLOWNESS: Duration = Duration::from_secs(2);
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let service = workspace.serve().await;
    service.ready().await;
    let operation = service.stage(&staged_users(0..5 * USERS)).await;
    // For accounts alone, since the second operation is to begin meanwhile. The fail point stays: to switch it off would wait
    // for the batches that it holds up.
    let accounts = format!("{}.users", workspace.database.name());
    let time = i64::try_from(SLOWNESS.as_millis()).unwrap();
    let slow = doc! { "failCommands": ["insert"], "namespace": accounts, "blockConnection": true, "blockTimeMS": time };
    set.fail(set.primary().await, Bson::from("alwaysOn"), slow).await;
    service.run_import().await;
    eventually("users arrive", PATIENCE, async || workspace.count_imported().await > 1500).await;
    sleep(SLOWNESS / 4).await;
    // As Rocket.Chat's start does it. Batches are under way, and their records are still staged.
    let valid = doc! { "valid": { "$ne": false } };
    let operations = workspace.collection("rocketchat_import");
    operations.update_many(valid, doc! { "$set": { "valid": false } }).await.unwrap();
    eventually("the import is resumed", PATIENCE, async || {
        service.post("/api/v1/import.resume", &json!({})).await.status == 200
    })
    .await;
    service.run_import().await;
    let (state, completed, failed) = end(&service, PATIENCE).await;
    // Until what the first run had in hand was counted.
    sleep(SLOWNESS * 2).await;
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    let before = u64::try_from(workspace.completed(&operation).await).unwrap();
    let accounts = workspace.count_imported().await;
    assert_eq!((state.as_str(), before + completed, failed), ("done", accounts, 0), "{before} and {completed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_record_without_room_for_its_reason_is_counted_and_listed() {
    const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    workspace.add_user(user("existing")).await;
    let service = workspace.serve().await;
    service.ready().await;
    service.stage(&staged_users(0..20)).await;
    let staging = workspace.collection("rocketchat_import_data");
    let record = staging.find_one(doc! {}).await.unwrap().unwrap();
    let id = doc! { "_id": record.get("_id").unwrap().clone() };
    let taken = doc! { "$set": { "data.username": "existing", "data.unknown": "" } };
    staging.update_one(id.clone(), taken).await.unwrap();
    let record = staging.find_one(id.clone()).await.unwrap().unwrap();
    let room = LARGEST_DOCUMENT - bson::serialize_to_vec(&record).unwrap().len() - 20;
    staging.update_one(id, doc! { "$set": { "data.unknown": "x".repeat(room) } }).await.unwrap();
    service.run_import().await;
    let end = end(&service, PATIENCE).await;
    let listed = service.get_as_admin("/api/v1/import.errors").await.json()["total"].clone();
    assert_eq!((end, listed), (("done".to_owned(), 19, 1), json!(1)));
}
