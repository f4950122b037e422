//! Numbers for Prometheus, on a port of their own.
//!
//! Whatever this process does is counted as it happens; how the newest operation goes is read from the database when
//! somebody asks, so that no number is older than the answer it stands in. A database that does not answer takes its own
//! numbers out of the answer, and nothing else.

mod count;
mod database;
mod overload;
mod process;
mod requests;
mod server;
mod workspace;

pub(crate) use count::Count;
pub(crate) use overload::{OverloadMetrics, Shed};
pub(crate) use requests::RequestMetrics;
pub(crate) use server::MetricsServer;

/// What the name of every metric of ours begins with.
const PREFIX: &str = "rocketchat_import";

/// Upper ends of the buckets of every duration, in seconds: from what a lookup by `_id` takes to what a client is kept
/// waiting for at most.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
