//! What becomes of ten times as many requests as can be served: `cargo bench --bench overload`.
//!
//! One MongoDB and one service. First the capacity: 64 connections, a caller of its own on each, ask for `import.status` again
//! as soon as they are answered. Then 1,024 connections ask at fixed times, ten times as often altogether, whatever becomes of
//! the answers, while one more asks for `/readyz`. In the end the capacity once more.
//!
//! The time of each request is settled beforehand, so a slow answer does not make the clients ask less. A connection that still waits
//! when its next request is due leaves it out, and these are counted, too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

#[path = "../load/client.rs"]
#[allow(dead_code, reason = "shared with the load benchmark")]
mod client;
mod storm;
#[path = "../import/workspace.rs"]
#[allow(dead_code, reason = "shared with the import benchmark")]
mod workspace;

use std::{env, process::ExitCode, time::Duration};

use client::{Connection, Load, drive, get};
use storm::{Storm, percentile};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use workspace::{Mongo, Service, Workspace};

const STATUS: &str = "/api/v1/import.status";
const READINESS: &str = "/readyz";
const CALLERS: usize = 64;
const CONNECTIONS: usize = 1024;
const TIMES_THE_CAPACITY: f64 = 10.0;
const CAPACITY_SPAN: Duration = Duration::from_secs(5);
const STORM_SPAN: Duration = Duration::from_secs(20);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);
const HEALTH_INTERVAL: Duration = Duration::from_millis(50);
/// After which nothing of a storm should be left.
const REST: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let mongo = Mongo::start();
    let workspace = Workspace::empty(&mongo).await;
    workspace.stage(10, false).await;
    let callers = workspace.add_administrators(CALLERS).await;
    let service = workspace.serve().await;
    let capacity_span = seconds("BENCH_SECONDS", CAPACITY_SPAN);
    let storm_span = seconds("OVERLOAD_SECONDS", STORM_SPAN);

    let before = drive(service.host(), STATUS, &callers, capacity_span).await;
    let rest = service.memory_kb();
    print_capacity("before", &before);

    let (over, is_over) = watch::channel(false);
    let (storm, health, most_memory, ()) = tokio::join!(
        Storm { host: service.host(), callers: &callers, connections: CONNECTIONS, span: storm_span }
            .rage(STATUS, before.rate * TIMES_THE_CAPACITY),
        watch_health(service.host(), is_over.clone()),
        watch_memory(&service, is_over),
        async {
            sleep(storm_span).await;
            over.send_replace(true);
        },
    );
    let after = drive(service.host(), STATUS, &callers, capacity_span).await;
    print_capacity("after", &after);
    sleep(REST).await;

    let each_second = |number: usize| number as f64 / storm.span.as_secs_f64();
    println!("\n{CONNECTIONS} connections for {storm_span:?}, {TIMES_THE_CAPACITY} times the capacity before");
    println!("{:<34} {:>10} {:>10} {:>10} {:>10}", "", "each/s", "p50 ms", "p99 ms", "most ms");
    println!("{:<34} {:>10.0}", "due", before.rate * TIMES_THE_CAPACITY);
    println!("{:<34} {:>10.0}", "left out, the last one open", each_second(storm.left_out));
    println!("{:<34} {:>10.0}", "offered", each_second(storm.offered()));
    for (name, latencies) in [("accepted (200)", &storm.accepted), ("shed (503 and Retry-After)", &storm.shed)] {
        print_latencies(name, each_second(latencies.len()), latencies);
    }
    print_latencies("/readyz meanwhile", health.answered.len() as f64 / storm_span.as_secs_f64(), &health.answered);
    println!("{:<34} {:>10}", "anything else", storm.others);
    println!("{:<34} {:>10}", "/readyz other than 200", health.others);
    println!(
        "\nmemory of the service: {rest} kB before, {most_memory} kB at most during, {} kB {REST:?} after",
        service.memory_kb()
    );
    if let Some(example) = &storm.example {
        println!("an answer that was not expected: {example}");
    }
    if storm.others + health.others == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A number of seconds that was set for a look at the shape of things.
fn seconds(variable: &str, otherwise: Duration) -> Duration {
    let set = env::var(variable).ok().and_then(|seconds| seconds.parse().ok());
    set.map_or(otherwise, Duration::from_secs_f64)
}

fn print_capacity(when: &str, load: &Load) {
    println!("capacity {when}: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms", load.rate, load.p50_ms, load.p99_ms);
}

fn print_latencies(name: &str, rate: f64, latencies: &[Duration]) {
    let at = |share| percentile(latencies, share).as_secs_f64() * 1000.0;
    println!("{name:<34} {rate:>10.0} {:>10.1} {:>10.1} {:>10.1}", at(50), at(99), at(100));
}

/// What came of asking whether the service is ready.
struct Health {
    answered: Vec<Duration>,
    /// Other than that it is.
    others: usize,
}

async fn watch_health(host: &str, over: watch::Receiver<bool>) -> Health {
    let request = get(host, READINESS, &Default::default());
    let mut connection = Connection::to(host).await.unwrap();
    let mut health = Health { answered: Vec::new(), others: 0 };
    while !*over.borrow() {
        let asked = Instant::now();
        match connection.exchange(&request).await {
            Ok(answer) if answer.starts_with(b"HTTP/1.1 200") => health.answered.push(asked.elapsed()),
            _ => health.others += 1,
        }
        sleep(HEALTH_INTERVAL).await;
    }
    health.answered.sort_unstable();
    health
}

async fn watch_memory(service: &Service, over: watch::Receiver<bool>) -> u64 {
    let mut most = 0;
    while !*over.borrow() {
        most = most.max(service.memory_kb());
        sleep(SAMPLE_INTERVAL).await;
    }
    most
}
