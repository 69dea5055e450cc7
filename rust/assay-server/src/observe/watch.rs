//! Components and fuel of a batch, for the metrics.

use std::time::Instant;

use assay_core::score::{Scorer, Watch};
use prometheus_client::metrics::histogram::Histogram;

use super::metrics::{Metrics, OfKind};

/// One item in this many is timed: reading the clock twice costs as much as a cheap component.
const TIMED: usize = 16;

/// Watches one batch.
pub(crate) struct BatchWatch {
    began: Instant,
    /// For each component of the spec.
    seconds: Vec<Histogram>,
    fuel: Histogram,
}

impl BatchWatch {
    pub(crate) fn new(metrics: &Metrics, scorer: &Scorer) -> Self {
        let seconds = |kind| {
            metrics
                .component_seconds
                .get_or_create_owned(&OfKind { kind })
        };
        let components = &scorer.spec().components;
        Self {
            began: Instant::now(),
            seconds: components
                .iter()
                .map(|component| seconds(component.kind.as_str()))
                .collect(),
            fuel: metrics.fuel.clone(),
        }
    }
}

impl Watch for BatchWatch {
    fn is_timed(&self, item: usize) -> bool {
        item.is_multiple_of(TIMED)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn component(&self, place: usize, ticks: u64) {
        if let Some(seconds) = self.seconds.get(place) {
            seconds.observe(ticks as f64 * 1e-9);
        }
    }

    fn fuel(&self, _place: usize, units: u64) {
        if units > 0 {
            self.fuel.observe(units as f64);
        }
    }
}
