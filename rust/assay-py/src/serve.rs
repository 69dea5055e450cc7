//! The reward server in this process.

use std::path::PathBuf;

use assay_core::{Error, ErrorKind};
use assay_server::{Config, Overrides, ServeError};
use pyo3::prelude::*;

use crate::errors::raise;

/// Serves until the process gets SIGINT or SIGTERM. `ready` is called with the bound address, `HOST:PORT`.
#[pyfunction]
#[pyo3(signature = (ready, *, bind = None, config = None, threads = None, max_message_bytes = None, tokenizers = Vec::new(), metrics = None, otlp = None, plugins = Vec::new(), plugin_python = None, tls_certificate = None, tls_key = None, tls_client_ca = None, token_file = None, tenant_weights = Vec::new(), insecure_public = false, public_metrics = false))]
#[expect(
    clippy::too_many_arguments,
    clippy::needless_pass_by_value,
    reason = "Python passes keyword arguments by value"
)]
pub(crate) fn serve(
    py: Python<'_>,
    ready: Py<PyAny>,
    bind: Option<String>,
    config: Option<PathBuf>,
    threads: Option<usize>,
    max_message_bytes: Option<usize>,
    tokenizers: Vec<PathBuf>,
    metrics: Option<String>,
    otlp: Option<String>,
    plugins: Vec<String>,
    plugin_python: Option<PathBuf>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_client_ca: Option<PathBuf>,
    token_file: Option<PathBuf>,
    tenant_weights: Vec<String>,
    insecure_public: bool,
    public_metrics: bool,
) -> PyResult<()> {
    let overrides = Overrides {
        bind,
        threads,
        max_message_bytes,
        tokenizers,
        metrics,
        otlp,
        plugins,
        plugin_python,
        tls_certificate,
        tls_key,
        tls_client_ca,
        token_file,
        tenant_weights,
        insecure_public,
        public_metrics,
    };
    let result = py.detach(|| {
        assay_server::log_to_stderr();
        let config = Config::load(config.as_deref(), overrides)?;
        assay_server::run(config, |address| {
            Python::attach(|py| {
                if let Err(error) = ready.call1(py, (address.to_string(),)) {
                    error.write_unraisable(py, None);
                }
            });
        })
    });
    // Ctrl-C stopped the server and has done its work; Python noted it too and would raise it after this call.
    let _ = py.check_signals();
    result.map_err(|error| {
        let kind = match &error {
            ServeError::Config(_) | ServeError::Bind { .. } => ErrorKind::InvalidInput,
            ServeError::Io(_) => ErrorKind::Internal,
        };
        raise(py, &Error::new(kind, error.to_string()))
    })
}
