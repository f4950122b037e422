//! What the service has taken of the machine, and whether it takes more and more.

use std::{fmt, fs, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::tally::Tally;

const INTERVAL: Duration = Duration::from_secs(10);
/// So that a short run, for a look at the shape of things, has enough of them.
const LEAST_SAMPLES: u32 = 40;
const MINUTE: Duration = Duration::from_secs(60);
/// One of so many parts of the run is not judged: pools fill, the allocator finds its size.
const PARTS_FOR_WARM_UP: usize = 10;
const MOST_GROWTH: f64 = 0.10;
/// Connections of the clients come and go.
const DESCRIPTORS_OF_CHANCE: f64 = 8.0;
/// What the service may keep at rest that it need not have opened before its first request, all of it connections to the
/// database: ten to work on, two for pings, and those that watch the servers.
const DESCRIPTORS_AT_REST: u64 = 24;

#[derive(Clone, Copy)]
pub struct Sample {
    pub memory_kb: u64,
    pub descriptors: u64,
    pub threads: u64,
}

impl Sample {
    pub fn take(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the service lives");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
        Self { memory_kb: number("VmRSS:"), descriptors, threads: number("Threads:") }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kb, descriptors, threads } = self;
        write!(formatter, "{memory_kb:>8} kB resident, {descriptors:>4} descriptors, {threads:>3} threads")
    }
}

/// In the order they were taken, with when that was.
pub type Samples = Vec<(Duration, Sample)>;

/// Takes samples for so long and prints a line every minute.
pub async fn watch(pid: u32, span: Duration, tally: &Arc<Tally>) -> Samples {
    let interval = INTERVAL.min(span / LEAST_SAMPLES);
    let start = Instant::now();
    let mut samples = Samples::new();
    let (mut minute, mut requests, mut imports) = (1, 0, 0);
    while start.elapsed() < span {
        sleep(interval).await;
        let sample = Sample::take(pid);
        samples.push((start.elapsed(), sample));
        if start.elapsed() >= MINUTE * minute {
            let now = (tally.requests(), tally.imports());
            println!(
                "minute {minute:>3}: {sample}, {:>7} requests, {:>3} imports, {} unexpected answers so far",
                now.0 - requests,
                now.1 - imports,
                tally.unexpected()
            );
            minute += 1;
            (requests, imports) = now;
        }
    }
    samples
}

/// The first quarter beside the last.
pub struct Verdict {
    first: Medians,
    last: Medians,
    /// Of memory, by the least squares.
    kb_each_minute: f64,
}

struct Medians {
    memory_kb: f64,
    descriptors: f64,
    threads: f64,
}

impl Verdict {
    pub fn of(samples: &Samples) -> Self {
        let judged = &samples[samples.len().div_ceil(PARTS_FOR_WARM_UP)..];
        let quarter = (judged.len() / 4).max(1);
        Self {
            first: Medians::of(&judged[..quarter]),
            last: Medians::of(&judged[judged.len() - quarter..]),
            kb_each_minute: slope(judged),
        }
    }

    /// What has grown that should not have.
    pub fn failures(&self, begun: Sample, at_rest: Sample) -> Vec<String> {
        let mut failures = Vec::new();
        if self.last.memory_kb > self.first.memory_kb * (1.0 + MOST_GROWTH) {
            failures.push(format!("memory grew by more than {:.0} %", MOST_GROWTH * 100.0));
        }
        if self.last.descriptors > self.first.descriptors + DESCRIPTORS_OF_CHANCE {
            failures.push("descriptors grew".to_owned());
        }
        if at_rest.descriptors > begun.descriptors + DESCRIPTORS_AT_REST {
            failures.push("descriptors were left open".to_owned());
        }
        failures
    }
}

impl Medians {
    fn of(samples: &[(Duration, Sample)]) -> Self {
        let median = |number: fn(&Sample) -> u64| {
            let mut numbers: Vec<u64> = samples.iter().map(|(_, sample)| number(sample)).collect();
            numbers.sort_unstable();
            numbers[numbers.len() / 2] as f64
        };
        Self {
            memory_kb: median(|sample| sample.memory_kb),
            descriptors: median(|sample| sample.descriptors),
            threads: median(|sample| sample.threads),
        }
    }
}

fn slope(samples: &[(Duration, Sample)]) -> f64 {
    let count = samples.len() as f64;
    let points = || samples.iter().map(|(at, sample)| (at.as_secs_f64() / 60.0, sample.memory_kb as f64));
    let mean_time = points().map(|(time, _)| time).sum::<f64>() / count;
    let mean_memory = points().map(|(_, memory)| memory).sum::<f64>() / count;
    let together: f64 = points().map(|(time, memory)| (time - mean_time) * (memory - mean_memory)).sum();
    let alone: f64 = points().map(|(time, _)| (time - mean_time).powi(2)).sum();
    if alone > 0.0 { together / alone } else { 0.0 }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:<28} {:>14} {:>14} {:>8}", "medians", "first quarter", "last quarter", "change")?;
        for (name, of) in [
            ("memory, kB", (|medians| medians.memory_kb) as fn(&Medians) -> f64),
            ("descriptors", |medians| medians.descriptors),
            ("threads", |medians| medians.threads),
        ] {
            let (first, last) = (of(&self.first), of(&self.last));
            writeln!(formatter, "{name:<28} {first:>14.0} {last:>14.0} {:>+7.1}%", (last / first - 1.0) * 100.0)?;
        }
        writeln!(formatter, "memory over time: {:+.1} kB a minute", self.kb_each_minute)
    }
}
