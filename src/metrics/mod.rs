//! Metrics for Prometheus, on a port of their own.
//!
//! Events of this process are counted as they happen. The state of the newest operation is read from the database for each
//! scrape, so no number is older than its answer. If the database does not answer, only its own numbers are missing.

mod database;
mod gauge_guard;
mod overload;
mod process;
mod requests;
mod server;
mod workspace;

pub(crate) use gauge_guard::GaugeGuard;
pub(crate) use overload::{OverloadMetrics, Shed};
pub(crate) use requests::RequestMetrics;
pub(crate) use server::MetricsServer;

/// The prefix of every metric's name.
const PREFIX: &str = "rocketchat_import";

/// Upper ends of the buckets of every duration, in seconds: from a look-up by `_id` to the longest wait of a client.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
