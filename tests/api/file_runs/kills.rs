//! Instances that die while a file is loaded and run, and a start of Rocket.Chat in between.

use rand::Rng as _;
use tokio::time::sleep;

use super::*;

const ROOMS: usize = 4;
const STEP: Duration = Duration::from_millis(40);

async fn count(workspace: &Workspace, collection: &str, filter: Document) -> u64 {
    workspace.collection(collection).count_documents(filter).await.unwrap()
}

/// Kills the instance so often, each time when about so much more is there, and returns the one that is left.
async fn kill_while(
    workspace: &Workspace,
    mut service: Service,
    kills: u64,
    (from, to): (u64, u64),
    progress: impl AsyncFn() -> u64,
) -> Service {
    let mut seen = Vec::new();
    for kill in 1..=kills {
        let goal = from + (to - from) * kill / (kills + 2);
        eventually("something gets on", PATIENCE, async || progress().await >= goal).await;
        sleep(STEP.mul_f64(rand::rng().random_range(0.0..1.0))).await;
        service.kill();
        seen.push(progress().await);
        service = workspace.serve().await;
    }
    println!("from {from} to {to} when killed: {seen:?}");
    service
}

async fn killed_again_and_again(messages: usize, kills: u64) {
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
    let staged = async || count(&workspace, "rocketchat_import_data", doc! { "dataType": "message" }).await;
    let service = kill_while(&workspace, service, kills, (0, all), staged).await;
    service.wait_for_state("ready").await;
    assert_eq!(staged().await, all);
    assert_eq!(service.start_import(everything()).await.status, 200);
    let stored = async || count(&workspace, "rocketchat_message", doc! {}).await;
    let service = kill_while(&workspace, service, kills / 2, (0, all / 2), stored).await;
    // What every process of Rocket.Chat does when it starts.
    workspace
        .collection("rocketchat_import")
        .update_many(doc! { "valid": { "$ne": false } }, doc! { "$set": { "valid": false } })
        .await
        .unwrap();
    let left = all - stored().await;
    eventually("another operation goes on", PATIENCE, async || {
        count(&workspace, "rocketchat_import", doc! { "valid": true }).await == 1
    })
    .await;
    let service = kill_while(&workspace, service, kills / 2, (all / 2, all), stored).await;
    service.wait_for_state("done").await;

    assert!(left > 0, "everything was stored before the last kills");
    export.assert_stored(&workspace, &service).await;
    check_rooms(&workspace).await;
    let general = workspace.found("rocketchat_room", doc! { "_id": "GENERAL" }).await.remove(0);
    assert_eq!(general.get_i32("usersCount").unwrap(), 10, "{general}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_loads_and_runs_an_import_still_stores_every_message_once() {
    killed_again_and_again(2500, 2).await;
}

/// Long: 20,000 messages, killed twenty times while they are loaded and twenty times while they are stored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn killed_forty_times_an_import_still_stores_every_message_once() {
    killed_again_and_again(5000, 20).await;
}
