//! What came of a load.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::check::Findings;
use super::{Kind, LoadOptions};

/// Latencies are kept in microseconds to three digits, up to this.
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS)
        .expect("the bounds are 1 and more, the digits at most 5")
}

/// How long answered requests took, in milliseconds. Open loop: from when they should have been sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        let at = |share| histogram.value_at_quantile(share) as f64 / 1e3;
        Self {
            mean: histogram.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// About a second of the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Seconds since the start.
    pub seconds: f64,
    /// Items with the right result in this time.
    pub items: u64,
    /// Requests that were turned away in this time.
    pub shed: u64,
    /// Requests that failed in this time.
    pub failed: u64,
    /// 99 % of the requests that were answered in this time took at most this many milliseconds.
    pub p99_ms: f64,
    /// Memory of the server in MiB, when its process was named.
    pub rss_mib: Option<f64>,
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:6.1} s  {} items, {} turned away, {} failed, p99 {:.2} ms",
            self.seconds, self.items, self.shed, self.failed, self.p99_ms
        )?;
        match self.rss_mib {
            Some(mib) => write!(out, ", {mib:.1} MiB"),
            None => Ok(()),
        }
    }
}

/// What the process of the server used during the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerUse {
    /// Seconds of CPU.
    pub cpu_seconds: f64,
    /// Right items per second of CPU: what one core does.
    pub items_per_core_second: f64,
    /// Memory at the start, in MiB.
    pub rss_mib_before: f64,
    /// Memory at the end, in MiB.
    pub rss_mib_after: f64,
    /// Most memory seen, in MiB.
    pub rss_mib_most: f64,
}

/// What came of a load. `Display` writes it for people, `serde` as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether every result is right and nothing failed: the exit status.
    pub ok: bool,
    /// `open` or `closed`.
    pub mode: &'static str,
    /// What was called.
    pub target: String,
    /// The sort of items.
    pub kind: &'static str,
    /// Items in a request.
    pub batch: usize,
    /// Connections.
    pub connections: usize,
    /// Requests in flight, at most.
    pub concurrency: usize,
    /// Requests per second that were asked for; `None` in a closed loop.
    pub rate: Option<f64>,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests that were sent.
    pub requests: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were turned away with `RESOURCE_EXHAUSTED`.
    pub shed: u64,
    /// Other requests without an answer, by code.
    pub failed: BTreeMap<String, u64>,
    /// The words of the first failure.
    pub first_failure: Option<String>,
    /// What the answers held.
    #[serde(flatten)]
    pub findings: Findings,
    /// Right items per second.
    pub items_per_second: f64,
    /// Of answered requests.
    pub latency_ms: Latency,
    /// When the server's process was named.
    pub server: Option<ServerUse>,
    /// One entry for about each second.
    pub series: Vec<Moment>,
}

impl Report {
    pub(crate) fn new(options: &LoadOptions) -> Self {
        Self {
            ok: false,
            mode: if options.rate.is_some() {
                "open"
            } else {
                "closed"
            },
            target: options.target.clone(),
            kind: Kind::as_str(options.kind),
            batch: options.batch,
            connections: options.connections,
            concurrency: options.concurrency,
            rate: options.rate,
            seconds: 0.0,
            requests: 0,
            answered: 0,
            shed: 0,
            failed: BTreeMap::new(),
            first_failure: None,
            findings: Findings::default(),
            items_per_second: 0.0,
            latency_ms: Latency::default(),
            server: None,
            series: Vec::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loop_kind = match self.rate {
            Some(rate) => format!("open loop, {rate} requests/s"),
            None => format!("closed loop, {} in flight", self.concurrency),
        };
        writeln!(
            out,
            "{} items in requests of {} over {} connections, {loop_kind}",
            self.kind, self.batch, self.connections
        )?;
        let found = &self.findings;
        writeln!(
            out,
            "items     {} right in {:.1} s: {:.0} items/s",
            found.items, self.seconds, self.items_per_second
        )?;
        writeln!(
            out,
            "wrong     {} lost, {} duplicated, {} different, {} unavailable",
            found.lost, found.duplicated, found.different, found.unavailable
        )?;
        writeln!(
            out,
            "requests  {} sent, {} answered, {} turned away",
            self.requests, self.answered, self.shed
        )?;
        let latency = &self.latency_ms;
        writeln!(
            out,
            "latency   p50 {:.2}  p90 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2} ms",
            latency.p50, latency.p90, latency.p99, latency.p999, latency.max
        )?;
        if let Some(server) = &self.server {
            writeln!(
                out,
                "server    {:.2} CPU s: {:.0} items/s for each core; memory {:.1} MiB before, {:.1} after, {:.1} at most",
                server.cpu_seconds,
                server.items_per_core_second,
                server.rss_mib_before,
                server.rss_mib_after,
                server.rss_mib_most
            )?;
        }
        for (code, count) in &self.failed {
            writeln!(out, "failed    {count} with {code}")?;
        }
        for line in self.first_failure.iter().chain(&found.examples) {
            writeln!(out, "          {line}")?;
        }
        Ok(())
    }
}
