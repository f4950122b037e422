//! Instances that die while a file is loaded and run, and a start of Rocket.Chat in between.

use rand::Rng as _;
use tokio::time::sleep;

use super::*;

const ROOMS: usize = 4;
const STEP: Duration = Duration::from_millis(40);
/// How long the next step may take, also for the many messages of the long test.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often an import goes on by itself after Rocket.Chat's start ended it. A call is needed from then on.
const MOST_RESUMPTIONS: u64 = 5;

async fn count(workspace: &Workspace, collection: &str, filter: Document) -> u64 {
    workspace.collection(collection).count_documents(filter).await.unwrap()
}

/// What happens while a file is loaded, or run, to `goal` messages.
#[derive(Clone, Copy)]
struct Troubles {
    goal: u64,
    kills: u64,
    /// Starts of Rocket.Chat, each some kills after the one before.
    starts: u64,
}

/// An import, and the instance that has it in hand.
struct Troubled<'a> {
    workspace: &'a Workspace,
    service: Service,
    /// Starts of Rocket.Chat so far.
    starts: u64,
}

impl Troubled<'_> {
    /// Kills the instance so often, each time when about so much more is there.
    async fn through(mut self, troubles: Troubles, progress: impl AsyncFn() -> u64) -> Self {
        let Troubles { goal, kills, starts } = troubles;
        let mut seen = Vec::new();
        for kill in 1..=kills {
            let next = goal * kill / (kills + 2);
            eventually("something gets on", PATIENCE, async || progress().await >= next).await;
            a_moment().await;
            self.service.kill();
            seen.push(progress().await);
            self.service = self.workspace.serve().await;
            if kill % (kills / starts) == 0 {
                a_moment().await;
                self.outlive_a_start_of_rocket_chat().await;
            }
        }
        println!("of {goal} when killed: {seen:?}");
        assert!(seen.iter().all(|seen| *seen < goal), "it was over before the last kill");
        self
    }

    /// Ends the operation as every process of Rocket.Chat does when it starts, and waits for the one that goes on.
    async fn outlive_a_start_of_rocket_chat(&mut self) {
        let operations = self.workspace.collection("rocketchat_import");
        let valid = doc! { "valid": { "$ne": false } };
        let ended = operations.update_many(valid.clone(), doc! { "$set": { "valid": false } }).await.unwrap();
        assert_eq!(ended.modified_count, 1, "one operation was under way");
        self.starts += 1;
        if self.starts > MOST_RESUMPTIONS {
            assert_eq!(self.service.post("/api/v1/import.resume", &json!({})).await.status, 200);
            if self.service.status().await.json()["state"] == "ready" {
                assert_eq!(self.service.start_import(everything()).await.status, 200);
            }
        }
        let is_going_on = async || operations.count_documents(valid.clone()).await.unwrap() == 1;
        eventually("another operation goes on", PATIENCE, is_going_on).await;
    }
}

async fn a_moment() {
    sleep(STEP.mul_f64(rand::rng().random_range(0.0..1.0))).await;
}

async fn killed_again_and_again(messages: usize, kills: u64, starts: u64) {
    let export = SlackExport { rooms: ROOMS, messages };
    let workspace = workspace().await.ready_for_imports().await;
    let general = doc! { "_id": "GENERAL", "t": "c", "name": "general", "default": true, "msgs": 0, "usersCount": 0 };
    workspace.fill("rocketchat_room", vec![general]).await;
    let all = export.all();
    let service = workspace.serve().await;
    let upload = json!({
        "binaryContent": BASE64_STANDARD.encode(export.zip()), "contentType": "application/zip",
        "fileName": "export.zip", "importerKey": "slack",
    });
    assert_eq!(service.post("/api/v1/uploadImportFile", &upload).await.status, 200);
    let import = Troubled { workspace: &workspace, service, starts: 0 };
    let troubles = Troubles { goal: all, kills, starts };
    let staged = async || count(&workspace, "rocketchat_import_data", doc! { "dataType": "message" }).await;
    let import = import.through(troubles, staged).await;
    import.service.wait_for_state("ready").await;
    assert_eq!(staged().await, all);
    assert_eq!(import.service.start_import(everything()).await.status, 200);
    let import = import.through(troubles, async || count(&workspace, "rocketchat_message", doc! {}).await).await;
    let done = import.service.wait_for_state("done").await;

    let number = |name: &str| done["operation"]["count"][name].as_u64();
    assert_eq!((number("completed"), number("error")), (number("total"), Some(0)), "{done}");
    export.assert_stored(&workspace, &import.service).await;
    check_rooms(&workspace).await;
    let general = workspace.found("rocketchat_room", doc! { "_id": "GENERAL" }).await.remove(0);
    assert_eq!(general.get_i32("usersCount").unwrap(), 10, "{general}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_loads_and_runs_an_import_still_stores_every_message_once() {
    killed_again_and_again(2500, 2, 1).await;
}

/// Long: 100,000 messages, killed twenty times while they are loaded and twenty times while they are stored. Rocket.Chat starts
/// five times each.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn killed_forty_times_an_import_still_stores_every_message_once() {
    killed_again_and_again(25_000, 20, 5).await;
}
