//! How fast the files of messages come, side by side with what the machine can do: `cargo bench --bench pending`.
//!
//! One MongoDB and one server of files on loopback. Ten files at once, of 200 MB each, go into Rocket.Chat's bucket:
//!
//! - by the service, as `downloadPendingFiles` fetches them: with checks of addresses, types, receipts and messages;
//! - by the plain driver, which writes the same ten downloads at once into a bucket of its own: the machine's limit.
//!
//! Both take turns. `BENCH_MEGABYTES` takes another size of a file, and `BENCH_ROUNDS` another number of turns. Rates on a shared
//! machine differ from run to run; the ratios of one run are what counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod plain;
mod server;
#[path = "../import/workspace.rs"]
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod workspace;

use std::{
    env,
    time::{Duration, Instant},
};

use bson::{DateTime, Document, doc};
use server::FileServer;
use tokio::time::sleep;
use workspace::{Mongo, Service, Workspace};

const FILES: usize = 10;
const MEGABYTES: usize = 200;
const ROUNDS: usize = 2;
const MEGABYTE: usize = 1_000_000;
/// The least that the service may reach of the plain driver's rate.
const LEAST_SHARE: f64 = 0.8;
/// The most memory that the service may have resident.
const MOST_MEGABYTES: f64 = 150.0;
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const UPLOADS: &str = "rocketchat_uploads";

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let bytes = number("BENCH_MEGABYTES", MEGABYTES) * MEGABYTE;
    let rounds = number("BENCH_ROUNDS", ROUNDS).max(1);
    let mongo = Mongo::start();
    let workspace = Workspace::empty(&mongo).await;
    let server = FileServer::start(bytes).await;
    prepare(&workspace, &server).await;
    // The plain driver writes as fast as the database takes it.
    let service = workspace.serve_with(&[("UPLOAD_RATE", "0")]).await;
    println!("{FILES} files of {bytes} bytes at once, {rounds} rounds");
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        workspace.settle().await;
        let limit = plain::fetch(&workspace, &server, FILES).await;
        workspace.settle().await;
        let own = fetch(&workspace, &service, &server, round).await;
        let rate = |elapsed: Duration| (FILES * bytes / MEGABYTE) as f64 / elapsed.as_secs_f64();
        println!(
            "round {round}: plain driver {:.0} MB/s, service {:.0} MB/s, {:.0} %",
            rate(limit),
            rate(own),
            rate(own) / rate(limit) * 100.0
        );
        ours.push(rate(own));
        limits.push(rate(limit));
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let share = mean(&ours) / mean(&limits);
    let memory = service.peak_memory_kb() as f64 / 1000.0;
    println!("service at {:.0} % of the plain driver (goal {:.0} %)", share * 100.0, LEAST_SHARE * 100.0);
    println!("peak memory of the service: {memory:.0} MB (goal {MOST_MEGABYTES:.0} MB)");
}

/// The settings and the room that fetching wants.
async fn prepare(workspace: &Workspace, server: &FileServer) {
    let settings = [
        doc! { "_id": "SSRF_Allowlist", "value": server.host() },
        doc! { "_id": "FileUpload_MaxFileSize", "value": -1 },
        doc! { "_id": "FileUpload_Storage_Type", "value": "GridFS" },
        doc! { "_id": "Site_Url", "value": "https://chat.example" },
    ];
    workspace.collection::<Document>("rocketchat_settings").insert_many(settings).await.unwrap();
    let room = doc! { "_id": "open", "t": "c", "name": "open" };
    workspace.collection::<Document>("rocketchat_room").insert_one(room).await.unwrap();
}

/// Has the service fetch the files, and returns how long it took. The files are gone afterwards.
async fn fetch(workspace: &Workspace, service: &Service, server: &FileServer, round: usize) -> Duration {
    let messages = (0..FILES).map(|number| {
        let name = format!("{round}-{number}.bin");
        doc! {
            "_id": &name, "rid": "open", "u": { "_id": "admin", "username": "admin" }, "msg": "",
            "ts": DateTime::now(), "_hidden": true, "_updatedAt": DateTime::now(),
            "_importFile": {
                "downloadUrl": server.url(&name), "id": &name, "name": &name, "external": false, "source": "slack",
                "size": i64::try_from(server.bytes()).unwrap(),
            },
        }
    });
    workspace.collection::<Document>("rocketchat_message").insert_many(messages).await.unwrap();
    let started = Instant::now();
    let call = reqwest::Client::new()
        .post(format!("{}/api/v1/downloadPendingFiles", service.address()))
        .header("X-User-Id", "admin")
        .header("X-Auth-Token", "token")
        .header("Content-Type", "application/json")
        .body("{}");
    let answer = call.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let operations = workspace.collection::<Document>("rocketchat_import");
    let done = loop {
        let newest = operations.find_one(doc! {}).sort(doc! { "ts": -1 }).await.unwrap().expect("an operation");
        match newest.get_str("status").unwrap() {
            "importer_done" => break newest,
            status => assert!(!status.ends_with("failed"), "{newest}"),
        }
        sleep(POLL_INTERVAL).await;
    };
    let elapsed = started.elapsed();
    let count = done.get_document("count").unwrap();
    assert_eq!(count.get_i32("completed").ok(), i32::try_from(FILES).ok(), "{done}");
    // The receipts and the ids of what was stored stay; the bytes would fill the disk.
    for collection in [UPLOADS.to_owned(), format!("{UPLOADS}.files"), format!("{UPLOADS}.chunks")] {
        workspace.collection::<Document>(&collection).delete_many(doc! {}).await.unwrap();
    }
    elapsed
}
