//! A gauge that goes back by itself.

use prometheus_client::metrics::gauge::Gauge;

/// A part of what a gauge shows.
#[derive(Debug)]
pub(crate) struct Count {
    gauge: Gauge,
    part: i64,
}

impl Count {
    pub(super) fn of(gauge: &Gauge, part: i64) -> Self {
        gauge.inc_by(part);
        Self { gauge: gauge.clone(), part }
    }

    /// Takes over what `other`, of the same gauge, stands for.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.part += std::mem::take(&mut other.part);
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.gauge.dec_by(self.part);
    }
}
