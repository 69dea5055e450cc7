//! Work of one piece on the scoring threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use assay_core::{Error, ErrorKind};
use tokio::sync::oneshot;
use tonic::Status;

use super::gather::passed;
use super::{Call, Shared};
use crate::wire::status;
use crate::work::{Slice, Wanted, Work, too_late};

pub(super) fn broken() -> Status {
    status(&Error::new(
        ErrorKind::Internal,
        "scoring failed; the server's log has the place",
    ))
}

/// Work that is done at once.
struct Once<F> {
    shared: Arc<Shared>,
    cost: u64,
    wanted: Wanted,
    work: Mutex<Option<F>>,
    claimed: Mutex<bool>,
}

impl<F: FnOnce(&Shared) + Send> Work for Once<F> {
    fn claim(&self) -> Option<Slice> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if *claimed || self.wanted.check().is_err() {
            return None;
        }
        *claimed = true;
        Some(Slice {
            items: 0..1,
            cost: self.cost,
        })
    }

    fn left(&self) -> u64 {
        let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if *claimed { 0 } else { self.cost }
    }

    fn run(&self, _: Slice) {
        let work = self
            .work
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(work) = work {
            // A panic costs one request: its answer never comes, which it is told.
            let _ = catch_unwind(AssertUnwindSafe(|| work(&self.shared)));
        }
    }
}

impl Shared {
    /// Runs `work` on a scoring thread when it is the caller's turn. Dropping the future gives it up if it has not begun.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        call: &Call,
        cost: u64,
        work: impl FnOnce(&Self) -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let (send, receive) = oneshot::channel();
        let wanted = Wanted::until(call.deadline);
        let _given_up_with_this_future = wanted.guard();
        let once = Once {
            shared: Arc::clone(self),
            cost,
            wanted,
            work: Mutex::new(Some(move |shared: &Self| {
                // The caller may have gone; then nobody wants the result.
                let _ = send.send(work(shared));
            })),
            claimed: Mutex::new(false),
        };
        self.queue.push(&call.tenant, Arc::new(once));
        tokio::select! {
            result = receive => result.unwrap_or_else(|_| Err(call.late_or(broken))),
            () = passed(call.deadline) => Err(too_late()),
        }
    }
}

impl Call {
    /// What to say when no answer came: that it is too late, if it is.
    fn late_or(&self, otherwise: impl FnOnce() -> Status) -> Status {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => too_late(),
            _ => otherwise(),
        }
    }
}
