//! Room for work: what is admitted and has not finished, against a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tonic::Status;
use tonic::metadata::MetadataValue;

use crate::wire::KIND_KEY;

/// After which a caller that met a full server may come again.
const PUSH_BACK: Duration = Duration::from_millis(100);
/// The push-back of a caller that would have waited too long, at least and at most.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Work that was admitted and has not finished, in tokens, against a bound.
pub(crate) struct Admission {
    limit: u64,
    held: AtomicU64,
    /// Shows `held` in the metrics.
    shown: Gauge,
    given_back: Notify,
}

impl Admission {
    pub(crate) fn new(limit: u64, shown: Gauge) -> Self {
        Self {
            limit,
            held: AtomicU64::new(0),
            shown,
            given_back: Notify::new(),
        }
    }

    /// Admits work of this cost until the result is dropped, if there is room. An idle server takes work of any size.
    pub(crate) fn admit(self: &Arc<Self>, cost: u64) -> Option<Admitted> {
        let admit = |held: u64| {
            let after = held.saturating_add(cost);
            (held == 0 || after <= self.limit).then_some(after)
        };
        self.held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, admit)
            .ok()?;
        self.shown.inc_by(cost as i64);
        Some(Admitted {
            admission: Arc::clone(self),
            cost,
        })
    }

    /// The same, waiting for room until then.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        cost: u64,
        until: Option<Instant>,
    ) -> Option<Admitted> {
        let admitted = async {
            loop {
                let mut given_back = std::pin::pin!(self.given_back.notified());
                // From here on nothing that is given back is missed.
                given_back.as_mut().enable();
                if let Some(admitted) = self.admit(cost) {
                    return admitted;
                }
                given_back.await;
            }
        };
        match until {
            Some(until) => tokio::time::timeout_at(until.into(), admitted).await.ok(),
            None => Some(admitted.await),
        }
    }

    /// Whether nothing more is admitted now.
    pub(crate) fn is_full(&self) -> bool {
        self.held.load(Ordering::Acquire) >= self.limit
    }
}

/// Room that is given back when this is dropped.
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    cost: u64,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.held.fetch_sub(self.cost, Ordering::AcqRel);
        self.admission.shown.dec_by(self.cost as i64);
        self.admission.given_back.notify_waiters();
    }
}

/// Said where the queue is full.
pub(crate) const FULL: &str =
    "the server has as much work as it may hold: try again, or add servers";

/// The status of a request that was turned away because the server is full: `RESOURCE_EXHAUSTED` with a push-back.
pub(crate) fn overloaded(message: &str) -> Status {
    turned_away(message, PUSH_BACK)
}

/// The status of a request that would be done too late, after `wait`.
pub(crate) fn would_be_late(wait: Duration) -> Status {
    turned_away(
        "the server has more work than it can do in time: try again, or add servers",
        (wait / 2).clamp(SHORTEST, LONGEST),
    )
}

fn turned_away(message: &str, push_back: Duration) -> Status {
    let mut status = Status::resource_exhausted(message);
    let metadata = status.metadata_mut();
    metadata.insert(KIND_KEY, MetadataValue::from_static("overloaded"));
    let milliseconds = MetadataValue::from(push_back.as_millis() as u64);
    metadata.insert("grpc-retry-pushback-ms", milliseconds);
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_and_an_idle_server_takes_anything() {
        let admission = Arc::new(Admission::new(1000, Gauge::default()));
        let large = admission.admit(5000).unwrap();
        assert!(admission.is_full());
        assert!(admission.admit(1).is_none());
        drop(large);
        let first = admission.admit(400).unwrap();
        let second = admission.admit(400).unwrap();
        assert!(admission.admit(400).is_none());
        drop((first, second));
        assert_eq!(admission.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_waits_gets_room_when_it_is_given_back_or_nothing_when_it_is_too_late() {
        let admission = Arc::new(Admission::new(1000, Gauge::default()));
        let first = admission.admit(1000).unwrap();
        assert!(admission.wait(1, Some(Instant::now())).await.is_none());
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.wait(1000, None).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[test]
    fn who_is_turned_away_hears_when_to_come_again() {
        let push_back = |status: &Status| {
            assert_eq!(status.code(), tonic::Code::ResourceExhausted);
            assert_eq!(status.metadata().get("assay-error").unwrap(), "overloaded");
            let text = status.metadata().get("grpc-retry-pushback-ms").unwrap();
            text.to_str().unwrap().parse::<u64>().unwrap()
        };
        assert_eq!(push_back(&overloaded(FULL)), 100);
        assert_eq!(push_back(&would_be_late(Duration::from_millis(300))), 150);
        assert_eq!(push_back(&would_be_late(Duration::ZERO)), 20);
        assert_eq!(push_back(&would_be_late(Duration::MAX)), 2000);
    }
}
