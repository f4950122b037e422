//! What a status request costs, side by side with what the machine can do: `cargo bench --bench load`.
//!
//! One MongoDB and one service, asked by 64 connections for a few seconds each, in turns:
//!
//! - framework ceiling: a static JSON route of the same process;
//! - MongoDB ceiling: the three reads of a status request by the plain driver, without HTTP: one after the other, side by
//!   side, and as one aggregation;
//! - `import.status`, asked by one caller over all connections, and by a caller of its own on each.
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
    let service = workspace.serve();
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
                What::Reads(way) => read(&reads, way, &one_caller, span).await,
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
    let of = |name: &str| medians.iter().find(|(other, _)| *other == name).unwrap().1.rate;
    let ceiling = What::WAYS.iter().map(|way| of(What::Reads(*way).name())).fold(0.0, f64::max);
    for what in [What::OneCaller, What::ManyCallers] {
        let rate = of(what.name());
        println!(
            "\n{}: {:.0}% of the MongoDB ceiling, {:.0}% of the framework's",
            what.name(),
            rate / ceiling * 100.0,
            rate / of(What::Static.name()) * 100.0
        );
    }
    println!(
        "\nmemory of the service: {} kB resident, {} kB at its peak",
        service.memory_kb(),
        service.peak_memory_kb()
    );
}

#[derive(Clone, Copy)]
enum What {
    Static,
    Reads(Way),
    OneCaller,
    ManyCallers,
}

impl What {
    const WAYS: [Way; 3] = [Way::InTurn, Way::SideBySide, Way::Aggregation];
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
