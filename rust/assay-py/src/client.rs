//! `RemoteScorer` and `Call`: scoring on reward servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_core::spec::RewardSpec;
use assay_server::client::{Balance, Client, ClientError, ClientOptions, Requests, Tls, Trace};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::arrays::{slice, vector};
use crate::errors::{raise, raise_remote};
use crate::parts::PartStream;
use crate::runtime::{PerProcess, block_on, runtime};
use crate::score::Scores;
use crate::texts::{borrowed, items, optional_texts, prompts_of, texts};

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
        options: HashMap<String, Vec<u8>>,
    ) -> PyResult<Self> {
        let spec = RewardSpec::from_json(spec_json).map_err(|error| raise(py, &error))?;
        // A timeout of years is one of hours for every clock there is.
        let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
        let options = ClientOptions {
            timeout: timeout.min(Duration::from_hours(365 * 24)),
            tokenizer_json,
            ..connection(options)
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

    /// Scores texts. `trace` is here and below `(traceparent, tracestate)` of the caller's trace.
    #[pyo3(signature = (completions, references, prompts = None, trace = None))]
    fn score(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        prompts: Option<&Bound<'_, PyAny>>,
        trace: Option<(String, String)>,
    ) -> PyResult<Scores> {
        let py = completions.py();
        let client = self.client(py)?;
        let requests = text_requests(&client, completions, references, prompts)?;
        let requests = requests.traced(traced(trace));
        let inner = wait(py, async move { client.run(requests).await })?;
        Ok(Scores { inner })
    }

    /// Scores token ids.
    #[pyo3(signature = (token_ids, offsets, references, prompts = None, trace = None))]
    fn score_tokens(
        &self,
        token_ids: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        prompts: Option<&Bound<'_, PyAny>>,
        trace: Option<(String, String)>,
    ) -> PyResult<Scores> {
        let py = token_ids.py();
        let client = self.client(py)?;
        let requests = token_requests(&client, token_ids, offsets, references, prompts)?;
        let requests = requests.traced(traced(trace));
        let inner = wait(py, async move { client.run(requests).await })?;
        Ok(Scores { inner })
    }

    /// Starts scoring texts; `done` is called, on another thread, when the call has a result.
    #[pyo3(signature = (completions, references, done, prompts = None, trace = None))]
    fn start(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        done: Py<PyAny>,
        prompts: Option<&Bound<'_, PyAny>>,
        trace: Option<(String, String)>,
    ) -> PyResult<Call> {
        let py = completions.py();
        let client = self.client(py)?;
        let requests = text_requests(&client, completions, references, prompts)?;
        Call::start(py, client, requests.traced(traced(trace)), done)
    }

    /// Starts scoring token ids, as `start` does.
    #[allow(
        clippy::too_many_arguments,
        reason = "those of a Python method, each with its name"
    )]
    #[pyo3(signature = (token_ids, offsets, references, done, prompts = None, trace = None))]
    fn start_tokens(
        &self,
        token_ids: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        done: Py<PyAny>,
        prompts: Option<&Bound<'_, PyAny>>,
        trace: Option<(String, String)>,
    ) -> PyResult<Call> {
        let py = token_ids.py();
        let client = self.client(py)?;
        let requests = token_requests(&client, token_ids, offsets, references, prompts)?;
        Call::start(py, client, requests.traced(traced(trace)), done)
    }

    /// Scores texts in parts of `size` items, each of which comes as soon as it is finished, at most `window` of them on their
    /// way at a time.
    #[allow(
        clippy::too_many_arguments,
        reason = "those of a Python method, each with its name"
    )]
    #[pyo3(signature = (completions, references, size, window, *, prompts = None, trace = None))]
    fn stream(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        size: usize,
        window: usize,
        prompts: Option<&Bound<'_, PyAny>>,
        trace: Option<(String, String)>,
    ) -> PyResult<PartStream> {
        let py = completions.py();
        let client = self.client(py)?;
        let completions = texts(completions, "completions")?;
        let references = optional_texts(references, "references")?;
        let prompts = prompts_of(prompts)?;
        let items = items(py, &completions, &references, &prompts)?;
        let parts = py.detach(|| client.parts(&items, size));
        PartStream::start(py, &client, parts.traced(traced(trace)), window)
    }

    /// `(version, component_kinds, max_message_bytes, max_items, [(sha256, name)], threads, [reward_models, plugins], (spec_schema_sha256, sandbox))`
    /// of a server.
    #[allow(
        clippy::type_complexity,
        reason = "a row of ServerInfo, which Python names"
    )]
    fn server_info(
        &self,
        py: Python<'_>,
    ) -> PyResult<(
        String,
        Vec<String>,
        u64,
        u64,
        Vec<(String, String)>,
        u32,
        [Vec<String>; 2],
        (String, String),
    )> {
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
            [info.reward_models, info.plugins],
            (info.spec_schema_sha256, info.sandbox),
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

/// The trace that Python found.
fn traced(given: Option<(String, String)>) -> Option<Trace> {
    given.and_then(|(parent, state)| Trace::new(&parent, &state))
}

/// The options by name: `tls`, `ca`, `certificate`, `key`, `server_name`, `token`, `tenant`, `channels`, `balance` and `trace`,
/// each as bytes, so that secrets and files need no type of their own; `assay.client` has checked them.
fn connection(mut given: HashMap<String, Vec<u8>>) -> ClientOptions {
    let tls = given.contains_key("tls").then(|| Tls {
        ca: given.remove("ca"),
        identity: given.remove("certificate").zip(given.remove("key")),
        server_name: None,
    });
    let trace = given.contains_key("trace");
    let mut text = |name: &str| {
        let bytes = given.remove(name)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let server_name = text("server_name");
    let defaults = ClientOptions::default();
    ClientOptions {
        tls: tls.map(|tls| Tls { server_name, ..tls }),
        token: text("token"),
        tenant: text("tenant"),
        channels: text("channels")
            .and_then(|count| count.parse().ok())
            .unwrap_or(defaults.channels),
        balance: match text("balance").as_deref() {
            Some("least_outstanding") => Balance::LeastOutstanding,
            _ => Balance::RoundRobin,
        },
        trace,
        ..defaults
    }
}

fn text_requests(
    client: &Client,
    completions: &Bound<'_, PyAny>,
    references: &Bound<'_, PyAny>,
    prompts: Option<&Bound<'_, PyAny>>,
) -> PyResult<Requests> {
    let py = completions.py();
    let completions = texts(completions, "completions")?;
    let references = optional_texts(references, "references")?;
    let prompts = prompts_of(prompts)?;
    let items = items(py, &completions, &references, &prompts)?;
    Ok(py.detach(|| client.texts(&items)))
}

fn token_requests(
    client: &Client,
    token_ids: &Bound<'_, PyAny>,
    offsets: &Bound<'_, PyAny>,
    references: &Bound<'_, PyAny>,
    prompts: Option<&Bound<'_, PyAny>>,
) -> PyResult<Requests> {
    let py = token_ids.py();
    let token_ids = vector::<u32>(token_ids, "token_ids", "uint32")?;
    let offsets = vector::<i64>(offsets, "offsets", "int64")?;
    let (token_ids, offsets) = (slice(&token_ids)?, slice(&offsets)?);
    let references = optional_texts(references, "references")?;
    let references = borrowed(&references);
    let prompts = prompts_of(prompts)?;
    let prompts = borrowed(&prompts);
    py.detach(|| client.tokens(token_ids, offsets, &references, &prompts))
        .map_err(|error| raise(py, &error))
}

/// Waits for a call without the GIL.
fn wait<T: Send>(
    py: Python<'_>,
    call: impl Future<Output = Result<T, ClientError>> + Send,
) -> PyResult<T> {
    block_on(py, call)?.map_err(|error| raise_remote(py, &error))
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
