//! The decision: readings against readings, each pair from the cheapest step to the dearest.

mod combine;
mod discrete;
mod numeric;
pub(crate) mod points;
mod powers;
mod scalar;
mod tolerance;

pub(super) use combine::all;
pub(super) use discrete::all_symbols;
pub(super) use numeric::approximations;

use super::arena::Arena;
use super::ast::{Constant, End, Expr, Value};
use super::fuel::BUDGET;
use super::{Options, Outcome, Verdict};

/// One comparison: its options, its arena with the fuel, and the seed of its random points.
pub(super) struct Comparison<'a> {
    pub(super) options: &'a Options,
    pub(super) arena: Arena,
    seed: u64,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(options: &'a Options, seed: u64) -> Self {
        Self {
            options,
            arena: Arena::new(BUDGET),
            seed,
        }
    }

    /// The fuel spent so far.
    pub(super) fn spent(&self) -> u64 {
        BUDGET - self.arena.fuel.left()
    }

    /// Any reading of the one side against any reading of the other. If none are equal, the first pair's verdict:
    /// the likeliest readings.
    pub(super) fn readings(&mut self, gold: &[Value], answer: &[Value]) -> Verdict {
        // Two option letters settle it: "(B) 12" is not "(C) 12".
        if let (Some(left), Some(right)) = (choice(gold), choice(answer)) {
            return self.values(left, right);
        }
        // "[1, 2]" is a list or an interval, but never the interval "(1, 2)".
        if let (Some(left), Some(right)) = (brackets(gold), brackets(answer))
            && left != right
        {
            const DIFFERENT: Verdict = Verdict::fixed(
                Outcome::Different,
                super::Stage::Structure,
                "brackets that differ",
            );
            return DIFFERENT;
        }
        let mut first = None;
        for left in gold {
            for right in answer {
                let verdict = self.values(left, right);
                if verdict.outcome == Outcome::Equal {
                    return verdict;
                }
                first.get_or_insert(verdict);
            }
        }
        first.unwrap_or(Verdict::fixed(
            Outcome::Undecided,
            super::Stage::Parse,
            "nothing to compare",
        ))
    }
}

fn choice(readings: &[Value]) -> Option<&Value> {
    readings
        .iter()
        .find(|value| matches!(value, Value::Choice(..)))
}

/// Which ends belong to the interval that one of the readings is.
fn brackets(readings: &[Value]) -> Option<(bool, bool)> {
    readings.iter().find_map(|value| match value {
        Value::Interval(from, to) => Some((is_closed(from), is_closed(to))),
        _ => None,
    })
}

/// An infinite end belongs to nothing, whatever its bracket.
fn is_closed(end: &End) -> bool {
    let infinite = match &end.at {
        Expr::Neg(inner) => matches!(**inner, Expr::Constant(Constant::Infinity)),
        at => matches!(at, Expr::Constant(Constant::Infinity)),
    };
    end.closed && !infinite
}
