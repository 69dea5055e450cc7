//! To the wire: `spec_to_wire`.

use assay_core::spec::RewardSpec;
use assay_core::{Error, Result};
use serde_json::{Map, Value};

use super::REVISION;
use crate::pb;
use crate::pb::component::Kind;

/// The wire form of a spec: `spec_from_wire` of it is the same spec.
///
/// # Errors
///
/// `Internal` when the core has an option that `spec.proto` lacks.
pub fn spec_to_wire(spec: &RewardSpec) -> Result<pb::RewardSpec> {
    let value: Value =
        serde_json::from_str(&spec.to_json()).map_err(|error| unknown(&error.to_string()))?;
    let mut object = Words::of(&value)?;
    let on_undecided = object.word("on_undecided", "ON_UNDECIDED_", |name| {
        pb::OnUndecided::from_str_name(name).map(|value| value as i32)
    })?;
    let components = match object.take("component") {
        Some(Value::Array(components)) => components
            .iter()
            .map(component_to_wire)
            .collect::<Result<_>>()?,
        _ => Vec::new(),
    };
    object.end()?;
    Ok(pb::RewardSpec {
        on_undecided,
        components,
        revision: REVISION,
    })
}

fn component_to_wire(value: &Value) -> Result<pb::Component> {
    let mut object = Words::of(value)?;
    let kind = object.text("kind")?.unwrap_or_default();
    let name = object.text("name")?.unwrap_or_default();
    let weight = object.number("weight")?;
    let kind = match kind.as_str() {
        "accuracy" => Kind::Accuracy(pb::Accuracy {
            profile: object.word("profile", "PROFILE_", |name| {
                pb::Profile::from_str_name(name).map(|value| value as i32)
            })?,
            answer: object.word("answer", "ANSWER_", |name| {
                pb::Answer::from_str_name(name).map(|value| value as i32)
            })?,
            tolerance: object.tolerance()?,
            think_in_prompt: object.flag("think_in_prompt")?,
            units: object.word("units", "UNITS_", |name| {
                pb::Units::from_str_name(name).map(|value| value as i32)
            })?,
        }),
        "format" => Kind::Format(pb::Format {
            think_in_prompt: object.flag("think_in_prompt")?,
        }),
        "tags" => Kind::Tags(pb::Tags {
            think_in_prompt: object.flag("think_in_prompt")?,
        }),
        "length" => Kind::Length(pb::Length {
            mode: object.word("mode", "LENGTH_MODE_", |name| {
                pb::LengthMode::from_str_name(name).map(|value| value as i32)
            })?,
            unit: object.word("unit", "LENGTH_UNIT_", |name| {
                pb::LengthUnit::from_str_name(name).map(|value| value as i32)
            })?,
            max_length: object.count("max_length")?,
            buffer: object.count("buffer")?,
            min_correct: object.number("min_correct")?,
            max_correct: object.number("max_correct")?,
            min_wrong: object.number("min_wrong")?,
            max_wrong: object.number("max_wrong")?,
        }),
        "repetition" => Kind::Repetition(pb::Repetition {
            unit: object.word("unit", "REPETITION_UNIT_", |name| {
                pb::RepetitionUnit::from_str_name(name).map(|value| value as i32)
            })?,
            ngram: object.count("ngram")?,
            max_penalty: object.number("max_penalty")?,
        }),
        "language" => Kind::Language(pb::Language {
            target: object.text("target")?.unwrap_or_default(),
            part: object.word("part", "PART_", |name| {
                pb::Part::from_str_name(name).map(|value| value as i32)
            })?,
            think_in_prompt: object.flag("think_in_prompt")?,
        }),
        "readability" => Kind::Readability(pb::Readability {}),
        "reward_model" => Kind::RewardModel(reward_model(&mut object)?),
        "plugin" => Kind::Plugin(pb::Plugin {
            function: object.text("function")?.unwrap_or_default(),
        }),
        other => return Err(unknown(&format!("component kind {other}"))),
    };
    object.end()?;
    Ok(pb::Component {
        name,
        weight,
        kind: Some(kind),
    })
}

fn reward_model(object: &mut Words) -> Result<pb::RewardModel> {
    Ok(pb::RewardModel {
        endpoint: object.text("endpoint")?.unwrap_or_default(),
        mode: object.word("mode", "REWARD_MODEL_MODE_", |name| {
            pb::RewardModelMode::from_str_name(name).map(|value| value as i32)
        })?,
        input: object.word("input", "INPUT_", |name| {
            pb::Input::from_str_name(name).map(|value| value as i32)
        })?,
        think_in_prompt: object.flag("think_in_prompt")?,
        template: object.text("template")?,
        system: object.text("system")?,
        class: object.count("class")?,
        low: object.number("low")?,
        high: object.number("high")?,
        max_tokens: object.count("max_tokens")?,
        missing: object.number("missing")?,
    })
}

fn unknown(what: &str) -> Error {
    Error::new(
        assay_core::ErrorKind::Internal,
        format!("spec.proto has no place for {what}"),
    )
}

/// A JSON object whose members are taken one by one; what is left at the end is an error.
struct Words {
    map: Map<String, Value>,
}

impl Words {
    fn of(value: &Value) -> Result<Self> {
        match value {
            Value::Object(map) => Ok(Self { map: map.clone() }),
            other => Err(unknown(&other.to_string())),
        }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|value| !value.is_null())
    }

    fn typed<T>(&mut self, field: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        match self.take(field) {
            None => Ok(None),
            Some(value) => read(&value)
                .map(Some)
                .ok_or_else(|| unknown(&format!("{field} = {value}"))),
        }
    }

    fn text(&mut self, field: &str) -> Result<Option<String>> {
        self.typed(field, |value| value.as_str().map(str::to_owned))
    }

    fn number(&mut self, field: &str) -> Result<Option<f64>> {
        self.typed(field, Value::as_f64)
    }

    fn count(&mut self, field: &str) -> Result<Option<u64>> {
        self.typed(field, Value::as_u64)
    }

    fn flag(&mut self, field: &str) -> Result<Option<bool>> {
        self.typed(field, Value::as_bool)
    }

    fn word(
        &mut self,
        field: &str,
        prefix: &str,
        code: impl Fn(&str) -> Option<i32>,
    ) -> Result<i32> {
        let found = self.typed(field, |value| {
            code(&format!("{prefix}{}", value.as_str()?.to_ascii_uppercase()))
        })?;
        Ok(found.unwrap_or_default())
    }

    fn tolerance(&mut self) -> Result<Option<pb::Tolerance>> {
        if !self.map.get("tolerance").is_some_and(Value::is_object) {
            let rule = self.word("tolerance", "TOLERANCE_RULE_", |name| {
                pb::ToleranceRule::from_str_name(name).map(|value| value as i32)
            })?;
            return Ok((rule != 0).then_some(pb::Tolerance {
                rule,
                absolute: None,
                relative: None,
            }));
        }
        let mut inner = Self::of(&self.take("tolerance").unwrap_or_default())?;
        let rule = pb::ToleranceRule::Within as i32;
        let tolerance = pb::Tolerance {
            rule,
            absolute: inner.number("absolute")?,
            relative: inner.number("relative")?,
        };
        inner.end()?;
        Ok(Some(tolerance))
    }

    fn end(self) -> Result<()> {
        match self.map.iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((field, value)) => Err(unknown(&format!("{field} = {value}"))),
        }
    }
}
