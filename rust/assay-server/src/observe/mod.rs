//! Seeing a server: metrics, liveness and readiness over HTTP, traces, one log line per request.
//!
//! [`Observed`] stands around all gRPC services and needs nothing from them; a method that knows more (items, waiting time)
//! fills the [`Seen`] of its request. Nothing here can fail a request.

mod http;
mod layer;
mod metrics;
mod seen;
mod stage;
mod trace;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Config, ServeError};

use http::Endpoint;
use layer::Observed;
pub(crate) use layer::is_streaming;
pub(crate) use metrics::Metrics;
pub(crate) use seen::{Counts, Seen};
pub(crate) use stage::{Waiting, Working};
use trace::Tracer;
pub(crate) use watch::BatchWatch;

/// What watches one server.
pub(crate) struct Observation {
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    tracer: Tracer,
}

impl Observation {
    /// As `config` asks for. The future answers HTTP requests until it is dropped, and never ends.
    ///
    /// # Errors
    ///
    /// For addresses that are none or taken.
    pub(crate) async fn begin(
        config: &Config,
    ) -> Result<(Self, impl Future<Output = ()> + use<>), ServeError> {
        let metrics = Metrics::new(config.scoring_threads(), config.max_queued_tokens);
        let readiness = Readiness::default();
        let tracer = match &config.otlp {
            Some(address) => Tracer::new(address, config.trace_ratio)?,
            None => Tracer::default(),
        };
        let endpoint = match &config.metrics {
            Some(address) => {
                Some(Endpoint::bind(address, metrics.clone(), readiness.clone()).await?)
            }
            None => None,
        };
        let answering = async move {
            match endpoint {
                Some(endpoint) => endpoint.run().await,
                None => std::future::pending().await,
            }
        };
        let observation = Self {
            metrics,
            readiness,
            tracer,
        };
        Ok((observation, answering))
    }

    /// The layer around all services.
    pub(crate) fn layer(&self) -> Observed {
        Observed::new(self.metrics.clone(), self.tracer.clone())
    }

    /// Sends the last spans.
    pub(crate) async fn end(self) {
        let _ = tokio::task::spawn_blocking(move || self.tracer.flush()).await;
    }
}

/// Whether a server wants work. Shared by those who decide it and those who tell it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
