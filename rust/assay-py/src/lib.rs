//! The extension module `assay._native`: extract, release the GIL, call, return.
use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _native(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
