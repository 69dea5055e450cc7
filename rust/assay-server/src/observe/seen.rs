//! What a method tells about its request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::pb;
use crate::pb::item_result::Outcome;

/// The names of what can become of an item, in the order of the counts of [`Seen`].
pub(crate) const STATUSES: [&str; 6] = [
    "scored",
    "undecided",
    "limit",
    "invalid_reference",
    "unavailable",
    "invalid_item",
];
/// A longer request id is cut: it goes to every log line and span of the request.
const LONGEST_ID: usize = 128;

/// How many items have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u64; STATUSES.len()]);

impl Counts {
    pub(crate) fn of(results: &[pb::ItemResult]) -> Self {
        let mut counts = [0; STATUSES.len()];
        for result in results {
            counts[place(result)] += 1;
        }
        Self(counts)
    }
}

/// Filled while a request is handled, read when it has ended. Shared through the request's extensions.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) request_id: OnceLock<String>,
    /// Who was let in by name.
    caller: OnceLock<Arc<str>>,
    statuses: [AtomicU64; STATUSES.len()],
    items: AtomicU64,
    queue_nanoseconds: AtomicU64,
    work_nanoseconds: AtomicU64,
}

impl Seen {
    /// That of a request, or one that nobody reads.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Arc<Self> {
        request
            .extensions()
            .get::<Arc<Self>>()
            .cloned()
            .unwrap_or_default()
    }

    /// Who calls, where that is known.
    pub(crate) fn called_by(&self, name: &Arc<str>) {
        let _ = self.caller.set(Arc::clone(name));
    }

    pub(crate) fn caller(&self) -> &str {
        self.caller.get().map_or("", |name| name)
    }

    /// Before the work: the caller's name for the request, and how many items it has.
    pub(crate) fn asked(&self, request_id: &str, items: usize) {
        let cut: String = request_id
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_ID)
            .collect();
        let _ = self.request_id.set(cut);
        self.items.fetch_add(items as u64, Ordering::Relaxed);
    }

    /// After it: what became of the items.
    pub(crate) fn answered(&self, counts: &Counts) {
        for (total, count) in self.statuses.iter().zip(counts.0) {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn waited(&self, time: std::time::Duration) {
        self.queue_nanoseconds
            .fetch_add(nanoseconds(time), Ordering::Relaxed);
    }

    pub(crate) fn worked(&self, time: std::time::Duration) {
        self.work_nanoseconds
            .fetch_add(nanoseconds(time), Ordering::Relaxed);
    }

    pub(crate) fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    pub(crate) fn queue_seconds(&self) -> f64 {
        self.queue_nanoseconds.load(Ordering::Relaxed) as f64 * 1e-9
    }

    pub(crate) fn work_seconds(&self) -> f64 {
        self.work_nanoseconds.load(Ordering::Relaxed) as f64 * 1e-9
    }

    /// How many items have each status.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self
            .statuses
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        STATUSES
            .into_iter()
            .zip(counts)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn place(result: &pb::ItemResult) -> usize {
    match &result.outcome {
        Some(Outcome::Scored(_)) => 0,
        Some(Outcome::Error(error)) => match error.code() {
            pb::ErrorCode::Undecided => 1,
            pb::ErrorCode::Limit => 2,
            pb::ErrorCode::InvalidReference => 3,
            pb::ErrorCode::InvalidItem => 5,
            _ => 4,
        },
        None => 4,
    }
}
