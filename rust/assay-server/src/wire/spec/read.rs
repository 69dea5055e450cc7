//! From the wire: `spec_from_wire`.

use assay_core::spec::RewardSpec;
use assay_core::{Error, Result};
use serde_json::{Map, Value};

use super::REVISION;
use crate::pb;
use crate::pb::component::Kind;

/// The spec that a wire message means.
///
/// # Errors
///
/// `InvalidSpec`, naming the component and the field, for what the core refuses and for what this version does not
/// know: a higher revision, a component kind, an enum value, a number that is not finite.
pub fn spec_from_wire(spec: &pb::RewardSpec) -> Result<RewardSpec> {
    if spec.revision > REVISION {
        return Err(Error::spec(format!(
            "the spec uses revision {} of the schema and this server knows {REVISION}: upgrade the server",
            spec.revision
        )));
    }
    let mut object = Fields::new("spec".to_owned());
    object.word(
        "on_undecided",
        spec.on_undecided,
        "ON_UNDECIDED_",
        |value: &pb::OnUndecided| value.as_str_name(),
    )?;
    let components = spec
        .components
        .iter()
        .enumerate()
        .map(|(index, component)| component_from_wire(index, component))
        .collect::<Result<Vec<_>>>()?;
    object
        .map
        .insert("component".to_owned(), Value::Array(components));
    RewardSpec::from_json(&Value::Object(object.map).to_string())
}

fn component_from_wire(index: usize, component: &pb::Component) -> Result<Value> {
    let mut object = Fields::new(format!("component {}", index + 1));
    let Some(kind) = &component.kind else {
        return Err(Error::spec(format!(
            "component {} has no kind that this server knows",
            index + 1
        )));
    };
    object.map.insert("kind".to_owned(), kind_name(kind).into());
    if !component.name.is_empty() {
        object
            .map
            .insert("name".to_owned(), component.name.as_str().into());
    }
    object.number("weight", component.weight)?;
    match kind {
        Kind::Accuracy(accuracy) => {
            object.word(
                "profile",
                accuracy.profile,
                "PROFILE_",
                |value: &pb::Profile| value.as_str_name(),
            )?;
            object.word(
                "answer",
                accuracy.answer,
                "ANSWER_",
                |value: &pb::Answer| value.as_str_name(),
            )?;
            object.tolerance(accuracy.tolerance.as_ref())?;
            object.flag("think_in_prompt", accuracy.think_in_prompt);
            object.word("units", accuracy.units, "UNITS_", |value: &pb::Units| {
                value.as_str_name()
            })?;
        }
        Kind::Format(format) => object.flag("think_in_prompt", format.think_in_prompt),
        Kind::Tags(tags) => object.flag("think_in_prompt", tags.think_in_prompt),
        Kind::Length(length) => {
            object.word(
                "mode",
                length.mode,
                "LENGTH_MODE_",
                |value: &pb::LengthMode| value.as_str_name(),
            )?;
            object.word(
                "unit",
                length.unit,
                "LENGTH_UNIT_",
                |value: &pb::LengthUnit| value.as_str_name(),
            )?;
            object.count("max_length", length.max_length);
            object.count("buffer", length.buffer);
            object.number("min_correct", length.min_correct)?;
            object.number("max_correct", length.max_correct)?;
            object.number("min_wrong", length.min_wrong)?;
            object.number("max_wrong", length.max_wrong)?;
        }
        Kind::Repetition(repetition) => {
            object.word(
                "unit",
                repetition.unit,
                "REPETITION_UNIT_",
                |value: &pb::RepetitionUnit| value.as_str_name(),
            )?;
            object.count("ngram", repetition.ngram);
            object.number("max_penalty", repetition.max_penalty)?;
        }
        Kind::Language(language) => {
            object.text("target", &language.target);
            object.word("part", language.part, "PART_", |value: &pb::Part| {
                value.as_str_name()
            })?;
            object.flag("think_in_prompt", language.think_in_prompt);
        }
        Kind::Readability(pb::Readability {}) => {}
        Kind::RewardModel(model) => reward_model(&mut object, model)?,
        Kind::Plugin(plugin) => object.text("function", &plugin.function),
    }
    Ok(Value::Object(object.map))
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Accuracy(_) => "accuracy",
        Kind::Format(_) => "format",
        Kind::Tags(_) => "tags",
        Kind::Length(_) => "length",
        Kind::Repetition(_) => "repetition",
        Kind::Language(_) => "language",
        Kind::Readability(_) => "readability",
        Kind::RewardModel(_) => "reward_model",
        Kind::Plugin(_) => "plugin",
    }
}

fn reward_model(object: &mut Fields, model: &pb::RewardModel) -> Result<()> {
    object.text("endpoint", &model.endpoint);
    object.word(
        "mode",
        model.mode,
        "REWARD_MODEL_MODE_",
        |value: &pb::RewardModelMode| value.as_str_name(),
    )?;
    object.word("input", model.input, "INPUT_", |value: &pb::Input| {
        value.as_str_name()
    })?;
    object.flag("think_in_prompt", model.think_in_prompt);
    for (field, value) in [("template", &model.template), ("system", &model.system)] {
        if let Some(text) = value {
            object.map.insert(field.to_owned(), text.as_str().into());
        }
    }
    object.count("class", model.class);
    object.number("low", model.low)?;
    object.number("high", model.high)?;
    object.count("max_tokens", model.max_tokens);
    object.number("missing", model.missing)
}

/// The JSON object of one message under construction, and how errors call it.
struct Fields {
    place: String,
    map: Map<String, Value>,
}

impl Fields {
    fn new(place: String) -> Self {
        Self {
            place,
            map: Map::new(),
        }
    }

    /// The value 0 of every enum is "not given".
    fn word<E: TryFrom<i32>>(
        &mut self,
        field: &str,
        value: i32,
        prefix: &str,
        name: impl Fn(&E) -> &'static str,
    ) -> Result<()> {
        if value == 0 {
            return Ok(());
        }
        let Ok(known) = E::try_from(value) else {
            return Err(Error::spec(format!(
                "{} of {} is {value}, which this server does not know: upgrade the server",
                field, self.place
            )));
        };
        let name = name(&known);
        let word = name
            .strip_prefix(prefix)
            .unwrap_or(name)
            .to_ascii_lowercase();
        self.map.insert(field.to_owned(), word.into());
        Ok(())
    }

    /// An empty text is "not given".
    fn text(&mut self, field: &str, value: &str) {
        if !value.is_empty() {
            self.map.insert(field.to_owned(), value.into());
        }
    }

    fn number(&mut self, field: &str, value: Option<f64>) -> Result<()> {
        let Some(value) = value else { return Ok(()) };
        let Some(number) = serde_json::Number::from_f64(value) else {
            return Err(Error::spec(format!(
                "{field} of {} is {value}: it has to be finite",
                self.place
            )));
        };
        self.map.insert(field.to_owned(), Value::Number(number));
        Ok(())
    }

    fn count(&mut self, field: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.map.insert(field.to_owned(), value.into());
        }
    }

    fn flag(&mut self, field: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.map.insert(field.to_owned(), value.into());
        }
    }

    fn tolerance(&mut self, tolerance: Option<&pb::Tolerance>) -> Result<()> {
        let Some(tolerance) = tolerance else {
            return Ok(());
        };
        let within = pb::ToleranceRule::Within as i32;
        if tolerance.rule != within
            && (tolerance.absolute.is_some() || tolerance.relative.is_some())
        {
            return Err(Error::spec(format!(
                "tolerance of {} has absolute or relative: its rule has to be TOLERANCE_RULE_WITHIN",
                self.place
            )));
        }
        if tolerance.rule == within {
            let mut inner = Fields::new(format!("tolerance of {}", self.place));
            inner.number("absolute", tolerance.absolute)?;
            inner.number("relative", tolerance.relative)?;
            self.map
                .insert("tolerance".to_owned(), Value::Object(inner.map));
            return Ok(());
        }
        self.word(
            "tolerance",
            tolerance.rule,
            "TOLERANCE_RULE_",
            |value: &pb::ToleranceRule| value.as_str_name(),
        )
    }
}
