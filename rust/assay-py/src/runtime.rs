//! The asynchronous half: one small runtime for each process, that survives `fork`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

/// Threads that wait for sockets; encoding and decoding a batch is what they do most.
const THREADS: usize = 2;
/// How often a blocked call looks whether Ctrl-C was pressed.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

/// Something that lives in one process and must be made anew in a forked child, which has none of its threads.
pub(crate) struct PerProcess<T> {
    /// Locked only by a thread that holds the GIL and does not let go of it meanwhile, so `os.fork` cannot copy it locked.
    slot: Mutex<Option<(u32, T)>>,
}

impl<T: Clone> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self {
            slot: Mutex::new(None),
        }
    }

    pub(crate) fn get(&self, _gil: Python<'_>, make: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        match &*slot {
            Some((owner, value)) if *owner == process => return Ok(value.clone()),
            // Dropping it would signal threads that do not exist here, and write to the parent's sockets.
            Some(_) => std::mem::forget(slot.take()),
            None => {}
        }
        let value = make()?;
        *slot = Some((process, value.clone()));
        Ok(value)
    }

    pub(crate) fn clear(&self, _gil: Python<'_>) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let old = slot.take();
        if old
            .as_ref()
            .is_some_and(|(owner, _)| *owner != std::process::id())
        {
            std::mem::forget(old);
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let slot = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner);
        if slot
            .as_ref()
            .is_some_and(|(owner, _)| *owner != std::process::id())
        {
            std::mem::forget(slot.take());
        }
    }
}

static RUNTIME: PerProcess<Arc<Runtime>> = PerProcess::new();

/// The runtime of this process.
pub(crate) fn runtime(py: Python<'_>) -> PyResult<Arc<Runtime>> {
    RUNTIME.get(py, || {
        let built = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_io()
            .enable_time()
            .thread_name("assay-client")
            .build();
        let runtime = built.map_err(|error| {
            PyRuntimeError::new_err(format!("cannot start the threads of the client: {error}"))
        })?;
        Ok(Arc::new(runtime))
    })
}

/// Waits for a future without the GIL, and gives it up at Ctrl-C.
pub(crate) fn block_on<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = T> + Send,
) -> PyResult<T> {
    let runtime = runtime(py)?;
    py.detach(|| {
        runtime.block_on(async {
            let mut future = std::pin::pin!(future);
            loop {
                if let Ok(result) = tokio::time::timeout(SIGNALS_EVERY, &mut future).await {
                    return Ok(result);
                }
                #[expect(
                    clippy::redundant_closure_for_method_calls,
                    reason = "the path is not general over lifetimes"
                )]
                Python::attach(|py| py.check_signals())?;
            }
        })
    })
}
