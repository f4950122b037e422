//! Requests, by outcome.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{GaugeGuard, SECONDS};

/// The label of unknown paths and methods. Their own names would be unbounded.
const OTHER: &str = "other";
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Counts requests. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct RequestMetrics {
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: String,
    status: u16,
}

impl RequestMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
        };
        registry.register("http_requests", "Requests that were answered", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register("http_requests_in_flight", "Requests that wait for an answer", metrics.in_flight.clone());
        metrics
    }

    /// Counts a request as in flight until the guard is dropped.
    pub(crate) fn begin(&self) -> GaugeGuard {
        GaugeGuard::of(&self.in_flight, 1)
    }

    /// Counts an answered request to the route with this pattern (`None`: no route).
    pub(crate) fn with_default_timeout(&self, method: &str, pattern: Option<&str>, status: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER);
        let labels = Labels { method, route: pattern.map_or_else(|| OTHER.to_owned(), route_of), status };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// Returns the pattern with `*` in place of its parameters.
fn route_of(pattern: &str) -> String {
    match pattern.split_once('{') {
        Some((fixed, _)) => format!("{fixed}*"),
        None => pattern.to_owned(),
    }
}
