//! Whether two answers are the same.

#![allow(
    clippy::pedantic,
    reason = "the algebra is written in the shape of its formulas; `clippy::all` and the denied lints hold here too"
)]

mod arena;
pub mod ast;
mod balls;
pub(crate) mod cache;
mod decide;
mod eval;
mod exact;
mod explain;
mod fuel;
mod lexer;
mod modular;
mod normalise;
pub mod parse;
pub(crate) mod plain;
pub mod render;
mod structure;
pub mod units;
mod words;

use std::borrow::Cow;

pub use cache::Golds;
pub use explain::{Compared, Explanation, Side, explain};

use decide::Comparison;
use parse::{ParseError, ParseOptions, Parsed};

/// A reference, read once and compared with many answers.
///
/// A group of completions shares one reference, so its parse is worth keeping. `Gold` is immutable: it can be
/// shared between threads, and an answer's verdict depends on nothing but the two texts and the options.
#[derive(Clone, Debug)]
pub struct Gold {
    text: Box<str>,
    options: Options,
    parsed: Result<Parsed, ParseError>,
}

impl Gold {
    /// Reads `gold`: an answer, with or without `$..$` or `\boxed{}`. Never fails; see [`Self::is_readable`].
    pub fn new(gold: &str, options: &Options) -> Self {
        Self {
            text: gold.into(),
            options: *options,
            parsed: read(gold, options),
        }
    }

    /// Whether the reference could be read at all. When it could not, every comparison is
    /// [`Outcome::Undecided`], whatever the answer.
    pub fn is_readable(&self) -> bool {
        self.parsed.is_ok()
    }

    /// Compares one answer with the reference.
    pub fn compare(&self, answer: &str) -> Verdict {
        self.compare_metered(answer).0
    }

    /// [`Self::compare`], and the fuel it took; nothing for what is settled by its text. See [`Explanation::BUDGET`].
    pub fn compare_metered(&self, answer: &str) -> (Verdict, u64) {
        if let Some(verdict) = plain::verify(&self.text, answer, &self.options) {
            return (verdict, 0);
        }
        self.decide(answer)
    }

    /// [`Self::compare_metered`] for what is not two plain numbers.
    fn decide(&self, answer: &str) -> (Verdict, u64) {
        let gold = match &self.parsed {
            Ok(gold) => gold,
            Err(error) => return (unread("reference", *error), 0),
        };
        let answer_parsed = match read(answer, &self.options) {
            Ok(parsed) => parsed,
            Err(error) => return (unread("answer", error), 0),
        };
        let seed = decide::points::seed(&self.text, answer);
        let mut comparison = Comparison::new(&self.options, seed);
        let verdict = comparison.readings(&gold.readings, &answer_parsed.readings);
        let fuel = comparison.spent();
        // What is written the same and was not found undefined is the same, even if nothing here can evaluate it.
        if verdict.outcome == Outcome::Undecided
            && verdict.stage != Stage::Exact
            && gold.canonical == answer_parsed.canonical
        {
            let written = Verdict::new(Outcome::Equal, Stage::Text, "written the same");
            return (written, fuel);
        }
        // Only what is undefined differs from itself, perhaps as one part of many.
        if verdict.outcome == Outcome::Different
            && !verdict.reason.starts_with("undefined")
            && gold.canonical == answer_parsed.canonical
        {
            let undefined = Verdict::fixed(
                Outcome::Different,
                verdict.stage,
                "undefined: a part of it equals nothing, not even itself",
            );
            return (undefined, fuel);
        }
        (verdict, fuel)
    }
}

fn read(text: &str, options: &Options) -> Result<Parsed, ParseError> {
    parse::parse(text, &ParseOptions { kind: options.kind })
}

fn unread(side: &str, error: ParseError) -> Verdict {
    Verdict::new(
        Outcome::Undecided,
        Stage::Parse,
        format!("the {side} cannot be read: {error}"),
    )
}

/// Whether `answer` says the same as `gold`.
///
/// Pure and total: any two strings give a verdict, the same one on every machine and thread. For one reference
/// and many answers use [`Gold`].
///
/// ```
/// use assay_core::math::{Options, Outcome, verify};
///
/// let options = Options::default();
/// assert_eq!(verify("1,024", "1024.0", &options).outcome, Outcome::Equal);
/// assert_eq!(verify("\\frac{1}{\\sqrt{2}}", "sqrt(2)/2", &options).outcome, Outcome::Equal);
/// assert_eq!(verify("x > 2", "(2, \\infty)", &options).outcome, Outcome::Equal);
/// ```
pub fn verify(gold: &str, answer: &str, options: &Options) -> Verdict {
    plain::verify(gold, answer, options)
        .unwrap_or_else(|| Gold::new(gold, options).decide(answer).0)
}

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

impl Verdict {
    pub(crate) fn new(
        outcome: Outcome,
        stage: Stage,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            outcome,
            stage,
            reason: reason.into(),
            probable: false,
        }
    }

    pub(crate) const fn fixed(outcome: Outcome, stage: Stage, reason: &'static str) -> Self {
        Self {
            outcome,
            stage,
            reason: Cow::Borrowed(reason),
            probable: false,
        }
    }

    /// Whether the outcome is [`Outcome::Equal`].
    pub fn is_equal(&self) -> bool {
        self.outcome == Outcome::Equal
    }
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
