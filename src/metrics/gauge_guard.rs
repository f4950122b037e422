//! A share of a gauge that ends with its owner.

use prometheus_client::metrics::gauge::Gauge;

/// A share of a gauge's value, given back on drop.
#[derive(Debug)]
pub(crate) struct GaugeGuard {
    gauge: Gauge,
    part: i64,
}

impl GaugeGuard {
    pub(super) fn of(gauge: &Gauge, part: i64) -> Self {
        gauge.inc_by(part);
        Self { gauge: gauge.clone(), part }
    }

    /// Takes over the share of `other`, which belongs to the same gauge.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.part += std::mem::take(&mut other.part);
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.gauge.dec_by(self.part);
    }
}
