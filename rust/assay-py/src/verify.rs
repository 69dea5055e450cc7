//! `verify` and `extract`.

use assay_core::answer;
use assay_core::math::{self, Options, Outcome, Stage};
use assay_core::spec::{self, Accuracy};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::{invalid_input, raise};
use crate::texts::Text;

/// The outcome of a comparison, with how it was reached.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct Verdict {
    inner: math::Verdict,
}

#[pymethods]
impl Verdict {
    /// `"equal"`, `"different"` or `"undecided"`, as an `assay.Outcome`.
    #[getter]
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        member(py, "Outcome", outcome_name(self.inner.outcome))
    }

    /// The step that settled it, as an `assay.Stage`.
    #[getter]
    fn stage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        member(py, "Stage", stage_name(self.inner.stage))
    }

    /// One short sentence.
    #[getter]
    fn reason(&self) -> &str {
        &self.inner.reason
    }

    /// `equal` was reached by a probabilistic step.
    #[getter]
    fn probable(&self) -> bool {
        self.inner.probable
    }

    fn __bool__(&self) -> bool {
        self.inner.outcome == Outcome::Equal
    }

    fn __repr__(&self) -> String {
        format!(
            "Verdict(outcome='{}', stage='{}', reason={:?})",
            outcome_name(self.inner.outcome),
            stage_name(self.inner.stage),
            self.inner.reason
        )
    }
}

/// A member of an enumeration of `assay.verdicts`.
pub(crate) fn member<'py>(
    py: Python<'py>,
    enumeration: &str,
    value: &str,
) -> PyResult<Bound<'py, PyAny>> {
    py.import(pyo3::intern!(py, "assay.verdicts"))?
        .getattr(enumeration)?
        .call1((value,))
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Equal => "equal",
        Outcome::Different => "different",
        Outcome::Undecided => "undecided",
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Text => "text",
        Stage::Exact => "exact",
        Stage::Modular => "modular",
        Stage::Numeric => "numeric",
        Stage::Structure => "structure",
        Stage::Tolerance => "tolerance",
        Stage::Parse => "parse",
        Stage::Fuel => "fuel",
    }
}

/// Where an answer stands in a completion.
#[pyclass(frozen, module = "assay._native")]
pub(crate) struct Extraction {
    #[pyo3(get)]
    text: String,
    #[pyo3(get)]
    span: (usize, usize),
    source: answer::Source,
}

#[pymethods]
impl Extraction {
    /// How it was found, as an `assay.Source`.
    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        member(py, "Source", self.source.as_str())
    }

    fn __repr__(&self) -> String {
        let (start, stop) = self.span;
        format!(
            "Extraction(text={:?}, span=({start}, {stop}), source='{}')",
            self.text,
            self.source.as_str()
        )
    }
}

/// Whether `answer` is the same answer as `gold`.
#[pyfunction]
#[pyo3(signature = (gold, answer, *, kind = "auto", tolerance = None, units = "ignore", profile = None))]
pub(crate) fn verify(
    gold: &Bound<'_, PyString>,
    answer: &Bound<'_, PyString>,
    kind: &str,
    tolerance: Option<&Bound<'_, PyAny>>,
    units: &str,
    profile: Option<&str>,
) -> PyResult<Verdict> {
    let py = gold.py();
    let options = options(py, kind, tolerance, units)?;
    let profile = profile.map(|name| parse_profile(py, name)).transpose()?;
    let (gold, answer) = (Text::new(gold), Text::new(answer));
    let inner = py.detach(|| {
        let found = profile.map(|profile| answer::extract(answer.as_str(), profile));
        match &found {
            None => math::verify(gold.as_str(), answer.as_str(), &options),
            Some(Some(found)) => math::verify(gold.as_str(), &found.text, &options),
            Some(None) => math::Verdict {
                outcome: Outcome::Different,
                stage: Stage::Parse,
                reason: "no answer found".into(),
                probable: false,
            },
        }
    });
    Ok(Verdict { inner })
}

/// The answer of a completion, or `None`.
#[pyfunction]
#[pyo3(signature = (completion, *, profile = "r1"))]
pub(crate) fn extract(
    completion: &Bound<'_, PyString>,
    profile: &str,
) -> PyResult<Option<Extraction>> {
    let py = completion.py();
    let profile = parse_profile(py, profile)?;
    let completion = Text::new(completion);
    Ok(py.detach(|| {
        let completion = completion.as_str();
        let characters = |end: usize| {
            completion
                .get(..end)
                .map_or(end, |head| head.chars().count())
        };
        answer::extract(completion, profile).map(|found| Extraction {
            span: (characters(found.span.start), characters(found.span.end)),
            text: found.text,
            source: found.source,
        })
    }))
}

fn parse_profile(py: Python<'_>, name: &str) -> PyResult<answer::Profile> {
    spec::option("profile", name.into()).map_err(|error| raise(py, &error))
}

fn options(
    py: Python<'_>,
    kind: &str,
    tolerance: Option<&Bound<'_, PyAny>>,
    units: &str,
) -> PyResult<Options> {
    if kind == "auto" && units == "ignore" && tolerance.is_none() {
        return Ok(Options::default());
    }
    let mut table = serde_json::Map::new();
    table.insert("units".to_owned(), units.into());
    if let Some(tolerance) = tolerance {
        table.insert("tolerance".to_owned(), json(tolerance)?);
    }
    let options = Accuracy::from_options(table).and_then(|options| {
        let kind = spec::option("kind", kind.into())?;
        Ok(Options {
            kind,
            ..options.comparison()
        })
    });
    options.map_err(|error| raise(py, &error))
}

/// A Python value as JSON.
fn json(value: &Bound<'_, PyAny>) -> PyResult<serde_json::Value> {
    let py = value.py();
    let text: String = py
        .import(pyo3::intern!(py, "json"))?
        .call_method1("dumps", (value,))?
        .extract()?;
    let parsed = serde_json::from_str(&text);
    parsed.map_err(|error| invalid_input(py, format!("tolerance: {error}")))
}
