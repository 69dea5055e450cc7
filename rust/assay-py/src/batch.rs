//! Group advantages, packing, balancing, sampling batches.

use assay_core::batch::{self, Balance, SamplingLimits, Sequence};
use assay_core::group::{self, AdvantageKind};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::{slice, vector};
use crate::errors::{invalid_input, raise};

/// Advantages of one float64 reward per completion, or for `gdpo` of several weighted components.
#[pyfunction]
#[pyo3(signature = (components, group_ids, *, kind = "grpo", epsilon = 1e-6))]
pub(crate) fn group_advantages<'py>(
    py: Python<'py>,
    components: &Bound<'py, PyList>,
    group_ids: &Bound<'py, PyAny>,
    kind: &str,
    epsilon: f64,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let kind: AdvantageKind = kind.parse().map_err(|error| raise(py, &error))?;
    let mut arrays = Vec::with_capacity(components.len());
    for pair in components {
        let (weight, values): (f64, Bound<'py, PyAny>) = pair.extract()?;
        arrays.push((weight, vector::<f64>(&values, "rewards", "float64")?));
    }
    let weighted: Vec<(f64, &[f64])> = arrays
        .iter()
        .map(|(weight, array)| Ok((*weight, slice(array)?)))
        .collect::<PyResult<_>>()?;
    let ids = vector::<i64>(group_ids, "group_ids", "int64")?;
    let ids = slice(&ids)?;
    let result = py.detach(|| match (kind, weighted.as_slice()) {
        (AdvantageKind::Gdpo, weighted) => group::gdpo(weighted, ids, epsilon),
        (kind, [(_, rewards)]) => group::advantages(rewards, ids, kind, epsilon),
        (kind, _) => Err(assay_core::Error::input(format!(
            "rewards: kind `{}` takes one reward per completion; use kind \"gdpo\" for components",
            kind.as_str()
        ))),
    });
    Ok(result.map_err(|error| raise(py, &error))?.into_pyarray(py))
}

/// Best-fit decreasing bins of int64 lengths.
#[pyfunction]
#[pyo3(signature = (lengths, capacity, *, max_items = None))]
pub(crate) fn pack<'py>(
    lengths: &Bound<'py, PyAny>,
    capacity: i64,
    max_items: Option<i64>,
) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
    let py = lengths.py();
    let lengths = counts(lengths, "lengths")?;
    let capacity = count(py, capacity, "capacity")?;
    let max_items = max_items
        .map(|most| count(py, most, "max_items"))
        .transpose()?;
    let bins = py.detach(|| batch::pack(&lengths, capacity, max_items.map(|most| most as usize)));
    Ok(indices(py, bins.map_err(|error| raise(py, &error))?))
}

/// Parts of int64 lengths with nearly equal sums.
#[pyfunction]
#[pyo3(signature = (lengths, parts, *, method = "karmarkar_karp", equal_size = false))]
pub(crate) fn balance<'py>(
    lengths: &Bound<'py, PyAny>,
    parts: i64,
    method: &str,
    equal_size: bool,
) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
    let py = lengths.py();
    let lengths = counts(lengths, "lengths")?;
    let parts = count(py, parts, "parts")? as usize;
    let method: Balance = method.parse().map_err(|error| raise(py, &error))?;
    let split = py.detach(|| batch::balance(&lengths, parts, method, equal_size));
    Ok(indices(py, split.map_err(|error| raise(py, &error))?))
}

/// Hands out the sequences of prompts x group in order, as many at a time as a budget of cache tokens holds.
///
/// The members of a group share their prompt's cache, so a prompt is counted once, from its first sample's admission to
/// its last sample's end; each running sequence reserves `max_new_tokens`. As sequences finish, `admit` refills the
/// batch. The budget is never exceeded and, while work is left, never idle.
///
/// Args:
///     prompt_lengths: int64[n] or list, tokens per prompt.
///     group_size: completions per prompt.
///     max_new_tokens: the longest completion.
///     token_budget: tokens of cache.
///     max_sequences: most sequences at one time; None leaves it to the budget.
///
/// Raises:
///     InvalidInputError: a limit is not positive, or a prompt with one completion is over the budget by itself.
///
/// >>> import assay
/// >>> batcher = assay.SamplingBatcher([15, 5], group_size=2, max_new_tokens=10, token_budget=40)
/// >>> batcher.admit()  # 15 + 2 * 10 tokens; prompt 1 would need 15 more
/// [(0, 0), (0, 1)]
/// >>> batcher.finish(0, 1)
/// >>> batcher.admit(), batcher.reserved_tokens
/// ([(1, 0)], 40)
#[pyclass(module = "assay._native")]
pub(crate) struct SamplingBatcher {
    inner: batch::SamplingBatcher,
}

#[pymethods]
impl SamplingBatcher {
    #[new]
    #[pyo3(signature = (prompt_lengths, *, group_size, max_new_tokens, token_budget, max_sequences = None))]
    fn new(
        prompt_lengths: &Bound<'_, PyAny>,
        group_size: i64,
        max_new_tokens: i64,
        token_budget: i64,
        max_sequences: Option<i64>,
    ) -> PyResult<Self> {
        let py = prompt_lengths.py();
        let most = max_sequences
            .map(|most| count(py, most, "max_sequences"))
            .transpose()?;
        let limits = SamplingLimits {
            group_size: count(py, group_size, "group_size")? as usize,
            max_new_tokens: count(py, max_new_tokens, "max_new_tokens")?,
            token_budget: count(py, token_budget, "token_budget")?,
            max_sequences: most.map(|most| most as usize),
        };
        let lengths = counts(prompt_lengths, "prompt_lengths")?;
        let inner =
            batch::SamplingBatcher::new(lengths, limits).map_err(|error| raise(py, &error))?;
        Ok(Self { inner })
    }

    /// The (prompt, sample) pairs to start now.
    fn admit(&mut self) -> Vec<(usize, usize)> {
        let admitted = self.inner.admit();
        admitted
            .into_iter()
            .map(|Sequence { prompt, sample }| (prompt, sample))
            .collect()
    }

    /// Gives back what a running sequence reserved.
    fn finish(&mut self, py: Python<'_>, prompt: i64, sample: i64) -> PyResult<()> {
        let prompt = count(py, prompt, "prompt")? as usize;
        let sample = count(py, sample, "sample")? as usize;
        self.inner
            .finish(Sequence { prompt, sample })
            .map_err(|error| raise(py, &error))
    }

    /// Tokens reserved now.
    #[getter]
    fn reserved_tokens(&self) -> u64 {
        self.inner.reserved_tokens()
    }

    /// Sequences admitted and not finished.
    #[getter]
    fn running(&self) -> usize {
        self.inner.running()
    }

    /// Sequences not finished, running ones included.
    #[getter]
    fn remaining(&self) -> usize {
        self.inner.remaining()
    }
}

#[expect(clippy::cast_possible_wrap, reason = "no slice has 2^63 elements")]
fn indices(py: Python<'_>, lists: Vec<Vec<usize>>) -> Vec<Bound<'_, PyArray1<i64>>> {
    let array =
        |list: Vec<usize>| PyArray1::from_iter(py, list.into_iter().map(|index| index as i64));
    lists.into_iter().map(array).collect()
}

fn count(py: Python<'_>, value: i64, name: &str) -> PyResult<u64> {
    u64::try_from(value)
        .map_err(|_| invalid_input(py, format!("{name} is {value}; it must not be negative")))
}

fn counts(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<u64>> {
    let list = value
        .cast::<PyList>()
        .ok()
        .and_then(|list| list.extract::<Vec<i64>>().ok());
    let array;
    let lengths = if let Some(list) = &list {
        list
    } else {
        array = vector::<i64>(value, name, "int64")?;
        slice(&array)?
    };
    if let Some(index) = lengths.iter().position(|&length| length < 0) {
        count(value.py(), lengths[index], &format!("{name}[{index}]"))?;
    }
    Ok(lengths.iter().map(|&length| length as u64).collect())
}
