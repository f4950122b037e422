//! Whether anything grows while everything goes on for long: `cargo bench --bench soak`.
//!
//! For `SOAK_MINUTES` minutes (30 unless set): pollers of `import.status`, readers of errors, history and progress, imports of
//! 5,000 users one after the other of which some fail, followers of the stream of events, requests that are refused, and
//! clients that go away in the middle of something. Memory, descriptors and threads of the service are looked at every ten
//! seconds. Ends with code 1 if memory or descriptors have grown, or if any answer was not what it should be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod client;
mod imports;
mod load;
mod nuisance;
mod samples;
mod tally;
#[path = "../import/workspace.rs"]
#[allow(dead_code, reason = "shared with the import benchmark")]
mod workspace;

use std::{env, process::ExitCode, sync::Arc, time::Duration};

use client::Client;
use samples::{Samples, Verdict, watch};
use tally::Tally;
use tokio::{task::JoinSet, time::sleep};
use workspace::{Mongo, Workspace};

const DEFAULT_MINUTES: f64 = 30.0;
const CALLERS: usize = 8;
const POLLERS: usize = 32;
const FOLLOWERS: usize = 8;
/// In which connections that nobody uses are closed.
const REST: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let minutes = env::var("SOAK_MINUTES").ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(DEFAULT_MINUTES);
    let span = Duration::from_secs_f64(minutes * 60.0);
    let mongo = Mongo::start();
    let workspace = Workspace::empty(&mongo).await;
    workspace.make_ready_for_imports().await;
    let callers = workspace.add_administrators(CALLERS).await;
    let service = workspace.serve().await;
    let tally = Arc::new(Tally::default());
    let clients: Vec<Client> =
        callers.iter().map(|caller| Client::new(service.address(), caller.clone(), &tally)).collect();
    let begun = samples::Sample::take(service.pid());

    let mut work = JoinSet::new();
    for number in 0..POLLERS {
        work.spawn(load::poll_status(clients[number % CALLERS].clone()));
    }
    work.spawn(load::read_everything(clients[0].clone()));
    work.spawn(imports::import_again_and_again(clients[1].clone(), workspace.imports()));
    for number in 0..FOLLOWERS {
        work.spawn(load::follow(clients[number % CALLERS].clone()));
    }
    work.spawn(nuisance::be_refused(Client::without_reuse(service.address(), callers[2].clone(), &tally)));
    work.spawn(nuisance::go_away(service.host().to_owned(), callers[3].clone()));

    let samples = watch(service.pid(), span, &tally).await;
    work.shutdown().await;
    drop(clients);
    sleep(REST).await;
    report(&samples, &tally, begun, samples::Sample::take(service.pid()))
}

fn report(samples: &Samples, tally: &Tally, begun: samples::Sample, at_rest: samples::Sample) -> ExitCode {
    let verdict = Verdict::of(samples);
    println!("\n{verdict}");
    println!("before the work:  {begun}");
    println!("{REST:?} after it: {at_rest}");
    println!("\n{tally}");
    let failed = verdict.failures(begun, at_rest);
    for failure in &failed {
        println!("FAILED: {failure}");
    }
    if failed.is_empty() && tally.unexpected() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
