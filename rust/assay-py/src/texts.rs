//! Lists of strings in, borrowed from Python without a copy, usable without the GIL.

use assay_core::score::Item;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::errors::invalid_input;

/// A Python string.
pub(crate) enum Text {
    /// Its own UTF-8.
    Borrowed(PyBackedStr),
    /// A copy in which each lone surrogate, which has no UTF-8, is U+FFFD: odd text is data, not an error.
    Replaced(String),
}

impl Text {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers give up their reference here"
    )]
    pub(crate) fn new(string: Bound<'_, PyString>) -> Self {
        match PyBackedStr::try_from(string.clone()) {
            Ok(text) => Self::Borrowed(text),
            Err(_) => Self::Replaced(string.to_string_lossy().into_owned()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Replaced(text) => text,
        }
    }
}

/// The strings of a list or tuple. `name` is the argument's.
pub(crate) fn texts(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<Text>> {
    read_items(value, name, |item, index| {
        match item.cast_into::<PyString>() {
            Ok(string) => Ok(Text::new(string)),
            Err(other) => Err(wrong_item(&other.into_inner(), name, index, "str")),
        }
    })
}

/// The strings of a list or tuple that may also hold `None`.
pub(crate) fn optional_texts(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<Option<Text>>> {
    read_items(value, name, |item, index| {
        match item.cast_into::<PyString>() {
            Ok(string) => Ok(Some(Text::new(string))),
            Err(other) => match other.into_inner() {
                item if item.is_none() => Ok(None),
                item => Err(wrong_item(&item, name, index, "str or None")),
            },
        }
    })
}

/// The same, as slices.
pub(crate) fn borrowed(texts: &[Option<Text>]) -> Vec<Option<&str>> {
    texts
        .iter()
        .map(|text| text.as_ref().map(Text::as_str))
        .collect()
}

/// The prompts; empty where none were passed.
pub(crate) fn prompts_of(prompts: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Option<Text>>> {
    prompts.map_or_else(
        || Ok(Vec::new()),
        |prompts| optional_texts(prompts, "prompts"),
    )
}

/// Each completion with its reference and its prompt; `prompts` may be empty.
pub(crate) fn items<'a>(
    py: Python<'_>,
    completions: &'a [Text],
    references: &'a [Option<Text>],
    prompts: &'a [Option<Text>],
) -> PyResult<Vec<Item<'a>>> {
    if completions.len() != references.len() {
        let (ours, theirs) = (completions.len(), references.len());
        let message = format!("references has {theirs} entries for {ours} completions");
        return Err(invalid_input(py, message));
    }
    let prompt = |row: usize| prompts.get(row).and_then(Option::as_ref);
    let item = |(row, (completion, reference)): (usize, (&'a Text, &'a Option<Text>))| Item {
        completion: completion.as_str(),
        reference: reference.as_ref().map(Text::as_str),
        prompt: prompt(row).map(Text::as_str),
    };
    let pairs = completions.iter().zip(references);
    Ok(pairs.enumerate().map(item).collect())
}

fn read_items<'py, T>(
    value: &Bound<'py, PyAny>,
    name: &str,
    read: impl Fn(Bound<'py, PyAny>, usize) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    if let Ok(list) = value.cast::<PyList>() {
        return list
            .iter()
            .enumerate()
            .map(|(index, item)| read(item, index))
            .collect();
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return tuple
            .iter()
            .enumerate()
            .map(|(index, item)| read(item, index))
            .collect();
    }
    let kind = value.get_type().name()?;
    let remedy = if value.is_instance_of::<PyString>() {
        format!("pass [{name}]")
    } else {
        format!("pass list({name})")
    };
    let message = format!("{name} must be a list, got {kind}; {remedy}");
    Err(invalid_input(value.py(), message))
}

fn wrong_item(item: &Bound<'_, PyAny>, name: &str, index: usize, expected: &str) -> PyErr {
    let kind = item
        .get_type()
        .name()
        .map_or_else(|_| "?".to_owned(), |kind| kind.to_string());
    invalid_input(
        item.py(),
        format!("{name}[{index}] must be {expected}, got {kind}; convert it with str()"),
    )
}
