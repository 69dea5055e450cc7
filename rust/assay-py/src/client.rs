//! `RemoteScorer` and `Call`: scoring on reward servers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_core::spec::RewardSpec;
use assay_server::client::{Client, ClientError, ClientOptions, Requests};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::arrays::{slice, vector};
use crate::errors::{raise, raise_remote};
use crate::score::Scores;
use crate::texts::{borrowed, optional_texts, pairs, texts};

/// Threads that wait for sockets; encoding and decoding a batch is what they do most.
const THREADS: usize = 2;
/// How often a blocked call looks whether Ctrl-C was pressed.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

/// Something that lives in one process and must be made anew in a forked child, which has none of its threads.
struct PerProcess<T> {
    /// Locked only by a thread that holds the GIL and does not let go of it meanwhile, so `os.fork` cannot copy it locked.
    slot: Mutex<Option<(u32, T)>>,
}

impl<T: Clone> PerProcess<T> {
    const fn new() -> Self {
        Self {
            slot: Mutex::new(None),
        }
    }

    fn get(&self, _gil: Python<'_>, make: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
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

    fn clear(&self, _gil: Python<'_>) {
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

fn runtime(py: Python<'_>) -> PyResult<Arc<Runtime>> {
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

/// Scores on reward servers; see `assay.RemoteScorer`.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct RemoteScorer {
    target: String,
    spec: RewardSpec,
    options: ClientOptions,
    client: PerProcess<Client>,
}

#[pymethods]
impl RemoteScorer {
    #[new]
    fn new(
        py: Python<'_>,
        target: String,
        spec_json: &str,
        tokenizer_json: Option<Vec<u8>>,
        timeout: f64,
    ) -> PyResult<Self> {
        let spec = RewardSpec::from_json(spec_json).map_err(|error| raise(py, &error))?;
        // A timeout of years is one of hours for every clock there is.
        let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
        let options = ClientOptions {
            timeout: timeout.min(Duration::from_hours(365 * 24)),
            tokenizer_json,
        };
        let scorer = Self {
            target,
            spec,
            options,
            client: PerProcess::new(),
        };
        // Made for its checks; it connects only when it is used.
        scorer.client(py)?;
        Ok(scorer)
    }

    /// Scores texts.
    fn score(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
    ) -> PyResult<Scores> {
        let py = completions.py();
        let client = self.client(py)?;
        let requests = text_requests(&client, completions, references)?;
        let inner = wait(py, async move { client.run(requests).await })?;
        Ok(Scores { inner })
    }

    /// Scores token ids.
    fn score_tokens(
        &self,
        token_ids: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
    ) -> PyResult<Scores> {
        let py = token_ids.py();
        let client = self.client(py)?;
        let requests = token_requests(&client, token_ids, offsets, references)?;
        let inner = wait(py, async move { client.run(requests).await })?;
        Ok(Scores { inner })
    }

    /// Starts scoring texts; `done` is called, on another thread, when the call has a result.
    fn start(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        done: Py<PyAny>,
    ) -> PyResult<Call> {
        let py = completions.py();
        let client = self.client(py)?;
        let requests = text_requests(&client, completions, references)?;
        Call::start(py, client, requests, done)
    }

    /// Starts scoring token ids, as `start` does.
    fn start_tokens(
        &self,
        token_ids: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        done: Py<PyAny>,
    ) -> PyResult<Call> {
        let py = token_ids.py();
        let client = self.client(py)?;
        let requests = token_requests(&client, token_ids, offsets, references)?;
        Call::start(py, client, requests, done)
    }

    /// `(version, component_kinds, max_message_bytes, max_items, [(sha256, name)], threads)` of a server.
    #[allow(
        clippy::type_complexity,
        reason = "a row of ServerInfo, which Python names"
    )]
    fn server_info(
        &self,
        py: Python<'_>,
    ) -> PyResult<(String, Vec<String>, u64, u64, Vec<(String, String)>, u32)> {
        let client = self.client(py)?;
        let info = wait(py, async move { client.server_info().await })?;
        let limits = info.limits.unwrap_or_default();
        let tokenizers = info.tokenizers.into_iter();
        Ok((
            info.version,
            info.component_kinds,
            limits.max_message_bytes,
            limits.max_items,
            tokenizers
                .map(|tokenizer| (tokenizer.sha256, tokenizer.name))
                .collect(),
            info.threads,
        ))
    }

    /// Closes the connections of this process once no call uses them; a later call opens new ones.
    fn close(&self, py: Python<'_>) {
        self.client.clear(py);
    }
}

impl RemoteScorer {
    fn client(&self, py: Python<'_>) -> PyResult<Client> {
        self.client.get(py, || {
            Client::new(&self.target, &self.spec, &self.options)
                .map_err(|error| raise_remote(py, &error))
        })
    }
}

fn text_requests(
    client: &Client,
    completions: &Bound<'_, PyAny>,
    references: &Bound<'_, PyAny>,
) -> PyResult<Requests> {
    let py = completions.py();
    let completions = texts(completions, "completions")?;
    let references = optional_texts(references, "references")?;
    let items = pairs(py, &completions, &references)?;
    Ok(py.detach(|| client.texts(&items)))
}

fn token_requests(
    client: &Client,
    token_ids: &Bound<'_, PyAny>,
    offsets: &Bound<'_, PyAny>,
    references: &Bound<'_, PyAny>,
) -> PyResult<Requests> {
    let py = token_ids.py();
    let token_ids = vector::<u32>(token_ids, "token_ids", "uint32")?;
    let offsets = vector::<i64>(offsets, "offsets", "int64")?;
    let (token_ids, offsets) = (slice(&token_ids)?, slice(&offsets)?);
    let references = optional_texts(references, "references")?;
    let references = borrowed(&references);
    py.detach(|| client.tokens(token_ids, offsets, &references))
        .map_err(|error| raise(py, &error))
}

/// Waits for a call without the GIL, and gives it up at Ctrl-C.
fn wait<T: Send>(
    py: Python<'_>,
    call: impl Future<Output = Result<T, ClientError>> + Send,
) -> PyResult<T> {
    let runtime = runtime(py)?;
    let result = py.detach(|| {
        runtime.block_on(async {
            let mut call = std::pin::pin!(call);
            loop {
                if let Ok(result) = tokio::time::timeout(SIGNALS_EVERY, &mut call).await {
                    return Ok(result);
                }
                #[expect(
                    clippy::redundant_closure_for_method_calls,
                    reason = "the path is not general over lifetimes"
                )]
                Python::attach(|py| py.check_signals())?;
            }
        })
    });
    result
        .and_then(|result: Result<T, ClientError>| result.map_err(|error| raise_remote(py, &error)))
}

/// A call that was started.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct Call {
    result: Arc<Mutex<Option<Result<assay_core::score::Scores, ClientError>>>>,
    task: AbortHandle,
}

impl Call {
    fn start(
        py: Python<'_>,
        client: Client,
        requests: Requests,
        done: Py<PyAny>,
    ) -> PyResult<Self> {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let task = runtime(py)?.spawn(async move {
            let scores = client.run(requests).await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(scores);
            // `None`: the interpreter is ending and nobody waits any more.
            Python::try_attach(|py| {
                if let Err(error) = done.call0(py) {
                    error.write_unraisable(py, None);
                }
                drop(done);
            });
        });
        Ok(Self {
            result,
            task: task.abort_handle(),
        })
    }
}

#[pymethods]
impl Call {
    /// The scores, once; to be called after `done` was.
    fn result(&self, py: Python<'_>) -> PyResult<Scores> {
        let result = self
            .result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match result {
            Some(Ok(inner)) => Ok(Scores { inner }),
            Some(Err(error)) => Err(raise_remote(py, &error)),
            None => Err(PyRuntimeError::new_err(
                "the call has no result yet, or gave it already",
            )),
        }
    }

    /// Gives the call up, here and on the servers.
    fn cancel(&self) {
        self.task.abort();
    }
}
