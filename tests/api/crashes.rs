//! Imports whose instance dies, and what the others make of it.

use std::time::Duration;

use bson::doc;
use nix::sys::signal::Signal;
use rand::Rng as _;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Mongo, Service, Workspace, eventually, staged_users, workspace};

const USERS: usize = 20_000;
const KILLS: usize = 20;
/// A lease runs out after five seconds; the documented bound is fifteen.
const TAKE_OVER_PATIENCE: Duration = Duration::from_secs(15);

async fn assert_everybody_once(workspace: &Workspace, service: &Service) {
    let done = service.wait_for_state("done").await;
    let count = json!({"total": USERS, "users": USERS, "completed": USERS, "error": 0});
    assert_eq!(done["operation"]["count"], count);
    workspace.left_staged(0).await;
    let users = workspace.collection("users");
    let import_ids = users.distinct("importIds", doc! {}).await.unwrap();
    assert_eq!((import_ids.len(), workspace.count_imported().await), (USERS, USERS as u64));
}

#[tokio::test]
async fn killed_at_twenty_random_moments_an_import_still_creates_every_user_exactly_once() {
    let workspace = workspace().await.ready_for_imports().await;
    let mut service = workspace.serve().await;
    service.stage(&staged_users(0..USERS)).await;
    service.run_import().await;
    let mut seen = Vec::new();
    for kill in 1..=KILLS {
        // Over the first half of the import, so that a busy machine, which kills late, still kills before its end.
        // Somewhere within a batch: before it, in the middle of it or at its end.
        let goal = (USERS * kill / (2 * KILLS)) as u64;
        eventually("users arrive", TAKE_OVER_PATIENCE, async || workspace.count_imported().await >= goal).await;
        sleep(Duration::from_millis(rand::rng().random_range(0..50))).await;
        service.kill();
        seen.push(workspace.count_imported().await);
        service = workspace.serve().await;
        eventually("the run is taken up again", TAKE_OVER_PATIENCE, async || {
            !service.log_lines("taking over").is_empty()
        })
        .await;
    }
    println!("imported when killed: {seen:?}");
    assert!(seen[KILLS - 1] < USERS as u64, "the import was over before the last kill: {seen:?}");
    assert_everybody_once(&workspace, &service).await;
}

#[tokio::test]
async fn killed_the_moment_a_run_is_promised_an_import_still_goes_on() {
    const FEW: usize = 2_000;
    for round in 0..5 {
        let workspace = workspace().await.ready_for_imports().await;
        let service = workspace.serve().await;
        service.stage(&staged_users(0..FEW)).await;
        service.run_import().await;
        service.kill();
        let service = workspace.serve().await;
        let done = service.wait_for_state("done").await;
        assert_eq!(done["operation"]["count"]["completed"], FEW, "round {round}");
        assert_eq!(workspace.count_imported().await, FEW as u64);
        let resumed = service.post("/api/v1/import.resume", &json!({})).await;
        assert_eq!(resumed.status, 400, "nobody is left to go on with: {}", resumed.body);
    }
}

#[tokio::test]
async fn of_two_instances_one_runs_the_import_and_the_other_takes_over_when_it_dies() {
    let workspace = workspace().await.ready_for_imports().await;
    let (one, two) = (workspace.serve().await, workspace.serve().await);
    one.stage(&staged_users(0..USERS)).await;
    let (from_one, from_two) = tokio::join!(one.try_run(), two.try_run());
    let (running, waiting) = match (from_one.status.as_u16(), from_two.status.as_u16()) {
        (200, 400) => (one, two),
        (400, 200) => (two, one),
        other => panic!("{other:?}"),
    };
    eventually("users arrive", TAKE_OVER_PATIENCE, async || workspace.count_imported().await > 1000).await;
    running.kill();
    let imported = workspace.count_imported().await;
    assert!(imported < USERS as u64, "the import was over before its instance was killed");
    eventually("the other instance takes over", TAKE_OVER_PATIENCE, async || {
        !waiting.log_lines("taking over").is_empty()
    })
    .await;
    assert_everybody_once(&workspace, &waiting).await;
}

#[tokio::test]
async fn a_service_that_is_stopped_hands_its_run_over_at_once() {
    let workspace = workspace().await.ready_for_imports().await;
    let (mut one, two) = (workspace.serve().await, workspace.serve().await);
    one.stage(&staged_users(0..USERS)).await;
    one.run_import().await;
    eventually("users arrive", TAKE_OVER_PATIENCE, async || workspace.count_imported().await > 1000).await;
    one.signal(Signal::SIGTERM);
    assert!(one.ended().await.success());
    assert!(!one.log_lines("was handed over").is_empty(), "{:?}", one.log_lines(""));
    assert_everybody_once(&workspace, &two).await;
}

/// A workspace on a MongoDB of its own, and an import that runs there.
async fn import_on(mongo: &Mongo) -> (Workspace, Service) {
    let workspace = Workspace::on(mongo).await.ready_for_imports().await;
    let service = workspace.serve().await;
    service.stage(&staged_users(0..USERS)).await;
    service.run_import().await;
    eventually("users arrive", TAKE_OVER_PATIENCE, async || workspace.count_imported().await > 1000).await;
    (workspace, service)
}

#[tokio::test]
async fn a_database_that_crashes_and_comes_back_loses_and_doubles_nobody() {
    let mongo = Mongo::own();
    let (workspace, service) = import_on(&mongo).await;
    mongo.crash();
    assert!(workspace.count_staged().await > 0, "the import was over before the crash");
    assert_everybody_once(&workspace, &service).await;
}

#[tokio::test]
async fn a_database_that_freezes_for_longer_than_a_lease_loses_and_doubles_nobody() {
    let mongo = Mongo::own();
    let (workspace, service) = import_on(&mongo).await;
    mongo.freeze();
    sleep(Duration::from_secs(7)).await;
    mongo.thaw();
    assert!(workspace.count_staged().await > 0, "the import was over before the freeze");
    assert_everybody_once(&workspace, &service).await;
}
