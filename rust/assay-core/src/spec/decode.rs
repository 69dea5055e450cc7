//! From the three spellings to a checked `RewardSpec`, with messages that name the place.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::hint::did_you_mean;
use super::{
    Accuracy, Component, ComponentKind, Cosine, Format, Language, Length, OnUndecided, Plugin,
    Readability, Repetition, RewardModel, RewardSpec, SoftOverlong, Tags,
};
use crate::{Error, Result};

/// A spec as written: a name, or a table in the order written (the order of the sum).
pub(super) enum Raw {
    Name(String),
    Table(Vec<(String, Value)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Raw;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(
                    "a component kind, a table of kinds and weights, or a table with `component`",
                )
            }

            fn visit_str<E>(self, name: &str) -> std::result::Result<Raw, E> {
                Ok(Raw::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Raw, A::Error> {
                let mut table = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    table.push(entry);
                }
                Ok(Raw::Table(table))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

pub(super) fn spec(raw: Raw) -> Result<RewardSpec> {
    let spec = match raw {
        Raw::Name(kind) => by_kind(vec![(kind, Value::from(1.0))])?,
        Raw::Table(table) if is_by_kind(&table) => by_kind(table)?,
        Raw::Table(table) => full(table)?,
    };
    spec.validate()?;
    Ok(spec)
}

/// Kinds and weights: every value is a number, or the null that stands for a NaN.
fn is_by_kind(table: &[(String, Value)]) -> bool {
    let names_full = |(key, _): &(String, Value)| key == "component" || key == "on_undecided";
    let all_numbers = table
        .iter()
        .all(|(_, value)| value.is_number() || value.is_null());
    !table.is_empty() && all_numbers && !table.iter().any(names_full)
}

fn by_kind(table: Vec<(String, Value)>) -> Result<RewardSpec> {
    let tables = table.into_iter().map(|(kind, weight)| {
        Map::from_iter([
            ("kind".to_owned(), Value::from(kind)),
            ("weight".to_owned(), weight),
        ])
    });
    let components = tables
        .enumerate()
        .map(|(index, table)| component(index, table));
    Ok(RewardSpec {
        on_undecided: OnUndecided::None,
        components: components.collect::<Result<_>>()?,
    })
}

fn full(table: Vec<(String, Value)>) -> Result<RewardSpec> {
    let mut on_undecided = OnUndecided::None;
    let mut components = Vec::new();
    for (key, value) in table {
        match (key.as_str(), value) {
            ("on_undecided", value) => on_undecided = option("reward spec: `on_undecided`", value)?,
            ("component", Value::Array(tables)) => {
                for (index, table) in tables.into_iter().enumerate() {
                    let Value::Object(table) = table else {
                        return Err(Error::spec(format!("component {}: not a table", index + 1)));
                    };
                    components.push(component(index, table)?);
                }
            }
            ("component", _) => {
                return Err(Error::spec(
                    "reward spec: `component` is not a list of tables",
                ));
            }
            _ => {
                let hint = did_you_mean(&key, &["component", "on_undecided"]);
                return Err(Error::spec(format!(
                    "reward spec: unknown key `{key}`{hint}"
                )));
            }
        }
    }
    Ok(RewardSpec {
        on_undecided,
        components,
    })
}

fn component(index: usize, mut table: Map<String, Value>) -> Result<Component> {
    let place = format!("component {}", index + 1);
    let kind_name = match table.remove("kind") {
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(Error::spec(format!("{place}: `kind` is not a string"))),
        None => {
            let hint = did_you_mean("", &ComponentKind::NAMES);
            return Err(Error::spec(format!("{place}: `kind` is missing{hint}")));
        }
    };
    let place = format!("{place} (`{kind_name}`)");
    let name = match table.remove("name") {
        Some(name) => option(&format!("{place}: `name`"), name)?,
        None => kind_name.clone(),
    };
    let weight = match table.remove("weight") {
        Some(Value::Null) => f64::NAN,
        Some(weight) => option(&format!("{place}: `weight`"), weight)?,
        None => 1.0,
    };
    let kind = match kind_name.as_str() {
        "accuracy" => ComponentKind::Accuracy(options::<Accuracy>(&place, table)?),
        "format" => ComponentKind::Format(options::<Format>(&place, table)?),
        "tags" => ComponentKind::Tags(options::<Tags>(&place, table)?),
        "length" => ComponentKind::Length(length(&place, table)?),
        "repetition" => ComponentKind::Repetition(options::<Repetition>(&place, table)?),
        "language" => ComponentKind::Language(options::<Language>(&place, table)?),
        "readability" => ComponentKind::Readability(options::<Readability>(&place, table)?),
        "reward_model" => ComponentKind::RewardModel(options::<RewardModel>(&place, table)?),
        "plugin" => ComponentKind::Plugin(options::<Plugin>(&place, table)?),
        unknown => {
            let hint = did_you_mean(unknown, &ComponentKind::NAMES);
            return Err(Error::spec(format!(
                "component {}: unknown kind `{unknown}`{hint}",
                index + 1
            )));
        }
    };
    Ok(Component { name, weight, kind })
}

fn length(place: &str, mut table: Map<String, Value>) -> Result<Length> {
    const MODES: [&str; 2] = ["cosine", "soft_overlong"];
    let mode = table.remove("mode");
    match mode.as_ref().map(Value::as_str) {
        Some(Some("cosine")) => Ok(Length::Cosine(options::<Cosine>(place, table)?)),
        Some(Some("soft_overlong")) => {
            Ok(Length::SoftOverlong(options::<SoftOverlong>(place, table)?))
        }
        Some(other) => {
            let other = other.unwrap_or_default();
            let hint = did_you_mean(other, &MODES);
            Err(Error::spec(format!(
                "{place}: `mode`: unknown value `{other}`{hint}"
            )))
        }
        None => {
            let hint = did_you_mean("", &MODES);
            Err(Error::spec(format!("{place}: `mode` is missing{hint}")))
        }
    }
}

/// The options of one kind. Its names are those its defaults write, so no list of them can go stale.
pub(super) fn options<T: Default + Serialize + DeserializeOwned>(
    place: &str,
    table: Map<String, Value>,
) -> Result<T> {
    let known = match serde_json::to_value(T::default()) {
        Ok(Value::Object(known)) => known,
        _ => Map::new(),
    };
    for (key, value) in &table {
        if !known.contains_key(key) {
            let names: Vec<&str> = known
                .keys()
                .map(String::as_str)
                .chain(["kind", "name", "weight"])
                .collect();
            return Err(Error::spec(format!(
                "{place}: unknown option `{key}`{}",
                did_you_mean(key, &names)
            )));
        }
        // One at a time, so that the message can name the option.
        option::<T>(
            &format!("{place}: `{key}`"),
            Map::from_iter([(key.clone(), value.clone())]).into(),
        )?;
    }
    option(place, table.into())
}

/// One option's value from JSON; `place` names it in the message.
///
/// # Errors
///
/// `InvalidSpec`, with the nearest valid name for an unknown one.
pub fn option<T: DeserializeOwned>(place: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| {
        let message = error.to_string();
        // serde words an unknown variant as: unknown variant `x`, expected one of `a`, `b`
        let hint = match message
            .strip_prefix("unknown variant `")
            .and_then(|rest| rest.split_once('`'))
        {
            Some((name, rest)) => {
                let candidates: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
                return Error::spec(format!(
                    "{place}: unknown value `{name}`{}",
                    did_you_mean(name, &candidates)
                ));
            }
            None => message,
        };
        Error::spec(format!("{place}: {hint}"))
    })
}

/// `"last_place"`, `"exact"`, or a table of `absolute` and `relative`, each 0 when left out.
pub(super) mod tolerance {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use crate::math::Tolerance;
    use serde::de::Error as _;
    use serde_json::Value;

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Within {
        absolute: f64,
        relative: f64,
    }

    pub(in crate::spec) fn serialize<S: Serializer>(
        tolerance: &Tolerance,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match *tolerance {
            Tolerance::LastPlace => serializer.serialize_str("last_place"),
            Tolerance::Exact => serializer.serialize_str("exact"),
            Tolerance::Within { absolute, relative } => {
                Within { absolute, relative }.serialize(serializer)
            }
        }
    }

    pub(in crate::spec) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Tolerance, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) if name == "last_place" => Ok(Tolerance::LastPlace),
            Value::String(name) if name == "exact" => Ok(Tolerance::Exact),
            Value::Object(table) => {
                let within = Within::deserialize(Value::Object(table)).map_err(D::Error::custom)?;
                let Within { absolute, relative } = within;
                Ok(Tolerance::Within { absolute, relative })
            }
            other => Err(D::Error::custom(format!(
                "expected \"last_place\", \"exact\" or a table of `absolute` and `relative`, got {other}"
            ))),
        }
    }
}
