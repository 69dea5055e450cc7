//! What the types of a spec do not say.

use rustc_hash::FxHashSet;

use super::{
    Accuracy, Component, ComponentKind, Cosine, Length, RewardModel, RewardModelMode, RewardSpec,
};
use crate::math::Tolerance;
use crate::{Error, Result};

/// Largest size of a weight or a value: no total can overflow, and every total fits an `f32`.
const LARGEST: f64 = 1e9;
const MOST_COMPONENTS: usize = 64;
const LONGEST_NAME: usize = 64;
const LONGEST_NGRAM: u32 = 64;
const LONGEST_TEMPLATE: usize = 64 << 10;
const MOST_REPLY_TOKENS: u64 = 1 << 20;

pub(super) fn spec(spec: &RewardSpec) -> Result<()> {
    if spec.components.is_empty() {
        return Err(Error::spec(
            "reward spec: no component; add a [[component]] table with a `kind`",
        ));
    }
    if spec.components.len() > MOST_COMPONENTS {
        return Err(Error::spec(format!(
            "reward spec: {} components, more than {MOST_COMPONENTS}",
            spec.components.len()
        )));
    }
    let mut names = FxHashSet::default();
    let is_accuracy = |component: &Component| matches!(component.kind, ComponentKind::Accuracy(_));
    let has_accuracy = spec.components.iter().any(is_accuracy);
    for (index, component) in spec.components.iter().enumerate() {
        let place = format!("component {} (`{}`)", index + 1, component.name);
        one(&place, component)?;
        if !names.insert(component.name.as_str()) {
            return Err(Error::spec(format!(
                "{place}: `name` is used twice; give each component its own"
            )));
        }
        if matches!(component.kind, ComponentKind::Length(Length::Cosine(_))) && !has_accuracy {
            return Err(Error::spec(format!(
                "{place}: mode `cosine` needs to know whether the answer is right; add a component of kind `accuracy` \
                 (weight 0 if it is not to count)"
            )));
        }
    }
    Ok(())
}

fn one(place: &str, component: &Component) -> Result<()> {
    name(place, "name", &component.name)?;
    bounded(place, "weight", component.weight)?;
    match &component.kind {
        ComponentKind::Accuracy(options) => accuracy(place, options)?,
        ComponentKind::Format(_) | ComponentKind::Tags(_) | ComponentKind::Readability(_) => {}
        ComponentKind::Language(options) => {
            if options.target.is_none() {
                return Err(Error::spec(format!(
                    "{place}: `target` is required: the code of a language, such as \"en\""
                )));
            }
        }
        ComponentKind::RewardModel(options) => reward_model(place, options)?,
        ComponentKind::Plugin(options) => name(place, "function", &options.function)?,
        ComponentKind::Length(Length::Cosine(options)) => cosine(place, options)?,
        ComponentKind::Length(Length::SoftOverlong(options)) => {
            positive(place, "max_length", options.max_length)?;
            positive(place, "buffer", options.buffer)?;
            if options.buffer > options.max_length {
                return Err(Error::spec(format!(
                    "{place}: `buffer` must not be larger than `max_length`"
                )));
            }
        }
        ComponentKind::Repetition(options) => {
            bounded(place, "max_penalty", options.max_penalty)?;
            if options.max_penalty > 0.0 {
                return Err(Error::spec(format!(
                    "{place}: `max_penalty` must not be positive"
                )));
            }
            if !(1..=LONGEST_NGRAM).contains(&options.ngram) {
                return Err(Error::spec(format!(
                    "{place}: `ngram` must be 1 to {LONGEST_NGRAM}"
                )));
            }
        }
    }
    Ok(())
}

fn name(place: &str, field: &str, name: &str) -> Result<()> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
        return Err(Error::spec(format!(
            "{place}: `{field}` must be 1 to {LONGEST_NAME} letters, digits, `_`, `-` or `.`"
        )));
    }
    Ok(())
}

fn reward_model(place: &str, options: &RewardModel) -> Result<()> {
    name(place, "endpoint", &options.endpoint)?;
    bounded(place, "low", options.low)?;
    bounded(place, "high", options.high)?;
    if options.high <= options.low {
        return Err(Error::spec(format!(
            "{place}: `high` must be larger than `low`"
        )));
    }
    if !(1..=MOST_REPLY_TOKENS).contains(&options.max_tokens) {
        return Err(Error::spec(format!(
            "{place}: `max_tokens` must be 1 to {MOST_REPLY_TOKENS}"
        )));
    }
    if let Some(value) = options.missing {
        bounded(place, "missing", value)?;
    }
    for (field, text) in [("template", &options.template), ("system", &options.system)] {
        let length = text.as_ref().map_or(0, String::len);
        if length > LONGEST_TEMPLATE {
            return Err(Error::spec(format!(
                "{place}: `{field}` is longer than {LONGEST_TEMPLATE} bytes"
            )));
        }
    }
    if !options.template().contains("{completion}") {
        return Err(Error::spec(format!(
            "{place}: `template` lacks the placeholder `{{completion}}`"
        )));
    }
    if options.mode == RewardModelMode::Classify && options.system.is_some() {
        return Err(Error::spec(format!(
            "{place}: `system` belongs to mode `judge`"
        )));
    }
    if options.mode == RewardModelMode::Judge && options.class.is_some() {
        return Err(Error::spec(format!(
            "{place}: `class` belongs to mode `classify`"
        )));
    }
    Ok(())
}

pub(super) fn accuracy(place: &str, options: &Accuracy) -> Result<()> {
    if let Tolerance::Within { absolute, relative } = options.tolerance {
        for (field, value) in [
            ("tolerance.absolute", absolute),
            ("tolerance.relative", relative),
        ] {
            bounded(place, field, value)?;
            if value < 0.0 {
                return Err(Error::spec(format!(
                    "{place}: `{field}` must not be negative, got {value}"
                )));
            }
        }
    }
    Ok(())
}

fn cosine(place: &str, options: &Cosine) -> Result<()> {
    positive(place, "max_length", options.max_length)?;
    bounded(place, "min_correct", options.min_correct)?;
    bounded(place, "max_correct", options.max_correct)?;
    bounded(place, "min_wrong", options.min_wrong)?;
    bounded(place, "max_wrong", options.max_wrong)
}

fn bounded(place: &str, field: &str, value: f64) -> Result<()> {
    if value.is_finite() && value.abs() <= LARGEST {
        return Ok(());
    }
    Err(Error::spec(format!(
        "{place}: `{field}` must be a finite number within 1e9, got {value}"
    )))
}

fn positive(place: &str, field: &str, value: u64) -> Result<()> {
    if value >= 1 {
        return Ok(());
    }
    Err(Error::spec(format!(
        "{place}: `{field}` is required and must be at least 1"
    )))
}
