//! Work from its admission to its end: room, turns, deadlines, and when nobody wants it any more.

mod admission;
pub(crate) mod cost;
mod gate;
mod queue;
mod turn;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use tonic::Status;

pub(crate) use admission::{Admission, Admitted, FULL, overloaded, would_be_late};
pub(crate) use gate::{Arrival, Gate, SCORE};
pub(crate) use queue::{Queue, Slice, Work};
pub(crate) use turn::Turn;

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

    /// The same, with a deadline of its own.
    pub(crate) fn by(&self, deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            given_up: Arc::clone(&self.given_up),
        }
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

/// When to answer a call that arrived then: a little before its `grpc-timeout` is over, after which tonic itself would say
/// CANCELLED.
pub(crate) fn deadline(metadata: &HeaderMap, arrived: Instant) -> Option<Instant> {
    let timeout = timeout(metadata.get("grpc-timeout")?.to_str().ok()?)?;
    let early = (timeout / 20).min(Duration::from_millis(50));
    arrived.checked_add(timeout.saturating_sub(early))
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
