//! `Scorer` and `Scores`.

use std::sync::Arc;

use assay_core::score::{self, Completion, Given};
use assay_core::spec::RewardSpec;
use assay_server::outside::{Outside, OutsideConfig, Question};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::{slice, vector};
use crate::errors::{invalid_input, raise};
use crate::pool::pool;
use crate::runtime::{PerProcess, block_on};
use crate::texts::{Text, borrowed, items, optional_texts, prompts_of, texts};

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
    /// Where reward models and plug-ins are; none: what they would say is unavailable.
    settings: Option<OutsideConfig>,
    outside: PerProcess<Arc<Outside>>,
}

#[pymethods]
impl Scorer {
    #[new]
    #[pyo3(signature = (spec_json, tokenizer_json = None, threads = None, outside_json = None))]
    fn new(
        py: Python<'_>,
        spec_json: &str,
        tokenizer_json: Option<&[u8]>,
        threads: Option<i64>,
        outside_json: Option<&str>,
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
        let settings = outside_json
            .map(|json| {
                serde_json::from_str(json).map_err(|error| invalid_input(py, error.to_string()))
            })
            .transpose()?;
        let scorer = Self {
            inner,
            threads,
            settings,
            outside: PerProcess::new(),
        };
        if let Some(outside) = scorer.outside(py)? {
            outside
                .check(scorer.inner.spec())
                .map_err(|error| raise(py, &error))?;
        }
        Ok(scorer)
    }

    /// Scores texts against references.
    #[pyo3(signature = (completions, references, prompts = None))]
    fn score(
        &self,
        completions: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        prompts: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Scores> {
        let py = completions.py();
        let completions = texts(completions, "completions")?;
        let references = optional_texts(references, "references")?;
        let prompts = prompts_of(prompts)?;
        let items = items(py, &completions, &references, &prompts)?;
        let given = self.found_out(py, items.len(), |row| {
            (
                Completion::Text(items[row].completion),
                items[row].prompt,
                items[row].reference,
            )
        })?;
        self.run(py, items.len(), |scorer| scorer.score_with(&items, &given))
    }

    /// Scores token ids against references.
    #[pyo3(signature = (token_ids, offsets, references, prompts = None))]
    fn score_tokens(
        &self,
        token_ids: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
        references: &Bound<'_, PyAny>,
        prompts: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Scores> {
        let py = token_ids.py();
        let token_ids = vector::<u32>(token_ids, "token_ids", "uint32")?;
        let offsets = vector::<i64>(offsets, "offsets", "int64")?;
        let (token_ids, offsets) = (slice(&token_ids)?, slice(&offsets)?);
        let references = optional_texts(references, "references")?;
        let references = borrowed(&references);
        let prompts = prompts_of(prompts)?;
        score::check_offsets(token_ids.len(), offsets, references.len())
            .map_err(|error| raise(py, &error))?;
        let given = self.found_out(py, references.len(), |row| {
            let ids = &token_ids[offsets[row] as usize..offsets[row + 1] as usize];
            let prompt = prompts.get(row).and_then(Option::as_ref);
            (
                Completion::Tokens(ids),
                prompt.map(Text::as_str),
                references[row],
            )
        })?;
        self.run(py, references.len(), |scorer| {
            scorer.score_tokens_with(token_ids, offsets, &references, &given)
        })
    }
}

impl Scorer {
    /// What reward models and plug-ins can be asked in this process.
    fn outside(&self, py: Python<'_>) -> PyResult<Option<Arc<Outside>>> {
        let Some(settings) = &self.settings else {
            return Ok(None);
        };
        let make = || {
            Outside::new(settings)
                .map(Arc::new)
                .map_err(|error| invalid_input(py, error.to_string()))
        };
        self.outside.get(py, make).map(Some)
    }

    /// What the outside components say of each item; empty where there are none or nobody to ask.
    fn found_out<'a>(
        &self,
        py: Python<'_>,
        count: usize,
        item: impl Fn(usize) -> (Completion<'a>, Option<&'a str>, Option<&'a str>) + Sync,
    ) -> PyResult<Vec<Vec<Given>>> {
        if self.inner.outside().next().is_none() {
            return Ok(Vec::new());
        }
        let Some(outside) = self.outside(py)? else {
            return Ok(Vec::new());
        };
        let question = |row: usize| {
            let (completion, prompt, reference) = item(row);
            Ok(Question {
                asks: self.inner.asks(completion)?,
                prompt: prompt.map(str::to_owned),
                reference: reference.map(Into::into),
            })
        };
        let questions: assay_core::Result<Vec<Question>> =
            py.detach(|| (0..count).map(question).collect());
        let questions = questions.map_err(|error| raise(py, &error))?;
        let spec = self.inner.spec();
        block_on(py, async { outside.answer(spec, &questions, None).await })
    }

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
