//! How fast an export with messages goes in, side by side with what the machine can do: `cargo bench --bench messages`.
//!
//! One MongoDB with Rocket.Chat's indexes. A generated Slack export of a million messages is uploaded, loaded and run. Beside it:
//!
//! - the plain driver inserts the very messages that came out, with the best of several batch sizes and numbers of batches
//!   at once: the machine's limit;
//! - Rocket.Chat's pattern: find, insert, count, one message after the other;
//! - a second client that reads a history and writes a message every 50 ms, before the run and during it.
//!
//! `BENCH_MESSAGES` takes another number of messages. Rates on a shared machine differ from run to run; the ratios of one run
//! are what counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod chat;
mod export;
mod indexes;
mod plain;
mod steps;
#[path = "../import/workspace.rs"]
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod workspace;

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Document, doc};
use chat::SecondClient;
use export::{CHANNELS, USERS, write_export};
use steps::Steps;
use tokio::time::sleep;
use workspace::{Mongo, Service, Workspace};

const MESSAGES: usize = 1_000_000;
const TENTHS: usize = 10;
/// How long the second client is alone.
const IDLE: Duration = Duration::from_secs(10);
/// Messages that Rocket.Chat's pattern is tried with.
const ONE_BY_ONE: usize = 3000;
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() {
    let messages = env::var("BENCH_MESSAGES").ok().and_then(|number| number.parse().ok()).unwrap_or(MESSAGES);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.zip");
    write_export(&file, messages);
    println!("{messages} messages, {USERS} users, {CHANNELS} channels, {} bytes", file.metadata().unwrap().len());

    let mongo = Mongo::start();
    let workspace = Workspace::empty(&mongo).await;
    indexes::make(&workspace).await;
    let client = SecondClient::start(&workspace).await;
    sleep(IDLE).await;
    let idle = client.latencies();
    let service = workspace.serve().await;

    let started = Instant::now();
    upload(&service, &file).await;
    let uploaded = started.elapsed();
    wait_until_ready(&workspace).await;
    let loaded = started.elapsed();
    workspace.settle().await;
    client.latencies();

    let steps = Steps::follow(&workspace);
    let (run, tenths) = run(&service, messages).await;
    let steps = steps.ended().await;
    let busy = client.stop().await;
    let rate = messages as f64 / run.as_secs_f64();
    let whole = loaded + run;
    println!(
        "upload {:.1} s, loading {:.1} s, run {:.1} s",
        seconds(uploaded),
        seconds(loaded) - seconds(uploaded),
        seconds(run)
    );
    println!("from upload to done: {:.0} messages/s", messages as f64 / seconds(whole));
    println!("run: {rate:.0} messages/s; each tenth: {}", shown(&tenths));
    println!("steps of the run: {steps}");
    println!("the last tenth at {:.2} of the first", tenths[tenths.len() - 1] / tenths[0]);
    println!("peak memory of the service: {} kB", service.peak_memory_kb());
    println!("second client alone:          {idle}");
    println!("second client during the run: {busy}");
    drop(service);

    let stored = workspace.collection::<Document>("rocketchat_message");
    let imported = stored.count_documents(doc! { "rid": { "$ne": chat::ROOM } }).await.unwrap();
    assert!(imported >= messages as u64, "{imported} messages are there");
    let plain = plain::best(&mongo, &workspace, messages).await;
    let (limit, (batch, at_once)) = (plain.rate, plain.choice);
    println!(
        "plain driver, {batch} a batch, {at_once} at once: {limit:.0} messages/s, the last tenth at {:.2} of the first; the \
         run at {:.0} %",
        plain.last_tenth,
        rate / limit * 100.0
    );
    let pattern = plain::one_by_one(&mongo, &workspace, ONE_BY_ONE).await;
    println!("Rocket.Chat's pattern: {pattern:.0} messages/s; the run at {:.0} times", rate / pattern);
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn shown(rates: &[f64]) -> String {
    rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(" ")
}

/// Uploads the file in one piece after tus.
async fn upload(service: &Service, file: &Path) {
    let client = reqwest::Client::new();
    let address = service.address();
    let login = |request: reqwest::RequestBuilder| {
        request.header("X-User-Id", "admin").header("X-Auth-Token", "token").header("Tus-Resumable", "1.0.0")
    };
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    let length = file.metadata().unwrap().len();
    let made = login(client.post(format!("{address}/api/v1/import.upload")))
        .header("Upload-Length", length)
        .header("Upload-Metadata", format!("importerKey {},filename {}", encoded("slack"), encoded("export.zip")))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    let place = made.headers()["location"].to_str().unwrap().to_owned();
    let place = if place.starts_with('/') { format!("{address}{place}") } else { place };
    let sent = login(client.patch(place))
        .header("Upload-Offset", 0)
        .header("Content-Type", "application/offset+octet-stream")
        .header("Content-Length", length)
        .body(export::streamed(file))
        .send()
        .await
        .unwrap();
    assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
}

async fn wait_until_ready(workspace: &Workspace) {
    let operations = workspace.collection::<Document>("rocketchat_import");
    loop {
        let operation = operations.find_one(doc! {}).await.unwrap().expect("an operation");
        match operation.get_str("status").unwrap() {
            "importer_user_selection" => return,
            status => {
                assert!(!status.ends_with("failed"), "{operation}");
                sleep(POLL_INTERVAL).await;
            }
        }
    }
}

/// Runs the import; how long it took, and the rate of each tenth of the messages.
async fn run(service: &Service, messages: usize) -> (Duration, Vec<f64>) {
    let others = USERS + CHANNELS;
    let mut begun: Vec<(usize, Duration)> = Vec::new();
    let elapsed = service
        .watch_import(|completed, elapsed| {
            let done = usize::try_from(completed).unwrap_or_default().saturating_sub(others);
            // The end of the last tenth, too: what follows is no message.
            if done > 0 && begun.len() <= TENTHS && done >= messages * begun.len() / TENTHS {
                begun.push((done, elapsed));
            }
        })
        .await;
    if begun.len() <= TENTHS {
        begun.push((messages, elapsed));
    }
    let rate = |pair: &[(usize, Duration)]| (pair[1].0 - pair[0].0) as f64 / (seconds(pair[1].1) - seconds(pair[0].1));
    (elapsed, begun.windows(2).map(rate).collect())
}
