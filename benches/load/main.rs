//! What a status request costs, side by side with what the machine can do: `cargo bench --bench load`.
//!
//! One MongoDB and one service, under 64 connections for a few seconds each, in turns:
//!
//! - framework ceiling: a static JSON route of the same process;
//! - MongoDB ceiling: the three reads of a status request by the plain driver, without HTTP, each caller for itself: one
//!   after the other, side by side, and as one aggregation;
//! - `import.status`, requested by one caller over all connections, and by a caller of its own on each.
//!
//! The last lines compare `import.status` with the driver. The benchmark ends with code 1 if callers of their own get less
//! than `GOAL_PERCENT` of what the driver reaches with one `find` per caller.
//!
//! Rates on a shared machine differ from run to run; the ratios of one run are what counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod client;
mod reads;
#[path = "../import/workspace.rs"]
#[allow(dead_code, reason = "shared with the import benchmark")]
mod workspace;

use std::{env, time::Duration};

use bson::doc;
use client::{Load, drive};
use reads::{Reads, Way, read};
use workspace::{Mongo, Workspace, cpu_seconds};

const CONNECTIONS: usize = 64;
/// How long each measurement takes, and how often; the median counts.
const SPAN: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;
/// What callers of their own reach at least, of the plain driver with one `find` for each of them.
const GOAL_PERCENT: f64 = 200.0;
const STATUS: &str = "/api/v1/import.status";
const STATIC: &str = "/livez";

#[tokio::main]
async fn main() {
    let span = env::var("BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let span = span.map_or(SPAN, Duration::from_secs_f64);
    let mongo = Mongo::start();
    let workspace = Workspace::empty(&mongo).await;
    workspace.stage(10, false).await;
    let callers = workspace.add_administrators(CONNECTIONS).await;
    let service = workspace.serve().await;
    let database = workspace.server_pid().await;
    let one_caller = vec![callers[0].clone(); CONNECTIONS];
    let reads = Reads::over(&workspace).await;

    println!("{CONNECTIONS} at once, {ROUNDS} rounds of {span:?}, the median; CPU in cores");
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "", "each/s", "p50 ms", "p99 ms", "service", "mongod", "this"
    );
    let mut rows: Vec<(&str, Vec<Load>)> = Vec::new();
    for _ in 0..ROUNDS {
        for (row, what) in What::ALL.into_iter().enumerate() {
            let before = [service.pid(), database, std::process::id()].map(cpu_seconds);
            let mut load = match what {
                What::Static => drive(service.host(), STATIC, &one_caller, span).await,
                What::Reads(way) => read(&reads, way, &callers, span).await,
                What::OneCaller => drive(service.host(), STATUS, &one_caller, span).await,
                What::ManyCallers => drive(service.host(), STATUS, &callers, span).await,
            };
            let after = [service.pid(), database, std::process::id()].map(cpu_seconds);
            load.cores = [0, 1, 2].map(|of| (after[of] - before[of]) / load.span.as_secs_f64());
            if rows.len() <= row {
                rows.push((what.name(), Vec::new()));
            }
            rows[row].1.push(load);
        }
    }
    let medians: Vec<(&str, Load)> = rows.into_iter().map(|(name, loads)| (name, Load::median(loads))).collect();
    for (name, load) in &medians {
        println!(
            "{name:<44} {:>8.0} {:>8.2} {:>8.2} {:>9.2} {:>9.2} {:>9.2}",
            load.rate, load.p50_ms, load.p99_ms, load.cores[0], load.cores[1], load.cores[2]
        );
    }
    let of = |what: What| medians.iter().find(|(name, _)| *name == what.name()).unwrap().1.rate;
    let percent = |rate: f64, of: f64| rate / of * 100.0;
    let finds = of(What::Reads(Way::InTurn)).max(of(What::Reads(Way::SideBySide)));
    let fastest = finds.max(of(What::Reads(Way::Aggregation)));
    for what in [What::OneCaller, What::ManyCallers] {
        println!(
            "\n{}: {:.0}% of the plain driver with one find per caller, {:.0}% of its fastest way, {:.0}% of the framework",
            what.name(),
            percent(of(what), finds),
            percent(of(what), fastest),
            percent(of(what), of(What::Static))
        );
    }
    println!(
        "\nmemory of the service: {} kB resident, {} kB at its peak",
        service.memory_kb(),
        service.peak_memory_kb()
    );
    if percent(of(What::ManyCallers), finds) < GOAL_PERCENT {
        eprintln!("less than the goal of {GOAL_PERCENT}%");
        std::process::exit(1);
    }
}

#[derive(Clone, Copy)]
enum What {
    Static,
    Reads(Way),
    OneCaller,
    ManyCallers,
}

impl What {
    const ALL: [Self; 6] = [
        Self::Static,
        Self::Reads(Way::InTurn),
        Self::Reads(Way::SideBySide),
        Self::Reads(Way::Aggregation),
        Self::OneCaller,
        Self::ManyCallers,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Static => "framework ceiling: a static JSON route",
            Self::Reads(Way::InTurn) => "MongoDB ceiling: three reads in turn",
            Self::Reads(Way::SideBySide) => "MongoDB ceiling: three reads side by side",
            Self::Reads(Way::Aggregation) => "MongoDB ceiling: one aggregation",
            Self::OneCaller => "import.status, one caller",
            Self::ManyCallers => "import.status, a caller on each connection",
        }
    }
}

impl Workspace {
    async fn server_pid(&self) -> u32 {
        let status = self.run_on_admin(doc! { "serverStatus": 1 }).await;
        u32::try_from(status.get_i64("pid").unwrap()).unwrap()
    }
}
