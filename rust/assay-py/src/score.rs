//! `Scorer` and `Scores`.

use assay_core::score;
use assay_core::spec::RewardSpec;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{slice, vector};
use crate::errors::{invalid_input, raise};
use crate::pool::pool;
use crate::texts::{borrowed, optional_texts, pairs, texts};

/// A spec in any spelling as checked JSON with every option written out.
#[pyfunction]
#[pyo3(signature = (text, *, toml = false))]
pub(crate) fn parse_spec(py: Python<'_>, text: &str, toml: bool) -> PyResult<String> {
    let spec = if toml {
        RewardSpec::from_toml(text)
    } else {
        RewardSpec::from_json(text)
    };
    Ok(spec.map_err(|error| raise(py, &error))?.to_json())
}

/// A spec, applied to batches; see `assay.Scorer`.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct Scorer {
    inner: score::Scorer,
    threads: Option<usize>,
}

#[pymethods]
impl Scorer {
    #[new]
    #[pyo3(signature = (spec_json, tokenizer_json = None, threads = None))]
    fn new(
        py: Python<'_>,
        spec_json: &str,
        tokenizer_json: Option<&[u8]>,
        threads: Option<i64>,
    ) -> PyResult<Self> {
        let threads = match threads {
            None => None,
            Some(threads @ 1..=1024) => Some(threads as usize),
            Some(threads) => {
                let message = format!("threads is {threads}; it must be 1 to 1024");
                return Err(invalid_input(py, message));
            }
        };
        let build = || {
            let mut scorer = score::Scorer::new(RewardSpec::from_json(spec_json)?)?;
            if let Some(json) = tokenizer_json {
                scorer = scorer.with_tokenizer(json)?;
            }
            Ok(scorer)
        };
        let inner = py.detach(build).map_err(|error| raise(py, &error))?;
        Ok(Self { inner, threads })
    }

    /// Scores texts against references.
    fn score(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
    ) -> PyResult<Scores> {
        let py = completions.py();
        let completions = texts(completions, "completions")?;
        let references = optional_texts(references, "references")?;
        let items = pairs(py, &completions, &references)?;
        self.run(py, items.len(), |scorer| scorer.score(&items))
    }

    /// Scores token ids against references.
    fn score_tokens(
        &self,
        token_ids: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
    ) -> PyResult<Scores> {
        let py = token_ids.py();
        let token_ids = vector::<u32>(token_ids, "token_ids", "uint32")?;
        let offsets = vector::<i64>(offsets, "offsets", "int64")?;
        let (token_ids, offsets) = (slice(&token_ids)?, slice(&offsets)?);
        let references = optional_texts(references, "references")?;
        let references = borrowed(&references);
        self.run(py, references.len(), |scorer| {
            scorer.score_tokens(token_ids, offsets, &references)
        })
    }
}

impl Scorer {
    /// Runs `work` without the GIL, on the pool if the batch is worth waking threads for.
    fn run<F>(&self, py: Python<'_>, items: usize, work: F) -> PyResult<Scores>
    where
        F: FnOnce(&score::Scorer) -> assay_core::Result<score::Scores> + Send,
    {
        let result = if items <= score::SEQUENTIAL || self.threads == Some(1) {
            py.detach(|| work(&self.inner))
        } else {
            let pool = pool(py, self.threads)?;
            py.detach(|| pool.install(|| work(&self.inner)))
        };
        Ok(Scores {
            inner: result.map_err(|error| raise(py, &error))?,
        })
    }
}

/// The columns of a scored batch; see `assay.Scores`.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct Scores {
    pub(crate) inner: score::Scores,
}

#[pymethods]
impl Scores {
    /// float64[n].
    #[getter]
    fn total<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.inner.total.clone().into_pyarray(py)
    }

    /// float64[n] for each component.
    #[getter]
    fn components<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        for (name, values) in &self.inner.components {
            columns.set_item(name, values.clone().into_pyarray(py))?;
        }
        Ok(columns)
    }

    /// One byte per item: the position of its status in `assay.Status`.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let codes: Vec<u8> = self
            .inner
            .status
            .iter()
            .map(|status| *status as u8)
            .collect();
        PyBytes::new(py, &codes)
    }

    /// A sentence or None per item.
    #[getter]
    fn reasons(&self) -> Vec<Option<&str>> {
        self.inner
            .reasons
            .iter()
            .map(|reason| reason.as_deref())
            .collect()
    }

    /// The judged answer or None per item.
    #[getter]
    fn answers(&self) -> Vec<Option<&str>> {
        self.inner
            .answers
            .iter()
            .map(|answer| answer.as_deref())
            .collect()
    }
}
