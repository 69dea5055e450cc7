//! Numbers with units, by the policy of [`Units`].

use super::compare::different;
use super::form::Form;
use crate::math::ast::{Expr, Number, Written};
use crate::math::decide::Comparison;
use crate::math::units;
use crate::math::{Units, Verdict};

impl Comparison<'_> {
    pub(super) fn quantities(&mut self, gold: &Form, answer: &Form) -> Verdict {
        let (Some((a, unit)), Some((b, other))) = (parts(gold), parts(answer)) else {
            return different("of different kinds");
        };
        match (unit, other, self.options.units) {
            (Some(unit), Some(other), _) if unit == other => self.expressions(a, b),
            (Some(unit), Some(other), Units::Convert) => match converted(a, unit, b, other) {
                Some((a, b)) => self.expressions(&a, &b),
                None => different("units of different dimensions"),
            },
            (Some(_), Some(_), _) => different("different units"),
            (None, None, _) | (_, _, Units::Ignore | Units::Convert) => self.expressions(a, b),
            (_, _, Units::Require) => different("a unit on one side only"),
        }
    }
}

fn parts(form: &Form) -> Option<(&Expr, Option<&str>)> {
    match form {
        Form::Scalar(expr) => Some((expr, None)),
        Form::Quantity(expr, unit) => Some((expr, Some(unit))),
        _ => None,
    }
}

/// Both in base units; a unit that only rescales the other one leaves that side as it is written.
fn converted(a: &Expr, unit: &str, b: &Expr, other: &str) -> Option<(Expr, Expr)> {
    if let Some(factor) = units::ratio(unit, other) {
        return Some((scaled(a, &factor), b.clone()));
    }
    let (from, to) = (units::measure(unit)?, units::measure(other)?);
    if from.dimension != to.dimension {
        return None;
    }
    let base = |expr: &Expr, measure: &units::Measure| {
        Expr::Add(vec![scaled(expr, &measure.factor), exact(&measure.offset)])
    };
    Some((base(a, &from), base(b, &to)))
}

fn exact(value: &dashu::rational::RBig) -> Expr {
    Expr::Number(Number {
        value: value.clone(),
        written: Written::Fraction,
    })
}

fn scaled(expr: &Expr, factor: &dashu::rational::RBig) -> Expr {
    Expr::Mul(vec![exact(factor), expr.clone()])
}
