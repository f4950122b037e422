//! How fast imports go, side by side with what the machine can do: `cargo bench --bench import`.
//!
//! One MongoDB, Rocket.Chat's indexes on `users`. In turn, over the same users:
//!
//! - the service imports staged users, started with `import.run` and timed until the operation is done;
//! - the plain driver inserts the very documents that came out, with the best of several batch sizes and numbers of
//!   batches at once: the machine's limit;
//! - with passwords: the service against bcrypt alone on all cores;
//! - a long import, with the rate of each tenth of it and the memory at its end.
//!
//! Rates on a shared machine differ from run to run; the ratios of one run are what counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod measure;
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod workspace;

use std::{env, time::Duration};

use bson::RawDocumentBuf;
use measure::{Rate, hash_on_all_cores, insert_plainly, median};
use workspace::{Mongo, Workspace};

/// How often each measurement is taken. The median of the rounds' ratios counts: the machine's speed changes from round to
/// round, and less within one.
const ROUNDS: usize = 6;
/// Users of the small and the large import, and of the one with passwords.
const SMALL: usize = 10_000;
const LARGE: usize = 100_000;
const WITH_PASSWORDS: usize = 600;
/// Users of the import whose tenths are compared.
const LONG: usize = 1_000_000;
const TENTHS: usize = 10;
const HASHING_TIME: Duration = Duration::from_secs(5);
/// Batch sizes and batches at once that the plain driver may choose from.
const PLAIN_CHOICES: [(usize, usize); 8] =
    [(200, 4), (500, 2), (500, 4), (1000, 1), (1000, 2), (1000, 4), (2000, 4), (5000, 2)];
/// Documents each choice is tried with.
const TRIAL: usize = 40_000;

#[tokio::main]
async fn main() {
    // Other numbers, for a look at the shape of things.
    let number = |name| env::var(name).ok().and_then(|number| number.parse::<usize>().ok());
    let large = number("BENCH_USERS").unwrap_or(LARGE);
    let long = number("BENCH_LONG_USERS").unwrap_or(LONG);
    let mongo = Mongo::start();

    let small_peak = import(&mongo, SMALL, false).await.1;
    let (documents, mut large_peak) = {
        let (workspace, _, peak) = imported(&mongo, large, false).await;
        (workspace.accounts().await, peak)
    };
    let choice = best_plain_choice(&mongo, &documents).await;
    println!("plain driver's best: {} documents a batch, {} batches at once\n", choice.0, choice.1);

    println!("{:<44} {:>12} {:>12} {:>8}", "", "users/s", "limit/s", "ratio");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        // What was measured before leaves the database with work to do, so neither always goes first.
        let limit_first = round % 2 == 0;
        let mut limit = 0.0;
        if limit_first {
            limit = insert_plainly(&Workspace::empty(&mongo).await, documents.clone(), choice).await;
        }
        let (rate, peak) = import(&mongo, large, false).await;
        if !limit_first {
            limit = insert_plainly(&Workspace::empty(&mongo).await, documents.clone(), choice).await;
        }
        report(&format!("{large} users without passwords, round {round}"), rate, limit);
        ratios.push(rate / limit);
        large_peak = large_peak.max(peak);
    }
    println!("{large} users without passwords, median of the rounds: {:.0}%", median(ratios) * 100.0);

    let limit = hash_on_all_cores(HASHING_TIME);
    let rate = import(&mongo, WITH_PASSWORDS, true).await.0;
    report(&format!("{WITH_PASSWORDS} users with passwords; bcrypt alone"), rate, limit);

    println!("\npeak memory of the service: {small_peak} kB at {SMALL} users, {large_peak} kB at {large} users");
    long_import(&mongo, long).await;
}

/// Imports many users and prints how the rate and the memory hold.
async fn long_import(mongo: &Mongo, users: usize) {
    let workspace = Workspace::empty(mongo).await;
    workspace.stage(users, false).await;
    let service = workspace.serve().await;
    workspace.settle().await;
    // When each tenth began, and the users counted by then.
    let mut begun = vec![(0, Duration::ZERO)];
    let elapsed = service
        .watch_import(|completed, elapsed| {
            let completed = usize::try_from(completed).unwrap_or_default();
            if begun.len() < TENTHS && completed >= users * begun.len() / TENTHS {
                begun.push((completed, elapsed));
            }
        })
        .await;
    begun.push((users, elapsed));
    let rates: Vec<Rate> = begun
        .windows(2)
        .map(|tenth| (tenth[1].0 - tenth[0].0) as Rate / (tenth[1].1.as_secs_f64() - tenth[0].1.as_secs_f64()))
        .collect();
    let shown: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    println!("\n{users} users: {:.0}/s; each tenth: {}", users as Rate / elapsed.as_secs_f64(), shown.join(" "));
    println!("the last tenth at {:.2} of the first", rates[rates.len() - 1] / rates[0]);
    println!("peak memory of the service: {} kB", service.peak_memory_kb());
}

fn report(what: &str, rate: Rate, limit: Rate) {
    println!("{what:<44} {rate:>12.0} {limit:>12.0} {:>7.0}%", rate / limit * 100.0);
}

async fn import(mongo: &Mongo, users: usize, with_passwords: bool) -> (Rate, u64) {
    let (_, rate, peak) = imported(mongo, users, with_passwords).await;
    (rate, peak)
}

/// Stages users, lets the service import them; the rate and the service's peak memory in kB.
async fn imported(mongo: &Mongo, users: usize, with_passwords: bool) -> (Workspace, Rate, u64) {
    let workspace = Workspace::empty(mongo).await;
    workspace.stage(users, with_passwords).await;
    let service = workspace.serve().await;
    workspace.settle().await;
    let elapsed = service.run_import().await;
    (workspace, users as Rate / elapsed.as_secs_f64(), service.peak_memory_kb())
}

async fn best_plain_choice(mongo: &Mongo, documents: &[RawDocumentBuf]) -> (usize, usize) {
    let sample = &documents[..documents.len().min(TRIAL)];
    let mut best = (0.0, PLAIN_CHOICES[0]);
    for choice in PLAIN_CHOICES {
        let rate = insert_plainly(&Workspace::empty(mongo).await, sample.to_vec(), choice).await;
        println!("plain driver, {:>5} a batch, {} at once: {rate:>8.0} documents/s", choice.0, choice.1);
        if rate > best.0 {
            best = (rate, choice);
        }
    }
    best.1
}
