//! Every metric a server has.
#![expect(
    clippy::struct_field_names,
    reason = "the labels of the common gRPC interceptors"
)]

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::process;

/// Seconds of requests: from what an empty batch takes to the default timeout of a client.
const REQUEST_SECONDS: [f64; 16] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0,
];
/// Seconds of one component of one item: fuel ends a comparison at about 5 ms.
const COMPONENT_SECONDS: [f64; 13] = [
    1e-7, 2.5e-7, 5e-7, 1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 1e-4, 5e-4, 2e-3, 5e-3, 2e-2,
];
/// Items of a request.
const BATCH_ITEMS: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];
/// Units of fuel; the last is the whole budget.
const FUEL: [f64; 8] = [100.0, 1e3, 1e4, 5e4, 1e5, 5e5, 1e6, 2e6];

/// Buckets of the histograms of a family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Which method; all from fixed lists, so that callers cannot make labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Method {
    pub(crate) grpc_type: &'static str,
    pub(crate) grpc_service: &'static str,
    pub(crate) grpc_method: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Handled {
    pub(crate) grpc_type: &'static str,
    pub(crate) grpc_service: &'static str,
    pub(crate) grpc_method: &'static str,
    pub(crate) grpc_code: &'static str,
}

macro_rules! labels {
    ($($name:ident { $label:ident })*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(crate) struct $name {
            pub(crate) $label: &'static str,
        }
    )*};
}
labels! { OfStatus { status } OfReason { reason } OfCache { cache } OfKind { kind } }

/// The metrics of one server. Cheap to clone; clones are the same metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: std::sync::Arc<Registry>,
    pub(crate) started: Family<Method, Counter>,
    pub(crate) handled: Family<Handled, Counter>,
    pub(crate) handling_seconds: Family<Method, Histogram, Buckets>,
    pub(crate) items: Family<OfStatus, Counter>,
    pub(crate) batch_items: Histogram,
    pub(crate) component_seconds: Family<OfKind, Histogram, Buckets>,
    pub(crate) fuel: Histogram,
    pub(crate) queue_seconds: Histogram,
    pub(crate) work_seconds: Histogram,
    pub(crate) queue_depth: Gauge,
    pub(crate) inflight: Gauge,
    pub(crate) held_tokens: Gauge,
    pub(crate) shed: Family<OfReason, Counter>,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Family<OfReason, Counter>,
    pub(crate) cache_hits: Family<OfCache, Counter>,
    pub(crate) cache_misses: Family<OfCache, Counter>,
}

impl Metrics {
    /// `threads` score; at most `max_queued_tokens` are held.
    pub(crate) fn new(threads: usize, max_queued_tokens: u64) -> Self {
        let mut registry = Registry::default();
        let seconds = |buckets: &'static [f64]| Histogram::new(buckets.iter().copied());
        let metrics = Self {
            registry: std::sync::Arc::default(),
            started: Family::default(),
            handled: Family::default(),
            handling_seconds: Family::new_with_constructor(Buckets(&REQUEST_SECONDS)),
            items: Family::default(),
            batch_items: seconds(&BATCH_ITEMS),
            component_seconds: Family::new_with_constructor(Buckets(&COMPONENT_SECONDS)),
            fuel: seconds(&FUEL),
            queue_seconds: seconds(&REQUEST_SECONDS),
            work_seconds: seconds(&REQUEST_SECONDS),
            queue_depth: Gauge::default(),
            inflight: Gauge::default(),
            held_tokens: Gauge::default(),
            shed: Family::default(),
            connections: Gauge::default(),
            connections_refused: Family::default(),
            cache_hits: Family::default(),
            cache_misses: Family::default(),
        };
        metrics.name(&mut registry);
        let assay = registry.sub_registry_with_prefix("assay");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        assay.register("server", "The version of the server", version);
        assay.register(
            "threads",
            "Threads that score",
            ConstGauge::new(threads as i64),
        );
        assay.register(
            "held_limit_tokens",
            "Most work that may be held, in tokens; more is turned away",
            ConstGauge::new(max_queued_tokens as i64),
        );
        registry.register_collector(Box::new(Process));
        metrics.start_at_zero();
        Self {
            registry: std::sync::Arc::new(registry),
            ..metrics
        }
    }

    fn name(&self, registry: &mut Registry) {
        // The names of the common gRPC interceptors, so that their dashboards work. Counters get `_total` when written.
        registry.register(
            "grpc_server_started",
            "Calls that began",
            self.started.clone(),
        );
        registry.register(
            "grpc_server_handled",
            "Calls that ended, by code",
            self.handled.clone(),
        );
        registry.register_with_unit(
            "grpc_server_handling",
            "How long calls took",
            Unit::Seconds,
            self.handling_seconds.clone(),
        );
        let assay = registry.sub_registry_with_prefix("assay");
        assay.register("items", "Items by what became of them", self.items.clone());
        assay.register(
            "batch_items",
            "Items of a Score request",
            self.batch_items.clone(),
        );
        assay.register_with_unit(
            "component",
            "Time of one component of one item; one item in sixteen is timed",
            Unit::Seconds,
            self.component_seconds.clone(),
        );
        assay.register(
            "fuel",
            "Fuel of comparisons that needed any; 1,300,000 is all",
            self.fuel.clone(),
        );
        assay.register_with_unit(
            "queue",
            "How long admitted requests waited for a thread",
            Unit::Seconds,
            self.queue_seconds.clone(),
        );
        assay.register_with_unit(
            "work",
            "How long requests were scored, from the first slice to the last",
            Unit::Seconds,
            self.work_seconds.clone(),
        );
        self.name_room(assay);
    }

    /// What there is room for, and what was turned away.
    fn name_room(&self, assay: &mut Registry) {
        assay.register(
            "queue_depth",
            "Admitted requests that wait for a thread",
            self.queue_depth.clone(),
        );
        assay.register(
            "inflight",
            "Requests that are being scored",
            self.inflight.clone(),
        );
        assay.register(
            "held_tokens",
            "Work that is scored or waits, in tokens",
            self.held_tokens.clone(),
        );
        assay.register(
            "shed",
            "Requests that were turned away before work began",
            self.shed.clone(),
        );
        assay.register(
            "connections",
            "Connections of callers",
            self.connections.clone(),
        );
        assay.register(
            "connections_refused",
            "Connections that were turned away or ended: all places taken, no proper beginning, responses not read",
            self.connections_refused.clone(),
        );
        assay.register(
            "cache_hits",
            "Look-ups that found what was kept",
            self.cache_hits.clone(),
        );
        assay.register(
            "cache_misses",
            "Look-ups that did not",
            self.cache_misses.clone(),
        );
    }

    /// What has not happened yet is 0 and not absent: a rate over its first occurrence is then right.
    fn start_at_zero(&self) {
        for status in [
            "scored",
            "undecided",
            "limit",
            "invalid_reference",
            "unavailable",
            "invalid_item",
        ] {
            drop(self.items.get_or_create(&OfStatus { status }));
        }
        for reason in ["deadline", "wait", "overloaded", "arriving", "unread"] {
            drop(self.shed.get_or_create(&OfReason { reason }));
        }
        for reason in ["full", "handshake", "unread"] {
            drop(self.connections_refused.get_or_create(&OfReason { reason }));
        }
        for cache in ["request", "result", "scorer", "spec", "tests", "tokenizer"] {
            drop(self.cache_hits.get_or_create(&OfCache { cache }));
            drop(self.cache_misses.get_or_create(&OfCache { cache }));
        }
    }

    pub(crate) fn cache(&self, cache: &'static str, hit: bool) {
        self.cache_many(cache, hit.into(), (!hit).into());
    }

    pub(crate) fn cache_many(&self, cache: &'static str, hits: u64, misses: u64) {
        for (family, count) in [(&self.cache_hits, hits), (&self.cache_misses, misses)] {
            if count > 0 {
                family.get_or_create(&OfCache { cache }).inc_by(count);
            }
        }
    }

    pub(crate) fn shed(&self, reason: &'static str) {
        self.shed.get_or_create(&OfReason { reason }).inc();
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.connections_refused
            .get_or_create(&OfReason { reason })
            .inc();
    }

    /// All metrics in the text format of `OpenMetrics` 1.0, which Prometheus reads.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        // Writing to a string fails only if an encoder is wrong; half a page is then better than none.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// The standard figures of a process, read when they are asked for.
#[derive(Debug)]
struct Process;

impl prometheus_client::collector::Collector for Process {
    fn encode(
        &self,
        mut encoder: prometheus_client::encoding::DescriptorEncoder<'_>,
    ) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::EncodeMetric;
        let Some(usage) = process::usage(std::process::id()) else {
            return Ok(());
        };
        let cpu = ConstCounter::new(usage.cpu_seconds);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "CPU time of the process",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        let memory = ConstGauge::new(usage.rss_bytes as i64);
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            "Resident memory of the process",
            Some(&Unit::Bytes),
            memory.metric_type(),
        )?)
    }
}
