//! Worker threads that survive `fork`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use assay_core::{Error, ErrorKind};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::raise;

/// The pools of one process, by number of threads.
struct Pools {
    process: u32,
    by_threads: HashMap<usize, Arc<ThreadPool>>,
}

/// Locked only by a thread that holds the GIL and does not let go of it meanwhile, so `os.fork` cannot copy it locked.
static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// The pool of `threads` threads (`None`: one per CPU this process may use), shared by all scorers of this process.
///
/// A forked child has none of its parent's threads, so it gets pools of its own.
pub(crate) fn pool(py: Python<'_>, threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    let threads =
        threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let mut guard = POOLS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let process = std::process::id();
    if guard.as_ref().is_some_and(|pools| pools.process != process) {
        // Dropping them would signal threads that do not exist here.
        std::mem::forget(guard.take());
    }
    let pools = guard.get_or_insert_with(|| Pools {
        process,
        by_threads: HashMap::new(),
    });
    if let Some(pool) = pools.by_threads.get(&threads) {
        return Ok(Arc::clone(pool));
    }
    let named = |index| format!("assay-{index}");
    let built = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(named)
        .build();
    let pool = Arc::new(built.map_err(|error| {
        let message = format!("threads: cannot start {threads} worker threads: {error}");
        raise(py, &Error::new(ErrorKind::Internal, message))
    })?);
    pools.by_threads.insert(threads, Arc::clone(&pool));
    Ok(pool)
}
