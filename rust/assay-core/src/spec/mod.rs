//! `RewardSpec`: which components a reward has, and how much each weighs.
//!
//! One schema behind every door: TOML, JSON, Python and protobuf. Three spellings are read:
//!
//! * `"accuracy"`: one component with its defaults;
//! * `{"accuracy": 1.0, "format": 0.5}`: components by kind, with their weights;
//! * the full table: `on_undecided`, and a list `component` of tables with `kind`, `name`, `weight` and the options of
//!   that kind.
//!
//! ```
//! use assay_core::spec::RewardSpec;
//! let spec = RewardSpec::from_toml(r#"
//!     [[component]]
//!     kind = "accuracy"
//!     [[component]]
//!     kind = "length"
//!     mode = "soft_overlong"
//!     weight = 0.5
//!     max_length = 20480
//!     buffer = 4096
//! "#)?;
//! assert_eq!(RewardSpec::from_json(&spec.to_json())?, spec);
//! let error = RewardSpec::from_json(r#"{"acuracy": 1}"#).unwrap_err();
//! assert!(error.to_string().contains("did you mean `accuracy`"));
//! # Ok::<(), assay_core::Error>(())
//! ```

mod decode;
mod hint;
mod outside;
mod validate;

use serde::{Deserialize, Serialize};

use crate::answer::Profile;
use crate::math::{Kind, Options, Tolerance, Units};
use crate::text;
use crate::{Error, Result};

pub use decode::option;
pub use hint::did_you_mean;
pub use outside::{Input, Plugin, RewardModel, RewardModelMode};

/// A reward: the weighted sum of its components.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RewardSpec {
    /// What an answer that could be neither confirmed nor refuted is worth.
    pub on_undecided: OnUndecided,
    /// At least one, names unique, in the order of the sum.
    #[serde(rename = "component")]
    pub components: Vec<Component>,
}

/// What an undecided comparison is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUndecided {
    /// No number: the item's status is `undecided`.
    #[default]
    None,
    /// Accuracy 0, status `scored`; the reason is kept.
    Zero,
}

/// One term of the sum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Component {
    /// Its name in `Scores` and in metrics: letters, digits, `_`, `-` and `.`, at most 64; the kind by default.
    pub name: String,
    /// Finite; a component of weight 0 is reported but not added.
    pub weight: f64,
    /// What is measured, with its options.
    #[serde(flatten)]
    pub kind: ComponentKind,
}

/// What a component measures.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ComponentKind {
    /// 1 if the answer equals the reference, else 0.
    Accuracy(Accuracy),
    /// 1 if the completion is one think block and then one answer block, else 0.
    Format(Format),
    /// A quarter for each think or answer tag that occurs exactly once.
    Tags(Tags),
    /// A reward for, or a penalty on, the length.
    Length(Length),
    /// A penalty on repeated n-grams.
    Repetition(Repetition),
    /// The share of the thoughts that is in the target language.
    Language(Language),
    /// 1 less what keeps a person from reading the completion.
    Readability(Readability),
    /// What a reward model or a judge behind an endpoint says.
    RewardModel(RewardModel),
    /// What a user's function says.
    Plugin(Plugin),
}

/// Options of `accuracy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Accuracy {
    /// Where the answer stands in the completion.
    pub profile: Profile,
    /// The prompt already ended in `<think>`, so that a completion without `</think>` has no answer.
    pub think_in_prompt: bool,
    /// What sort of answer the reference is.
    pub answer: Kind,
    /// When a decimal may stand for an exact value: `"last_place"`, `"exact"` or `{absolute, relative}`.
    #[serde(with = "decode::tolerance")]
    pub tolerance: Tolerance,
    /// How units are treated.
    pub units: Units,
}

impl Accuracy {
    /// Options by name, as they stand in a component's table, checked; names left out take their defaults.
    ///
    /// # Errors
    ///
    /// `InvalidSpec`, naming the option.
    pub fn from_options(options: serde_json::Map<String, serde_json::Value>) -> Result<Self> {
        let options = decode::options::<Self>("options", options)?;
        validate::accuracy("options", &options)?;
        Ok(options)
    }

    /// How answer and reference are compared.
    pub fn comparison(&self) -> Options {
        Options {
            kind: self.answer,
            tolerance: self.tolerance,
            units: self.units,
        }
    }
}

/// Options of `format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Format {
    /// The prompt already ended in `<think>`, so the completion must not open it again.
    pub think_in_prompt: bool,
}

/// Options of `tags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tags {
    /// The prompt already ended in `<think>`, which then counts as present.
    pub think_in_prompt: bool,
}

/// Options of `length`, by `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Length {
    /// Shorter is better when the answer is right, longer when it is wrong.
    Cosine(Cosine),
    /// A penalty on the last stretch before the limit.
    SoftOverlong(SoftOverlong),
}

/// Options of `length` with `mode = "cosine"` (open-r1's `get_cosine_scaled_reward`).
///
/// With progress `p = min(length / max_length, 1)` the value is `low + (high - low) * (1 + cos(pi p)) / 2`, where
/// `low, high` are `min_correct, max_correct` for a right answer and `max_wrong, min_wrong` for a wrong one.
/// Right or wrong is the verdict of the first accuracy component; where that has no value, neither has this.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cosine {
    /// What is counted.
    pub unit: LengthUnit,
    /// The length at which the curve ends; required.
    pub max_length: u64,
    /// A right answer at `max_length`.
    pub min_correct: f64,
    /// A right answer of length 0.
    pub max_correct: f64,
    /// A wrong answer of length 0.
    pub min_wrong: f64,
    /// A wrong answer at `max_length`.
    pub max_wrong: f64,
}

impl Default for Cosine {
    fn default() -> Self {
        Self {
            unit: LengthUnit::default(),
            max_length: 0,
            min_correct: 0.5,
            max_correct: 1.0,
            min_wrong: -1.0,
            max_wrong: -0.5,
        }
    }
}

/// Options of `length` with `mode = "soft_overlong"` (DAPO, arXiv 2503.14476, eq. 13).
///
/// 0 up to `max_length - buffer`, falling in a line to -1 at `max_length`, -1 beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SoftOverlong {
    /// What is counted.
    pub unit: LengthUnit,
    /// Where the penalty reaches -1; required.
    pub max_length: u64,
    /// The length of the falling stretch, `1..=max_length`; required.
    pub buffer: u64,
}

/// What `length` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// Token ids as sampled; of a text, the ids the tokenizer gives.
    #[default]
    Tokens,
    /// Unicode scalar values.
    Characters,
    /// Maximal runs without white space.
    Words,
}

/// Options of `repetition` (open-r1's `get_repetition_penalty_reward`; arXiv 2502.03373).
///
/// `(1 - distinct n-grams / all n-grams) * max_penalty`; 0 for fewer than `ngram` items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repetition {
    /// What an n-gram is made of.
    pub unit: RepetitionUnit,
    /// Items per n-gram, `1..=64`.
    pub ngram: u32,
    /// The value when everything repeats; finite, at most 0.
    pub max_penalty: f64,
}

impl Default for Repetition {
    fn default() -> Self {
        Self {
            unit: RepetitionUnit::default(),
            ngram: 3,
            max_penalty: -1.0,
        }
    }
}

/// What `repetition` looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepetitionUnit {
    /// Lower-cased runs without white space.
    #[default]
    Words,
    /// Token ids.
    Tokens,
}

/// Options of `language`: `DeepSeek-R1`'s language consistency, in `[0, 1]`; see [`crate::text::language()`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Language {
    /// The language, by its ISO 639-1 code; required.
    pub target: Option<text::Language>,
    /// What is looked at.
    pub part: Part,
    /// The prompt already ended in `<think>`, so that the completion starts with thoughts.
    pub think_in_prompt: bool,
}

/// A part of a completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The chain of thought; all of a completion that has no think tags.
    #[default]
    Thoughts,
    /// Everything.
    Completion,
}

/// `readability` has no options: loops, garbled characters and endless lines are what
/// [`crate::text::readability()`] says they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readability {}

impl ComponentKind {
    /// The names of the kinds, as `kind` spells them.
    pub const NAMES: [&'static str; 9] = [
        "accuracy",
        "format",
        "tags",
        "length",
        "repetition",
        "language",
        "readability",
        "reward_model",
        "plugin",
    ];

    /// This kind's name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy",
            Self::Format(_) => "format",
            Self::Tags(_) => "tags",
            Self::Length(_) => "length",
            Self::Repetition(_) => "repetition",
            Self::Language(_) => "language",
            Self::Readability(_) => "readability",
            Self::RewardModel(_) => "reward_model",
            Self::Plugin(_) => "plugin",
        }
    }

    /// Whether its value comes from outside the core: from an endpoint or a user's function.
    pub fn is_outside(&self) -> bool {
        matches!(self, Self::RewardModel(_) | Self::Plugin(_))
    }

    /// Whether it counts or compares token ids, so that scoring a text takes a tokenizer.
    pub fn needs_tokens(&self) -> bool {
        match self {
            Self::Length(Length::Cosine(options)) => options.unit == LengthUnit::Tokens,
            Self::Length(Length::SoftOverlong(options)) => options.unit == LengthUnit::Tokens,
            Self::Repetition(options) => options.unit == RepetitionUnit::Tokens,
            _ => false,
        }
    }

    /// Whether it looks at the text, so that scoring token ids takes a tokenizer.
    pub fn needs_text(&self) -> bool {
        !self.needs_tokens()
    }
}

impl RewardSpec {
    /// Reads JSON in any of the three spellings, and validates.
    ///
    /// # Errors
    ///
    /// `InvalidSpec`, naming the component and the option, with the nearest valid name for an unknown one.
    pub fn from_json(json: &str) -> Result<Self> {
        let raw = serde_json::from_str(json)
            .map_err(|error| Error::spec(format!("reward spec: {error}")))?;
        decode::spec(raw)
    }

    /// Reads TOML in the full or the by-kind spelling, and validates.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json); a syntax error names its line.
    pub fn from_toml(toml: &str) -> Result<Self> {
        let raw = toml::from_str(toml).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| toml[..span.start].matches('\n').count() + 1);
            Error::spec(format!("reward spec, line {line}: {}", error.message()))
        })?;
        decode::spec(raw)
    }

    /// The full table, every option written out.
    pub fn to_json(&self) -> String {
        // Strings, finite floats and integers under string keys: nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Checks what the types do not: weights, names, ranges, and that `cosine` has an accuracy to look at.
    ///
    /// # Errors
    ///
    /// `InvalidSpec`, naming the component and the option.
    pub fn validate(&self) -> Result<()> {
        validate::spec(self)
    }
}

impl std::str::FromStr for RewardSpec {
    type Err = Error;

    fn from_str(json: &str) -> Result<Self> {
        Self::from_json(json)
    }
}

impl<'de> Deserialize<'de> for RewardSpec {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let raw = decode::Raw::deserialize(deserializer)?;
        decode::spec(raw).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
