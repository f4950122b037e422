//! Instances that die while they load a file.

use std::{collections::BTreeSet, time::Duration};

use bson::doc;
use rand::Rng as _;
use serde_json::json;
use tokio::time::sleep;

use super::{PATIENCE, csv_zip};
use crate::harness::{eventually, workspace};

const MESSAGES_OF_A_ROOM: usize = 10_000;
const KILLS: usize = 10;
const RECORDS: usize = 10 + 3 + 2 * MESSAGES_OF_A_ROOM + 1;

#[tokio::test]
async fn killed_at_random_moments_loading_still_stages_every_record_once() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let workspace = workspace().await.ready_for_imports().await;
    workspace.add_file("64d51ea91558939980aab371", "csv", &file.path).await;
    let mut service = workspace.serve().await;
    let mut seen = Vec::new();
    for kill in 1..=KILLS {
        let goal = (RECORDS * kill / (2 * KILLS)) as u64;
        eventually("records arrive", PATIENCE, async || workspace.count_staged().await >= goal).await;
        sleep(Duration::from_millis(rand::rng().random_range(0..40))).await;
        service.kill();
        seen.push(workspace.count_staged().await);
        service = workspace.serve().await;
    }
    println!("staged when killed: {seen:?}");
    assert!(seen[KILLS - 1] < RECORDS as u64, "loading was over before the last kill: {seen:?}");
    let ready = service.wait_for_state("ready").await;
    let count = &ready["operation"]["count"];
    assert_eq!((count["total"].as_u64(), count["messages"].as_u64()), (Some(RECORDS as u64), Some(20_001)), "{count}");
    let totals = service.report("").await["totals"].clone();
    let messages = totals.as_array().unwrap().iter().find(|total| total["type"] == "message").unwrap();
    assert_eq!(messages["elements"], json!(2 * MESSAGES_OF_A_ROOM + 1));
    assert_eq!(workspace.count_staged().await, RECORDS as u64);
    let mut texts = BTreeSet::new();
    for record in workspace.staged_of("message").await {
        texts.insert(record.get_document("data").unwrap().get_str("msg").unwrap().to_owned());
    }
    assert_eq!(texts.len(), 2 * MESSAGES_OF_A_ROOM + 1);
}

#[tokio::test]
async fn of_two_instances_one_loads_and_the_other_goes_on_when_it_dies() {
    let file = csv_zip(10, MESSAGES_OF_A_ROOM);
    let workspace = workspace().await.ready_for_imports().await;
    let (one, two) = (workspace.serve().await, workspace.serve().await);
    workspace.add_file("64d51ea91558939980aab371", "csv", &file.path).await;
    eventually("records arrive", PATIENCE, async || workspace.count_staged().await > 1000).await;
    let leases = workspace.collection("rocketchat_import_service_run_leases");
    assert_eq!(leases.count_documents(doc! {}).await.unwrap(), 1);
    let loads = |line: &str| line.contains("loading the file of operation");
    let first_loads = one.log_lines("").iter().any(|line| loads(line));
    let (loader, other) = if first_loads { (one, two) } else { (two, one) };
    loader.kill();
    let ready = other.wait_for_state("ready").await;
    assert_eq!(ready["operation"]["count"]["total"], json!(RECORDS));
    assert_eq!(workspace.count_staged().await, RECORDS as u64);
}
