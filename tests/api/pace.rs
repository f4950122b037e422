//! Runs that are to write slowly.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::*;

const USERS: usize = 60;
const PACE: usize = 30;
/// The first batch begins at once.
const AT_LEAST: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn a_run_writes_no_faster_than_its_start_says_and_says_so_in_its_status() {
    let (_workspace, service) = served().await;
    service.stage(&staged_users(0..USERS)).await;
    for wrong in [json!(0), json!(-1), json!(1.5), json!("30"), json!(null)] {
        let refused = service.post("/api/v1/import.run", &json!({ "pace": wrong })).await;
        assert_eq!(refused.json()["error"], "must be an integer from 1 to 4294967295 /pace", "{wrong}");
    }
    let started = Instant::now();
    assert_eq!(service.post("/api/v1/import.run", &json!({ "pace": PACE })).await.status, 200);
    let done = service.wait_for_state("done").await;
    assert!(started.elapsed() >= AT_LEAST, "it took {:?}", started.elapsed());
    assert_eq!(done["operation"]["import"]["pace"], PACE);
    assert_eq!(done["operation"]["count"]["completed"], USERS);
}

#[tokio::test]
async fn the_service_may_be_set_up_to_write_slowly() {
    let workspace = workspace().await.ready_for_imports().await;
    let service = Service::start(&[("MONGO_URL", workspace.url.as_str()), ("IMPORT_PACE", &PACE.to_string())]).await;
    service.stage(&staged_users(0..USERS)).await;
    let started = Instant::now();
    service.run_import().await;
    service.wait_for_state("done").await;
    assert!(started.elapsed() >= AT_LEAST, "it took {:?}", started.elapsed());
}
