//! `verify` and `extract`.

use std::sync::OnceLock;

use assay_core::answer;
use assay_core::math::{self, Options, Outcome, Stage};
use assay_core::spec::{self, Accuracy};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::{invalid_input, raise};
use crate::texts::Text;

/// References of past calls.
static GOLDS: OnceLock<math::Golds> = OnceLock::new();

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

/// Whether `answer` is the same answer as `gold`. Bounded, deterministic, and never raises for what a model wrote.
///
/// Args:
///     gold: the reference, with or without `$..$` or `\\boxed{}`.
///     answer: the answer, likewise; with `profile`, a whole completion from which the answer is extracted first.
///     kind: what sort of answer the reference is: `auto`, `number`, `math`, `choice` or `text`.
///     tolerance: when a decimal may stand for an exact value: `"last_place"` (the default), `"exact"`, or a mapping of
///         `absolute` and `relative`.
///     units: `ignore`, `require` or `convert`.
///     profile: how to extract, as in `extract`; None compares `answer` as it is.
///
/// Returns:
///     A `Verdict`, true only if equal.
///
/// Raises:
///     InvalidSpecError: an option has no such value.
///     InvalidInputError: the tolerance is not one.
///
/// >>> import assay
/// >>> bool(assay.verify("1,024", "1024.0"))
/// True
/// >>> assay.verify("4", "5").outcome
/// <Outcome.DIFFERENT: 'different'>
#[pyfunction]
#[pyo3(signature = (gold, answer, *, kind = "auto", tolerance = None, units = "ignore", profile = None))]
pub(crate) fn verify(
    gold: Bound<'_, PyString>,
    answer: Bound<'_, PyString>,
    kind: &str,
    tolerance: Option<&Bound<'_, PyAny>>,
    units: &str,
    profile: Option<&str>,
) -> PyResult<Verdict> {
    let py = gold.py();
    let options = options(py, kind, tolerance, units)?;
    let profile = profile.map(|name| parse_profile(py, name)).transpose()?;
    let (gold, answer) = (Text::new(gold), Text::new(answer));
    let compare = |answer: &str| {
        let golds = GOLDS.get_or_init(math::Golds::default);
        golds.verify(gold.as_str(), answer, &options)
    };
    let inner = py.detach(|| {
        let Some(profile) = profile else {
            return compare(answer.as_str());
        };
        match answer::extract_explained(answer.as_str(), profile) {
            Ok(found) => compare(&found.text),
            Err(missing) => math::Verdict {
                outcome: Outcome::Different,
                stage: Stage::Parse,
                reason: missing.as_str().into(),
                probable: false,
            },
        }
    });
    Ok(Verdict { inner })
}

/// What `verify` read and did: for `assay verify --explain`.
///
/// Args:
///     gold, answer, kind, tolerance, units: as `verify` has them.
///
/// Returns:
///     The readings of the reference in LaTeX (or why there are none), those of the answer, and for each pair of readings
///     its indices, outcome, stage and reason; then the work of all pairs in units of fuel and what one pair may spend.
///
/// Raises:
///     InvalidSpecError: an option has no such value.
///     InvalidInputError: the tolerance is not one.
#[pyfunction]
#[pyo3(signature = (gold, answer, *, kind = "auto", tolerance = None, units = "ignore"))]
pub(crate) fn explain(
    gold: Bound<'_, PyString>,
    answer: Bound<'_, PyString>,
    kind: &str,
    tolerance: Option<&Bound<'_, PyAny>>,
    units: &str,
) -> PyResult<Explained> {
    let py = gold.py();
    let options = options(py, kind, tolerance, units)?;
    let (gold, answer) = (Text::new(gold), Text::new(answer));
    let found = py.detach(|| math::explain(gold.as_str(), answer.as_str(), &options));
    let side = |side: math::Side| (side.readings, side.error);
    let pair = |pair: math::Compared| {
        let verdict = pair.verdict;
        (
            pair.gold,
            pair.answer,
            outcome_name(verdict.outcome),
            stage_name(verdict.stage),
            verdict.reason.into_owned(),
        )
    };
    Ok((
        side(found.gold),
        side(found.answer),
        found.compared.into_iter().map(pair).collect(),
        found.fuel,
        math::Explanation::BUDGET,
    ))
}

/// The readings of one side, or why there are none.
type Side = (Vec<String>, Option<String>);
/// A pair of readings by their indices: outcome, stage and reason.
type Pair = (usize, usize, &'static str, &'static str, String);
/// Both sides, every pair, the fuel spent and the budget of one pair.
type Explained = (Side, Side, Vec<Pair>, u64, u64);

/// The part of a completion that is its answer.
///
/// Args:
///     completion: what the model wrote.
///     profile: the rules: `r1` (assay's own) or those of a peer, such as `math_verify`, `dapo`, `gsm8k_strict`.
///
/// Returns:
///     An `Extraction` with `text`, `span` (in characters) and `source`; None if there is no answer.
///
/// Raises:
///     InvalidSpecError: there is no such profile.
///
/// >>> import assay
/// >>> assay.extract("<think>\\boxed{1}?</think> It is \\boxed{2}.")
/// Extraction(text="2", span=(39, 40), source='boxed')
#[pyfunction]
#[pyo3(signature = (completion, *, profile = "r1"))]
pub(crate) fn extract(
    completion: Bound<'_, PyString>,
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

/// The tolerance, a string or a mapping of numbers, as JSON.
fn json(value: &Bound<'_, PyAny>) -> PyResult<serde_json::Value> {
    let py = value.py();
    let text = py
        .import(pyo3::intern!(py, "json"))?
        .call_method1("dumps", (value,))
        .and_then(|text| text.extract::<String>());
    let parsed = text.map_err(|error| error.to_string()).and_then(|text| {
        // Python writes NaN and Infinity, which JSON does not have.
        serde_json::from_str(&text).map_err(|_| format!("{text} holds a number that is not finite"))
    });
    parsed.map_err(|why| invalid_input(py, format!("tolerance: {why}")))
}
