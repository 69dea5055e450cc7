//! The way of a request through the queue.

use std::sync::Arc;
use std::time::Instant;

use super::metrics::Metrics;
use super::seen::Seen;

impl Metrics {
    /// A request waits for a thread from now on.
    pub(crate) fn waiting(&self, seen: Arc<Seen>) -> Waiting {
        self.queue_depth.inc();
        Waiting {
            stage: Some((self.clone(), seen)),
            since: Instant::now(),
        }
    }
}

/// A request that waits. Dropped unstarted, it was given up.
pub(crate) struct Waiting {
    stage: Option<(Metrics, Arc<Seen>)>,
    since: Instant,
}

impl Waiting {
    /// A thread has taken it.
    pub(crate) fn start(mut self) -> Working {
        let stage = self.stage.take();
        if let Some((metrics, seen)) = &stage {
            let waited = self.since.elapsed();
            metrics.queue_depth.dec();
            metrics.queue_seconds.observe(waited.as_secs_f64());
            metrics.inflight.inc();
            seen.waited(waited);
        }
        Working {
            stage,
            since: Instant::now(),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((metrics, _)) = &self.stage {
            metrics.queue_depth.dec();
        }
    }
}

/// A request that is worked on until this is dropped.
pub(crate) struct Working {
    stage: Option<(Metrics, Arc<Seen>)>,
    since: Instant,
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some((metrics, seen)) = &self.stage {
            let worked = self.since.elapsed();
            metrics.inflight.dec();
            metrics.work_seconds.observe(worked.as_secs_f64());
            seen.worked(worked);
        }
    }
}
