//! Requests, by what became of them.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{Count, SECONDS};

/// What a path or a method that this service does not know is called. Their own names could be anything, and any number.
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

    /// A request has come; it counts as waiting until what this returns is dropped.
    pub(crate) fn begin(&self) -> Count {
        Count::of(&self.in_flight, 1)
    }

    /// A request to the route with this pattern (`None`: there is none) was answered.
    pub(crate) fn answered(&self, method: &str, pattern: Option<&str>, status: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER);
        let labels = Labels { method, route: pattern.map_or_else(|| OTHER.to_owned(), route_of), status };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// The pattern with `*` in place of what it leaves open.
fn route_of(pattern: &str) -> String {
    match pattern.split_once('{') {
        Some((fixed, _)) => format!("{fixed}*"),
        None => pattern.to_owned(),
    }
}
