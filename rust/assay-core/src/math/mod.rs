//! Whether two answers are the same.

pub mod ast;

use std::borrow::Cow;

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The same answer.
    Equal,
    /// Not the same answer.
    Different,
    /// Not read, or not settled within the fuel. Never a synonym for wrong.
    Undecided,
}

/// The step that settled a comparison, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The two texts are the same after normalisation.
    Text,
    /// Exact arithmetic.
    Exact,
    /// Rational functions modulo primes (probabilistic for `Equal`).
    Modular,
    /// Ball arithmetic.
    Numeric,
    /// Sets, intervals, relations, choices: part by part.
    Structure,
    /// A decimal tolerance.
    Tolerance,
    /// Nothing could be parsed.
    Parse,
    /// The fuel ran out.
    Fuel,
}

/// The outcome of a comparison, with how it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Equal, different or undecided.
    pub outcome: Outcome,
    /// The step that settled it.
    pub stage: Stage,
    /// One short sentence.
    pub reason: Cow<'static, str>,
    /// `Equal` was reached by a probabilistic step; its error bound stands with that step.
    pub probable: bool,
}

/// What sort of answer the reference is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Decided from how the reference is written.
    #[default]
    Auto,
    /// A number.
    Number,
    /// A formula, set, interval, relation or matrix.
    Math,
    /// An option letter.
    Choice,
    /// Words, compared after folding.
    Text,
}

/// How units and currency words are treated.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Units {
    /// A unit on one side only is ignored; different units on both sides differ.
    #[default]
    Ignore,
    /// Both sides must carry the same unit, or none.
    Require,
    /// Units of one dimension are converted before comparing.
    Convert,
}

/// When a decimal may stand for an exact value.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// Within half a unit in the last written place of the decimal side, if that has at least two decimals.
    #[default]
    LastPlace,
    /// Never: decimals are exact.
    Exact,
    /// Within `max(absolute, relative * |reference|)`, if one side is written as a decimal.
    Within {
        /// Absolute tolerance, `>= 0`.
        absolute: f64,
        /// Relative tolerance, `>= 0`.
        relative: f64,
    },
}

/// How to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// What the reference is.
    pub kind: Kind,
    /// When a decimal may stand for an exact value.
    pub tolerance: Tolerance,
    /// How units are treated.
    pub units: Units,
}
