//! The only file that names a Python exception.

use assay_core::{Error, ErrorKind};
use assay_server::client::{ClientError, ClientErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The class of `assay.errors` for each kind of error.
fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSpec => "InvalidSpecError",
        ErrorKind::InvalidInput => "InvalidInputError",
        ErrorKind::TooLarge => "LimitError",
        _ => "AssayError",
    }
}

/// The class of `assay.errors` for each way a remote call fails.
fn remote_class_name(kind: ClientErrorKind) -> &'static str {
    match kind {
        ClientErrorKind::InvalidSpec => "InvalidSpecError",
        ClientErrorKind::InvalidInput => "InvalidInputError",
        ClientErrorKind::TooLarge => "LimitError",
        ClientErrorKind::Unavailable => "UnavailableError",
        ClientErrorKind::Deadline => "DeadlineError",
        _ => "AssayError",
    }
}

/// `error` as the exception that `assay.errors` documents for its kind.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, class_name(error.kind()), error.to_string())
}

/// A failed remote call as the exception that `assay.errors` documents for its kind.
pub(crate) fn raise_remote(py: Python<'_>, error: &ClientError) -> PyErr {
    exception(py, remote_class_name(error.kind()), error.to_string())
}

fn exception(py: Python<'_>, class: &str, message: String) -> PyErr {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let class = MODULE
        .get_or_try_init(py, || py.import("assay.errors").map(Bound::unbind))
        .and_then(|module| module.bind(py).getattr(class))
        .and_then(|class| Ok(class.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, message),
        Err(missing) => missing,
    }
}

/// An `InvalidInputError`.
pub(crate) fn invalid_input(py: Python<'_>, message: impl Into<String>) -> PyErr {
    raise(py, &Error::input(message))
}
