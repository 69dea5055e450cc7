//! `PartStream`: parts of a batch as they are finished.

use std::sync::{Arc, Mutex, PoisonError};

use assay_server::client::{Client, ClientError, PartStream as Parts};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::errors::raise_remote;
use crate::runtime::{block_on, runtime};
use crate::score::Scores;

/// The rows of a part, from the first up to the one after the last, and their scores.
type Part = (usize, usize, Scores);
type Finished = Option<Result<(std::ops::Range<usize>, assay_core::score::Scores), ClientError>>;

/// Parts of a batch as they are finished. One caller at a time.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct PartStream {
    /// Dropped by `close`.
    stream: Arc<tokio::sync::Mutex<Option<Parts>>>,
    /// What `start_next` found.
    found: Arc<Mutex<Option<Finished>>>,
    waiting: Mutex<Option<tokio::task::AbortHandle>>,
}

impl PartStream {
    pub(crate) fn start(
        py: Python<'_>,
        client: &Client,
        parts: assay_server::client::Parts,
        window: usize,
    ) -> PyResult<Self> {
        let runtime = runtime(py)?;
        let _inside = runtime.enter();
        let stream = client.stream(parts, window);
        Ok(Self {
            stream: Arc::new(tokio::sync::Mutex::new(Some(stream))),
            found: Arc::default(),
            waiting: Mutex::default(),
        })
    }

    fn part(py: Python<'_>, finished: Finished) -> PyResult<Option<Part>> {
        let part = finished
            .transpose()
            .map_err(|error| raise_remote(py, &error))?;
        Ok(part.map(|(rows, inner)| (rows.start, rows.end, Scores { inner })))
    }
}

async fn next(stream: &tokio::sync::Mutex<Option<Parts>>) -> Finished {
    match stream.lock().await.as_mut() {
        Some(stream) => stream.next().await,
        None => None,
    }
}

#[pymethods]
impl PartStream {
    /// Waits for the next part; `None` after the last.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Part>> {
        let stream = Arc::clone(&self.stream);
        let finished = block_on(py, async move { next(&stream).await })?;
        Self::part(py, finished)
    }

    /// Starts waiting for the next part; `done` is called, on another thread, when `result` has it.
    fn start_next(&self, py: Python<'_>, done: Py<PyAny>) -> PyResult<()> {
        let (stream, found) = (Arc::clone(&self.stream), Arc::clone(&self.found));
        let task = runtime(py)?.spawn(async move {
            let finished = next(&stream).await;
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(finished);
            // `None`: the interpreter is ending and nobody waits any more.
            Python::try_attach(|py| {
                if let Err(error) = done.call0(py) {
                    error.write_unraisable(py, None);
                }
                drop(done);
            });
        });
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        Ok(())
    }

    /// The part that was waited for, once; to be called after `done` was.
    fn result(&self, py: Python<'_>) -> PyResult<Option<Part>> {
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match found {
            Some(finished) => Self::part(py, finished),
            None => Err(PyRuntimeError::new_err(
                "no part was waited for, or it was given already",
            )),
        }
    }

    /// Gives up what is on its way, here and on the servers.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(waiting) = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            waiting.abort();
        }
        let stream = Arc::clone(&self.stream);
        runtime(py)?.spawn(async move { drop(stream.lock().await.take()) });
        Ok(())
    }
}
