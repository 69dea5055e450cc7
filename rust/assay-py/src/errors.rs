//! The only file that names a Python exception.

use assay_core::{Error, ErrorKind};
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

/// `error` as the exception that `assay.errors` documents for its kind.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let class = MODULE
        .get_or_try_init(py, || py.import("assay.errors").map(Bound::unbind))
        .and_then(|module| module.bind(py).getattr(class_name(error.kind())))
        .and_then(|class| Ok(class.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, error.to_string()),
        Err(missing) => missing,
    }
}

/// An `InvalidInputError`.
pub(crate) fn invalid_input(py: Python<'_>, message: impl Into<String>) -> PyErr {
    raise(py, &Error::input(message))
}
