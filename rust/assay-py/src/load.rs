//! The load generator.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assay_core::{Error, ErrorKind};
use assay_server::load::{LoadError, LoadOptions, Report};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;

use crate::errors::{raise, raise_remote};

/// How often the main thread looks whether Ctrl-C was pressed.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

/// Makes load on a server: `options` is a JSON object of `LoadOptions`; `moment` gets a line of text each second, on another
/// thread. Ctrl-C ends the load early. Returns whether all went well, whether it was interrupted, the report as text, and as JSON.
#[pyfunction]
pub(crate) fn load(
    py: Python<'_>,
    options: &str,
    moment: Py<PyAny>,
) -> PyResult<(bool, bool, String, String)> {
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
    // What was found so far is worth more than the interrupt: it is told with the requests in flight back.
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
    let interrupted = match interrupted {
        Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => true,
        other => other.map(|()| false)?,
    };
    let report: Report = result.map_err(|error| match &error {
        LoadError::Client(error) => raise_remote(py, error),
        LoadError::Options(_) | LoadError::Unreachable(..) => {
            raise(py, &Error::input(error.to_string()))
        }
        LoadError::Io(_) => raise(py, &Error::new(ErrorKind::Internal, error.to_string())),
    })?;
    let json = serde_json::to_string(&report)
        .map_err(|error| raise(py, &Error::new(ErrorKind::Internal, error.to_string())))?;
    Ok((report.ok, interrupted, report.to_string(), json))
}
