//! The extension module `assay._native`: extract, release the GIL, call, return.
//!
//! No logic lives here. `errors` is the only file that names a Python exception; `arrays` and `texts` turn arguments into
//! slices; `pool` owns the threads.
#![expect(
    clippy::doc_markdown,
    reason = "what Python shows in help() is in Google style"
)]

mod arrays;
mod batch;
mod client;
mod errors;
mod load;
mod mixing;
mod parts;
mod pool;
mod runtime;
mod score;
mod serve;
mod texts;
mod verify;

use pyo3::prelude::*;

/// As in the stand-alone server; Python's own objects are not its business.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<verify::Verdict>()?;
    module.add_class::<verify::Extraction>()?;
    module.add_function(wrap_pyfunction!(verify::verify, module)?)?;
    module.add_function(wrap_pyfunction!(verify::explain, module)?)?;
    module.add_function(wrap_pyfunction!(verify::extract, module)?)?;
    module.add_class::<mixing::LanguageMixing>()?;
    module.add_function(wrap_pyfunction!(mixing::language_mixing, module)?)?;
    module.add_class::<score::Scorer>()?;
    module.add_class::<score::Scores>()?;
    module.add_function(wrap_pyfunction!(score::parse_spec, module)?)?;
    module.add_class::<client::RemoteScorer>()?;
    module.add_class::<parts::PartStream>()?;
    module.add_class::<client::Call>()?;
    module.add_function(wrap_pyfunction!(serve::serve, module)?)?;
    module.add_function(wrap_pyfunction!(load::load, module)?)?;
    module.add_class::<batch::SamplingBatcher>()?;
    module.add_function(wrap_pyfunction!(batch::group_advantages, module)?)?;
    module.add_function(wrap_pyfunction!(batch::pack, module)?)?;
    module.add_function(wrap_pyfunction!(batch::balance, module)?)?;
    Ok(())
}
