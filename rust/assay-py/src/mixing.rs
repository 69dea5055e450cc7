//! `assay.language_mixing`: where a text leaves its language.

use assay_core::spec;
use assay_core::text::{self, Language};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::raise;
use crate::texts::Text;

/// How a text is mixed, as `language_mixing` found it.
///
/// Attributes:
///     share: words of the target language over all words, in [0, 1]; 1 for a text without words. The value of the
///         component `language`.
///     target: words of the target language.
///     other: words of other languages.
///     spans: the stretches of other languages in order, the first 1,000: `(start, stop, language, words)`, from the
///         first to behind the last word in characters, the language's code or None where it is not known, and the
///         number of words.
#[pyclass(frozen, module = "assay", get_all)]
pub(crate) struct LanguageMixing {
    share: f64,
    target: u64,
    other: u64,
    spans: Vec<(usize, usize, Option<&'static str>, u64)>,
}

#[pymethods]
impl LanguageMixing {
    fn __repr__(&self) -> String {
        format!(
            "LanguageMixing(share={:.3}, target={}, other={}, spans=[{} of them])",
            self.share,
            self.target,
            self.other,
            self.spans.len()
        )
    }
}

/// Where a text leaves the `target` language: the report behind the component `language`. One pass, bounded memory.
///
/// Code blocks, LaTeX, numbers and names do not count.
///
/// Args:
///     text: what to look at; the component looks at the chain of thought.
///     target: the code of a language, such as `en` or `zh`.
///
/// Raises:
///     InvalidSpecError: the language is not known; the message lists those that are.
///
/// >>> import assay
/// >>> report = assay.language_mixing("First we add 两个数字 and then we stop.", target="en")
/// >>> report.spans
/// [(13, 17, 'zh', 2)]
#[pyfunction]
#[pyo3(signature = (text, target = "en"))]
pub(crate) fn language_mixing(text: Bound<'_, PyString>, target: &str) -> PyResult<LanguageMixing> {
    let py = text.py();
    let target: Language =
        spec::option("target", target.into()).map_err(|error| raise(py, &error))?;
    let text = Text::new(text);
    Ok(py.detach(|| {
        let text = text.as_str();
        let found = text::mixing(text, target);
        // Spans rise, so one walk over the text turns bytes into characters.
        let (mut bytes, mut characters) = (0, 0);
        let mut place = |end: usize| {
            characters += text.get(bytes..end).map_or(0, |part| part.chars().count());
            bytes = end;
            characters
        };
        let spans = found.spans.iter().map(|mixed| {
            let (start, stop) = (place(mixed.span.start), place(mixed.span.end));
            (start, stop, mixed.language.map(Language::code), mixed.words)
        });
        LanguageMixing {
            spans: spans.collect(),
            share: found.share(),
            target: found.target,
            other: found.other,
        }
    }))
}
