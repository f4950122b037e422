//! Requests in work, refused requests, and the memory reserved for bodies.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::GaugeGuard;

/// Counters of overload. They count even if no metrics port is configured. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct OverloadMetrics {
    shed: Family<Reason, Counter>,
    in_work: Gauge,
    waiting: Gauge,
    body_bytes: Gauge,
}

/// The resource that was exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    Request,
    Body,
    Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    what: &'static str,
}

impl Shed {
    fn reason(self) -> Reason {
        let what = match self {
            Self::Request => "request",
            Self::Body => "body",
            Self::Answer => "answer",
        };
        Reason { what }
    }
}

impl OverloadMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for what in [Shed::Request, Shed::Body, Shed::Answer] {
            // Also when nothing was: a number that is not there cannot be seen to rise.
            drop(metrics.shed.get_or_create(&what.reason()));
        }
        registry.register(
            "http_requests_shed",
            "Requests that were refused because there was too much to do",
            metrics.shed.clone(),
        );
        registry.register("http_requests_in_work", "Requests that have a place", metrics.in_work.clone());
        registry.register("http_requests_waiting", "Requests that wait for a place", metrics.waiting.clone());
        registry.register_with_unit(
            "http_request_bodies",
            "Memory set aside for the bodies of requests",
            Unit::Bytes,
            metrics.body_bytes.clone(),
        );
        metrics
    }

    /// Counts a refused request.
    pub(crate) fn shed(&self, what: Shed) {
        self.shed.get_or_create(&what.reason()).inc();
    }

    /// Counts a request in work until the guard is dropped.
    pub(crate) fn in_work(&self) -> GaugeGuard {
        GaugeGuard::of(&self.in_work, 1)
    }

    /// Counts a waiting request until the guard is dropped.
    pub(crate) fn waiting(&self) -> GaugeGuard {
        GaugeGuard::of(&self.waiting, 1)
    }

    /// Counts reserved bytes until the guard is dropped.
    pub(crate) fn body_room(&self, bytes: usize) -> GaugeGuard {
        GaugeGuard::of(&self.body_bytes, i64::try_from(bytes).unwrap_or(i64::MAX))
    }
}
