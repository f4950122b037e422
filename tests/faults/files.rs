//! Two instances load and run a Slack export, and something happens in the middle of either.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::doc;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    harness::{Service, SlackExport, Workspace, eventually},
    mongod::Mongod,
    replica_set::ReplicaSet,
    report::Row,
    trial::PATIENCE,
};

const EXPORT: SlackExport = SlackExport { rooms: 4, messages: 3000 };
/// This part of the messages is there when the fault comes.
const PART_BEFORE: u64 = 6;
/// Longer than an election takes, and longer than a lease lives.
const LONG_SLEEP: Duration = Duration::from_secs(7);

/// An export on its way into a workspace with two instances.
struct FileTrial {
    fault: &'static str,
    workspace: Workspace,
    services: Vec<Service>,
    /// How long the import stood still after the faults.
    stood_still: Duration,
}

impl FileTrial {
    async fn begin(fault: &'static str, set: &ReplicaSet) -> Self {
        let workspace = set.workspace().await;
        let services = vec![workspace.serve().await, workspace.serve().await];
        let upload = json!({
            "binaryContent": BASE64_STANDARD.encode(EXPORT.zip()), "contentType": "application/zip",
            "fileName": "export.zip", "importerKey": "slack",
        });
        services[0].ready().await;
        assert_eq!(services[0].post("/api/v1/uploadImportFile", &upload).await.status, 200);
        let trial = Self { fault, workspace, services, stood_still: Duration::ZERO };
        trial.has("rocketchat_import_data", EXPORT.all() / PART_BEFORE).await;
        assert_eq!(trial.last().status().await.json()["state"], "loading", "it was over before the fault");
        trial
    }

    /// Waits until the collection holds so many messages.
    async fn has(&self, collection: &str, messages: u64) {
        let of_kind = if collection == "rocketchat_import_data" {
            doc! { "dataType": "message" }
        } else {
            doc! {}
        };
        eventually("messages arrive", PATIENCE, async || {
            let count = self.workspace.collection(collection).count_documents(of_kind.clone()).await;
            count.is_ok_and(|count| count >= messages)
        })
        .await;
    }

    fn last(&self) -> &Service {
        self.services.last().unwrap()
    }

    /// Waits until loading goes on after the fault and ends, and starts the run.
    async fn run(&mut self) {
        let since = Instant::now();
        self.has("rocketchat_import_data", EXPORT.all()).await;
        self.last().wait_for_state("ready").await;
        self.stood_still = since.elapsed();
        let input = json!({ "users": { "all": true }, "channels": { "all": true } });
        let started = self.last().post("/api/v1/startImport", &json!({ "input": input })).await;
        assert_eq!(started.status, 200, "{}", started.body);
        self.has("rocketchat_message", EXPORT.all() / PART_BEFORE).await;
        assert!(self.last().status().await.json()["state"] == "importing", "it was over before the fault");
    }

    /// Waits for the end, and holds everything against everything.
    async fn reckon(self) {
        let since = Instant::now();
        self.last().wait_for_state("done").await;
        let slowest = self.stood_still.max(since.elapsed());
        EXPORT.assert_stored(&self.workspace, self.last()).await;
        for service in &self.services {
            assert_eq!(service.log_lines("panicked"), [""; 0]);
        }
        Row::of_file(self.fault, EXPORT.all(), slowest).tell();
        self.workspace.left_staged(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_killed_while_a_file_is_loaded_and_run_costs_no_message() {
    let set = ReplicaSet::of_three().await;
    let kill = async || {
        let primary = set.primary().await;
        set.members[primary].kill();
        set.successor(primary).await;
        set.members[primary].start_again();
        set.well().await;
    };
    let mut trial = FileTrial::begin("file: primary killed while it is loaded, and while it runs", set).await;
    kill().await;
    trial.run().await;
    kill().await;
    trial.reckon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_freezes_while_a_file_is_loaded_and_run_costs_no_message() {
    let set = ReplicaSet::of_three().await;
    let freeze = async || {
        let primary = set.primary().await;
        set.members[primary].freeze();
        let (deposed, slept) = (set.successor(primary), sleep(LONG_SLEEP));
        tokio::join!(deposed, slept);
        set.members[primary].thaw();
    };
    let mut trial = FileTrial::begin("file: primary frozen for 7 s while it is loaded, and while it runs", set).await;
    freeze().await;
    trial.run().await;
    freeze().await;
    trial.reckon().await;
    set.well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_one_dies_while_a_file_is_loaded_and_one_sleeps_while_it_runs() {
    let set = ReplicaSet::of_three().await;
    let mut trial =
        FileTrial::begin("file: instance killed while it is loaded, and frozen for 7 s while it runs", set).await;
    trial.services.remove(0).kill();
    trial.services.insert(0, trial.workspace.serve().await);
    trial.run().await;
    // The one that was called runs it; from now on the other one is called.
    trial.services.swap(0, 1);
    trial.services[0].signal(Signal::SIGSTOP);
    sleep(LONG_SLEEP).await;
    trial.services[0].signal(Signal::SIGCONT);
    trial.reckon().await;
}

/// A step that only the primary has stored yet is this run's own, however long a majority takes.
#[tokio::test(flavor = "multi_thread")]
async fn secondaries_that_answer_late_do_not_make_a_run_believe_in_another_process() {
    /// Longer than a run looks before it believes that somebody else has changed the operation.
    const LATE: Duration = Duration::from_millis(600);
    const BETWEEN: Duration = Duration::from_millis(50);

    let set = ReplicaSet::of_three().await;
    let mut trial = FileTrial::begin("file: the secondaries answer 0.6 s late while it runs", set).await;
    trial.has("rocketchat_import_data", EXPORT.all()).await;
    trial.last().wait_for_state("ready").await;
    let input = json!({ "users": { "all": true }, "channels": { "all": true } });
    let started = trial.last().post("/api/v1/startImport", &json!({ "input": input })).await;
    assert_eq!(started.status, 200, "{}", started.body);
    let primary = set.primary().await;
    let secondaries =
        || set.members.iter().enumerate().filter(|(member, _)| *member != primary).map(|(_, member)| member);
    let since = Instant::now();
    while trial.last().status().await.json()["state"] == "importing" && since.elapsed() < PATIENCE {
        secondaries().for_each(Mongod::freeze);
        sleep(LATE).await;
        secondaries().for_each(Mongod::thaw);
        sleep(BETWEEN).await;
    }
    trial.stood_still = since.elapsed();
    trial.reckon().await;
}
