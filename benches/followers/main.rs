//! What followers cost an import: `cargo bench --bench followers`.
//!
//! The same import again and again, in turns with nobody who follows it and with a thousand who follow it by the stream
//! of events, each with an account of its own. Every follower has to hear of the end, with all users.
//!
//! The followers live in this process and share the cores with the service and MongoDB, so what they cost themselves
//! counts against the import, too; their part of it is printed. `BENCH_USERS`, `BENCH_FOLLOWERS` and `BENCH_ROUNDS` give other
//! numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod follower;
#[path = "../import/workspace.rs"]
#[allow(dead_code, reason = "shared with the import benchmark")]
mod workspace;

use std::{
    env,
    time::{Duration, Instant},
};

use follower::{Followed, Follower};
use futures::{StreamExt as _, future::join_all, stream};
use workspace::{Mongo, Workspace, cpu_seconds};

const USERS: usize = 50_000;
const FOLLOWERS: usize = 1000;
/// Imports of each kind; the median counts.
const ROUNDS: usize = 3;
/// Followers that come at once. More than the service lets in would be sent away.
const ARRIVING_AT_ONCE: usize = 32;

/// What one import was like.
struct Import {
    users_per_second: f64,
    /// Memory of the service when everybody had come and nothing was imported yet, and the most it ever had.
    memory_before_kb: u64,
    peak_memory_kb: u64,
    /// Processor time of the service and of this process during the import, in cores.
    service_cores: f64,
    own_cores: f64,
    followed: Vec<Followed>,
    took: Duration,
}

#[tokio::main]
async fn main() {
    let (users, followers, rounds) =
        (number("BENCH_USERS", USERS), number("BENCH_FOLLOWERS", FOLLOWERS), number("BENCH_ROUNDS", ROUNDS));
    let mongo = Mongo::start();
    println!("{users} users, {rounds} imports each, in turns; CPU in cores\n");
    println!(
        "{:<28} {:>10} {:>10} {:>10} {:>12} {:>12} {:>14} {:>12}",
        "", "users/s", "service", "this", "memory kB", "peak kB", "events each", "last told ms"
    );
    let (mut alone, mut followed) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        // What was measured before leaves the database with work to do, so neither always goes first.
        let order = if round % 2 == 0 { [followers, 0] } else { [0, followers] };
        for count in order {
            let import = import(&mongo, users, count).await;
            report(&format!("{count} followers, round {round}"), &import);
            let kind = if count == 0 { &mut alone } else { &mut followed };
            kind.push(import);
        }
    }
    let rate = |imports: &[Import]| median(imports.iter().map(|import| import.users_per_second).collect());
    let (rate_alone, rate_followed) = (rate(&alone), rate(&followed));
    println!("\nmedian: {rate_alone:.0} users/s alone, {rate_followed:.0} with {followers} followers");
    println!("ratio: {:.0}%", rate_followed / rate_alone * 100.0);
    let memory = |imports: &[Import], of: fn(&Import) -> u64| median(imports.iter().map(|i| of(i) as f64).collect());
    for (what, of) in [
        ("when all had come", (|import| import.memory_before_kb) as fn(&Import) -> u64),
        ("at its peak", |import| import.peak_memory_kb),
    ] {
        let (without, with) = (memory(&alone, of), memory(&followed, of));
        let each = (with - without) / followers.max(1) as f64;
        println!("memory {what}: {without:.0} kB alone, {with:.0} kB with followers, {each:.1} kB for each");
    }
    println!("all {followers} followers were told the end in every round");
}

async fn import(mongo: &Mongo, users: usize, followers: usize) -> Import {
    let workspace = Workspace::empty(mongo).await;
    workspace.stage(users, false).await;
    let callers = if followers > 0 { workspace.add_administrators(followers).await } else { Vec::new() };
    let service = workspace.serve().await;
    let host = service.host().to_owned();
    let come: Vec<Follower> = stream::iter(&callers)
        .map(|caller| Follower::join(&host, caller))
        .buffer_unordered(ARRIVING_AT_ONCE)
        .collect()
        .await;
    let memory_before_kb = service.memory_kb();
    workspace.settle().await;

    let processes = [service.pid(), std::process::id()];
    let before = processes.map(cpu_seconds);
    let began = Instant::now();
    let following: Vec<_> =
        come.into_iter().map(|follower| tokio::spawn(follower.until_the_end(users, began))).collect();
    let took = service.run_import().await;
    let after = processes.map(cpu_seconds);
    let followed = join_all(following).await.into_iter().map(Result::unwrap).collect();
    let [service_cores, own_cores] = [0, 1].map(|of| (after[of] - before[of]) / took.as_secs_f64());
    Import {
        users_per_second: users as f64 / took.as_secs_f64(),
        memory_before_kb,
        peak_memory_kb: service.peak_memory_kb(),
        service_cores,
        own_cores,
        followed,
        took,
    }
}

fn report(what: &str, import: &Import) {
    let events = median(import.followed.iter().map(|followed| followed.events as f64).collect());
    let last = import.followed.iter().map(|followed| followed.told_after).max();
    // Whoever waits for the end in the database polls for it, so the followers may be told first.
    let last = last
        .map_or_else(String::new, |last| format!("{:.0}", (last.as_secs_f64() - import.took.as_secs_f64()) * 1000.0));
    println!(
        "{what:<28} {:>10.0} {:>10.2} {:>10.2} {:>12} {:>12} {events:>14.0} {last:>12}",
        import.users_per_second, import.service_cores, import.own_cores, import.memory_before_kb, import.peak_memory_kb,
    );
}

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
