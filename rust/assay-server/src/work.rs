//! Room for work: what is admitted, how long it may take, and when nobody wants it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use tonic::Status;
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::wire::KIND_KEY;

/// Milliseconds after which a caller that was turned away may come again.
const PUSH_BACK: &str = "100";
/// What an item costs beside its bytes.
const ITEM_COST: usize = 64;

/// Work that was admitted and has not finished, against a bound. Cost is bytes, of which tokens are about a quarter.
pub(crate) struct Admission {
    limit: usize,
    held: AtomicUsize,
    /// Shows `held` in the metrics.
    shown: Gauge,
}

impl Admission {
    pub(crate) fn new(limit: usize, shown: Gauge) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            shown,
        }
    }

    /// Admits work of this many bytes and items until the result is dropped. An idle server takes work of any size.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` with a push-back when the server holds too much already.
    pub(crate) fn admit(self: &Arc<Self>, bytes: usize, items: usize) -> Result<Admitted, Status> {
        let cost = bytes.saturating_add(items.saturating_mul(ITEM_COST));
        let admit = |held: usize| {
            let after = held.saturating_add(cost);
            (held == 0 || after <= self.limit).then_some(after)
        };
        let admitted = self
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, admit);
        if admitted.is_err() {
            return Err(overloaded(
                "the server has as much work as it may hold: try again, or add servers",
            ));
        }
        self.shown.inc_by(cost as i64);
        Ok(Admitted {
            admission: Arc::clone(self),
            cost,
        })
    }
}

/// Room that is given back when this is dropped.
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    cost: usize,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.held.fetch_sub(self.cost, Ordering::AcqRel);
        self.admission.shown.dec_by(self.cost as i64);
    }
}

/// `RESOURCE_EXHAUSTED` with a push-back.
pub(crate) fn overloaded(message: &str) -> Status {
    let mut status = Status::resource_exhausted(message);
    let metadata = status.metadata_mut();
    metadata.insert(KIND_KEY, MetadataValue::from_static("overloaded"));
    metadata.insert(
        "grpc-retry-pushback-ms",
        MetadataValue::from_static(PUSH_BACK),
    );
    status
}

/// Whether the result of some work is still wanted.
#[derive(Clone)]
pub(crate) struct Wanted {
    deadline: Option<Instant>,
    given_up: Arc<AtomicBool>,
}

impl Wanted {
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            given_up: Arc::default(),
        }
    }

    /// Looked at between parts of the work.
    ///
    /// # Errors
    ///
    /// `DEADLINE_EXCEEDED` after the deadline, `CANCELLED` when the caller has gone.
    pub(crate) fn check(&self) -> Result<(), Status> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Status::cancelled("the caller has gone"));
        }
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(too_late());
        }
        Ok(())
    }

    /// Gives the work up when the guard is dropped.
    pub(crate) fn guard(&self) -> GiveUp {
        GiveUp(Arc::clone(&self.given_up))
    }
}

/// See [`Wanted::guard`].
pub(crate) struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn too_late() -> Status {
    Status::deadline_exceeded("the deadline of the call is over; the work has stopped")
}

/// When to answer a call: a little before its `grpc-timeout`, after which tonic itself would say CANCELLED.
pub(crate) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let timeout = timeout(metadata.get("grpc-timeout")?.to_str().ok()?)?;
    let early = (timeout / 20).min(Duration::from_millis(50));
    Instant::now().checked_add(timeout.saturating_sub(early))
}

/// `grpc-timeout`: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (unit, number) = (
        text.chars().last()?,
        text.get(..text.len().checked_sub(1)?)?,
    );
    let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    Some(match unit {
        'H' => Duration::from_hours(number),
        'M' => Duration::from_mins(number),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_and_an_idle_server_takes_anything() {
        let admission = Arc::new(Admission::new(1000, Gauge::default()));
        let large = admission.admit(5000, 1).unwrap();
        let status = admission.admit(1, 1).err().unwrap();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            "100"
        );
        drop(large);
        let first = admission.admit(400, 1).unwrap();
        let second = admission.admit(400, 1).unwrap();
        assert!(admission.admit(400, 1).is_err());
        drop((first, second));
        assert_eq!(admission.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn work_is_unwanted_after_the_deadline_or_without_a_caller() {
        let wanted = Wanted::until(None);
        assert!(wanted.check().is_ok());
        drop(wanted.guard());
        assert_eq!(wanted.check().unwrap_err().code(), tonic::Code::Cancelled);
        let late = Wanted::until(Some(Instant::now()));
        assert_eq!(
            late.check().unwrap_err().code(),
            tonic::Code::DeadlineExceeded
        );
    }

    #[test]
    fn timeouts() {
        assert_eq!(timeout("20S"), Some(Duration::from_secs(20)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        assert_eq!(timeout("5m"), Some(Duration::from_millis(5)));
        for text in ["", "S", "5", "5x", "-5S", "999999999S", "5é"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
