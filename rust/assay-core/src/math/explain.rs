//! What a comparison saw and did, for people.

use super::ast::Value;
use super::decide::{Comparison, points};
use super::fuel::BUDGET;
use super::{Gold, Options, Verdict, read, render};

/// One side as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The readings in LaTeX, the likeliest first; empty when it could not be read.
    pub readings: Vec<String>,
    /// Why it could not be read, and where.
    pub error: Option<String>,
}

/// One reading of the reference against one of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Index into the reference's readings.
    pub gold: usize,
    /// Index into the answer's readings.
    pub answer: usize,
    /// What these two say.
    pub verdict: Verdict,
}

/// A comparison with everything it was decided from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The reference.
    pub gold: Side,
    /// The answer.
    pub answer: Side,
    /// Every pair of readings, each on its own.
    pub compared: Vec<Compared>,
    /// The verdict of [`super::verify`].
    pub verdict: Verdict,
    /// The work of all pairs, in units of fuel; one comparison may spend [`Explanation::BUDGET`].
    pub fuel: u64,
}

impl Explanation {
    /// What one comparison may spend. A unit is roughly 2.5 ns of big-integer arithmetic.
    pub const BUDGET: u64 = BUDGET;
}

/// Compares as [`super::verify`] does, and tells what was read and what each pair of readings gave.
pub fn explain(gold: &str, answer: &str, options: &Options) -> Explanation {
    let (left, right) = (read(gold, options), read(answer, options));
    let seed = points::seed(gold, answer);
    let mut compared = Vec::new();
    let mut fuel = 0;
    if let (Ok(left), Ok(right)) = (&left, &right) {
        for (i, a) in left.readings.iter().enumerate() {
            for (j, b) in right.readings.iter().enumerate() {
                let mut comparison = Comparison::new(options, seed);
                let verdict = comparison.values(a, b);
                fuel += comparison.spent();
                compared.push(Compared {
                    gold: i,
                    answer: j,
                    verdict,
                });
            }
        }
    }
    let side = |parsed: &Result<super::parse::Parsed, super::parse::ParseError>| match parsed {
        Ok(parsed) => Side {
            readings: parsed
                .readings
                .iter()
                .map(|value: &Value| render::render(value))
                .collect(),
            error: None,
        },
        Err(error) => Side {
            readings: Vec::new(),
            error: Some(error.to_string()),
        },
    };
    Explanation {
        gold: side(&left),
        answer: side(&right),
        compared,
        verdict: Gold::new(gold, options).compare(answer),
        fuel,
    }
}
