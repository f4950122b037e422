//! Rocket.Chat's process starts the import of a file that this service runs.

use std::time::{Duration, Instant};

use bson::doc;

use crate::harness::*;

/// How long the run here may go on beside Rocket.Chat's. It is noticed within half a second; the batches in hand of a program
/// that is not optimised take longer.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
const USERS: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_run_of_a_file_stops_when_rocket_chat_writes_its_status_or_its_counters_and_says_why() {
    for foreign in [
        doc! { "status": "importer_preparing_users" },
        doc! { "status": "importer_user_selection" },
        doc! { "count.completed": 7 },
    ] {
        let (workspace, service) = served().await;
        let id = service.stage(&staged_users(0..USERS)).await;
        workspace.change_operation(&id, doc! { "type": "CSV", "importerKey": "csv" }).await;
        service.run_import().await;
        eventually("the run counts users", STOPPED_WITHIN * 4, async || {
            service.status().await.json()["operation"]["count"]["completed"].as_u64() > Some(0)
        })
        .await;

        let overwritten = Instant::now();
        let leases = workspace.collection("rocketchat_import_service_run_leases");
        // Rocket.Chat writes again and again. Once could be overwritten, and not be noticed.
        eventually("the run is given up", STOPPED_WITHIN * 4, async || {
            workspace.change_operation(&id, foreign.clone()).await;
            leases.count_documents(doc! {}).await.unwrap() == 0
        })
        .await;
        assert!(overwritten.elapsed() < STOPPED_WITHIN, "{foreign}: after {:?}", overwritten.elapsed());
        let accounts = workspace.count_imported().await;
        assert!(accounts < u64::try_from(USERS).unwrap(), "{foreign}: it was over before");
        let operation = service.status().await.json()["operation"].clone();
        let problem = operation["import"]["problem"].as_str().unwrap();
        assert!(problem.starts_with("Rocket.Chat's own process runs this import, too."), "{foreign}: {operation}");
        if let Ok(status) = foreign.get_str("status") {
            assert_eq!(operation["status"], status, "it is Rocket.Chat's now");
        } else {
            assert_eq!(operation["count"]["completed"], 7, "they are Rocket.Chat's now");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(workspace.count_imported().await, accounts, "{foreign}: nobody else is imported");
    }
}
