//! The load generator.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assay_core::{Error, ErrorKind};
use assay_server::load::{LoadError, LoadOptions, Report};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::errors::{raise, raise_remote};

/// How often the main thread looks whether Ctrl-C was pressed.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

/// Makes load on a server: `options` is a JSON object of `LoadOptions`; `moment` gets a line of text each second, on another
/// thread. Returns whether all went well, the report as text, and as JSON.
#[pyfunction]
pub(crate) fn load(
    py: Python<'_>,
    options: &str,
    moment: Py<PyAny>,
) -> PyResult<(bool, String, String)> {
    let options: LoadOptions = serde_json::from_str(options)
        .map_err(|error| raise(py, &Error::input(format!("load: {error}"))))?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let maker = std::thread::spawn(move || {
        assay_server::load::load(&options, &flag, |told| {
            let line = told.to_string();
            Python::attach(|py| {
                if let Err(error) = moment.call1(py, (line,)) {
                    error.write_unraisable(py, None);
                }
            });
        })
    });
    // Ctrl-C ends the load, and the call when the requests in flight are back.
    let mut interrupted = Ok(());
    while !maker.is_finished() {
        py.detach(|| std::thread::sleep(SIGNALS_EVERY));
        if interrupted.is_ok() {
            interrupted = py.check_signals();
            stop.store(interrupted.is_err(), Ordering::Relaxed);
        }
    }
    let result = maker
        .join()
        .map_err(|_| PyRuntimeError::new_err("the load generator failed: a bug in assay"))?;
    interrupted?;
    let report: Report = result.map_err(|error| match &error {
        LoadError::Client(error) => raise_remote(py, error),
        LoadError::Options(_) | LoadError::Unreachable(..) => {
            raise(py, &Error::input(error.to_string()))
        }
        LoadError::Io(_) => raise(py, &Error::new(ErrorKind::Internal, error.to_string())),
    })?;
    let json = serde_json::to_string(&report)
        .map_err(|error| raise(py, &Error::new(ErrorKind::Internal, error.to_string())))?;
    Ok((report.ok, report.to_string(), json))
}
