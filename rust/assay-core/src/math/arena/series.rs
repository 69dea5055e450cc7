//! Limits, by the first terms of a series in a small positive `t`.

use std::cmp::Ordering;

use dashu::rational::RBig;

use super::bind::Bound;
use super::{Arena, Id, Node};
use crate::math::ast::Function;
use crate::math::eval;
use crate::math::exact;
use crate::math::fuel::{Step, Stop};

/// Terms kept of a series. Cancellation of more leading terms than this is not seen through.
const TERMS: usize = 10;

/// The logarithm of `t` inside coefficients: smaller than any power of `1/t`, larger than any number.
const LOG: &str = "\u{3}log";
const SMALL: &str = "\u{3}t";

/// `t^valuation (c[0] + c[1] t + ..)`, up to terms of order `t^end`. `c[0]` is not zero, unless there is none: then the
/// function is of order `t^end`, and with an `end` of [`EXACT`] zero or smaller than any power.
#[derive(Clone, Debug)]
struct Series {
    valuation: i64,
    coefficients: Vec<Id>,
    end: i64,
}

/// The `end` of a series that is known to the last term.
const EXACT: i64 = i64::MAX;

impl Series {
    fn monomial(id: Id, valuation: i64) -> Self {
        let coefficients = if id == Arena::ZERO {
            Vec::new()
        } else {
            vec![id]
        };
        Self {
            valuation,
            coefficients,
            end: EXACT,
        }
    }

    fn constant(id: Id) -> Self {
        Self::monomial(id, 0)
    }

    fn is_zero(&self) -> bool {
        self.coefficients.is_empty()
    }

    /// The order of the first term that may be there.
    fn order(&self) -> i64 {
        if self.is_zero() {
            self.end
        } else {
            self.valuation
        }
    }

    fn at(&self, power: i64) -> Id {
        usize::try_from(power.saturating_sub(self.valuation))
            .ok()
            .and_then(|index| self.coefficients.get(index).copied())
            .unwrap_or(Arena::ZERO)
    }
}

impl Arena {
    /// The limit of `id` where the symbol goes to `bound`: from above at a number, and equal to the limit from below
    /// if that one exists too.
    pub(super) fn limit(&mut self, id: Id, name: &str, bound: Bound) -> Step<Id> {
        let small = self.intern(Node::Symbol(SMALL.into()))?;
        let above = self.place(bound, small)?;
        let value = self.limit_along(id, name, above)?;
        if let Bound::At(_) = bound {
            let opposite = self.neg(small)?;
            let below = self.place(bound, opposite)?;
            match self.limit_along(id, name, below) {
                Ok(other) if other == value => {}
                Ok(_) => {
                    return Err(Stop::Unsupported(
                        "a limit whose sides are not seen to agree",
                    ));
                }
                // sqrt(x) at 0 has one side only.
                Err(Stop::Unsupported(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(value)
    }

    fn place(&mut self, bound: Bound, small: Id) -> Step<Id> {
        match bound {
            Bound::At(at) => self.add(&[at, small]),
            Bound::PlusInfinity => self.pow(small, Self::MINUS_ONE),
            Bound::MinusInfinity => {
                let inverse = self.pow(small, Self::MINUS_ONE)?;
                self.neg(inverse)
            }
        }
    }

    fn limit_along(&mut self, id: Id, name: &str, path: Id) -> Step<Id> {
        let moved = self.substitute(id, name, path)?;
        let series = self.series(moved)?;
        if series.order() > 0 {
            return Ok(Self::ZERO);
        }
        if series.is_zero() || series.end <= 0 {
            return Err(Stop::Unsupported("a limit that cancels too many terms"));
        }
        let value = series.at(0);
        if series.valuation < 0 || self.contains(value, LOG) {
            return Err(Stop::Undefined("an infinite limit"));
        }
        Ok(value)
    }

    fn series(&mut self, id: Id) -> Step<Series> {
        self.fuel.spend(50)?;
        if !self.contains(id, SMALL) {
            return Ok(Series::constant(id));
        }
        match self.node(id).clone() {
            Node::Symbol(_) => Ok(Series::monomial(Self::ONE, 1)),
            Node::Add(terms) => {
                let mut sum = Series::constant(Self::ZERO);
                for &term in &terms {
                    let term = self.series(term)?;
                    sum = self.add_series(&sum, &term)?;
                }
                Ok(sum)
            }
            Node::Mul(factors) => {
                let mut product = Series::constant(Self::ONE);
                for &factor in &factors {
                    let factor = self.series(factor)?;
                    product = self.multiply_series(&product, &factor)?;
                }
                Ok(product)
            }
            Node::Pow(base, exponent) => match self.number(exponent).cloned() {
                Some(power) => {
                    let base = self.series(base)?;
                    self.series_power(&base, &power)
                }
                None => {
                    let logarithm = self.ln(base)?;
                    let whole = self.mul(&[exponent, logarithm])?;
                    let whole = self.series(whole)?;
                    self.series_exp(&whole)
                }
            },
            Node::Call(function, parts) => {
                let [argument] = parts[..] else {
                    return Err(UNSUPPORTED);
                };
                let argument = self.series(argument)?;
                self.series_call(function, &argument)
            }
            _ => Err(UNSUPPORTED),
        }
    }

    /// Drops leading zeros and terms beyond [`TERMS`].
    fn normal(&mut self, valuation: i64, mut coefficients: Vec<Id>, end: i64) -> Step<Series> {
        let zeros = coefficients
            .iter()
            .take_while(|&&id| id == Self::ZERO)
            .count();
        coefficients.drain(..zeros);
        if let Some(&first) = coefficients.first()
            && !self.facts(first).symbolic
            && !self.is_nonzero(first)
            && eval::sign(self, first)?.is_none_or(|sign| sign == Ordering::Equal)
        {
            return Err(Stop::Unsupported("a limit with a term that may vanish"));
        }
        let valuation = valuation.saturating_add(zeros as i64);
        let mut end = end;
        if coefficients.len() > TERMS {
            end = end.min(valuation.saturating_add(TERMS as i64));
        }
        let known = usize::try_from(end.saturating_sub(valuation)).unwrap_or(0);
        coefficients.truncate(known);
        Ok(Series {
            valuation,
            coefficients,
            end,
        })
    }

    fn add_series(&mut self, a: &Series, b: &Series) -> Step<Series> {
        let end = a.end.min(b.end);
        let start = match (a.is_zero(), b.is_zero()) {
            (true, true) => {
                return Ok(Series {
                    valuation: 0,
                    coefficients: Vec::new(),
                    end,
                });
            }
            (true, false) => b.valuation,
            (false, true) => a.valuation,
            (false, false) => a.valuation.min(b.valuation),
        };
        let last = |series: &Series| {
            series
                .valuation
                .saturating_add(series.coefficients.len() as i64)
        };
        let stop = last(a)
            .max(last(b))
            .min(start.saturating_add(2 * TERMS as i64));
        let cut = if stop < last(a).max(last(b)) {
            stop
        } else {
            EXACT
        };
        let mut coefficients = Vec::with_capacity(TERMS);
        for power in start..stop {
            coefficients.push(self.add(&[a.at(power), b.at(power)])?);
        }
        self.normal(start, coefficients, end.min(cut))
    }

    fn multiply_series(&mut self, a: &Series, b: &Series) -> Step<Series> {
        let end = match (a.is_zero() && a.end == EXACT, b.is_zero() && b.end == EXACT) {
            (false, false) => a
                .end
                .saturating_add(b.order())
                .min(b.end.saturating_add(a.order())),
            _ => EXACT,
        };
        if a.is_zero() || b.is_zero() {
            return Ok(Series {
                valuation: 0,
                coefficients: Vec::new(),
                end,
            });
        }
        let count = a.coefficients.len() + b.coefficients.len() - 1;
        let mut coefficients = Vec::with_capacity(count);
        for order in 0..count.min(TERMS + 1) {
            let mut terms = Vec::new();
            for left in 0..=order {
                if let (Some(&x), Some(&y)) =
                    (a.coefficients.get(left), b.coefficients.get(order - left))
                {
                    let product = self.mul(&[x, y])?;
                    terms.push(self.expand_products(product)?);
                }
            }
            coefficients.push(self.add(&terms)?);
        }
        let valuation = a.valuation.saturating_add(b.valuation);
        let cut = if count > coefficients.len() {
            valuation.saturating_add(coefficients.len() as i64)
        } else {
            EXACT
        };
        self.normal(valuation, coefficients, end.min(cut))
    }

    /// `(c t^v (1 + u))^q = c^q t^(v q) (1 + q u + q (q-1)/2 u^2 + ..)`.
    fn series_power(&mut self, base: &Series, power: &RBig) -> Step<Series> {
        let Some(&lead) = base.coefficients.first() else {
            return Err(UNSUPPORTED);
        };
        let valuation = RBig::from(base.valuation) * power;
        let Some(valuation) = exact::small(&valuation) else {
            return Err(UNSUPPORTED);
        };
        if self.contains(lead, LOG) && exact::integer(power).is_none() {
            return Err(UNSUPPORTED);
        }
        let rest = self.without_lead(base, lead)?;
        let mut weights = Vec::with_capacity(TERMS);
        let mut weight = RBig::ONE;
        for order in 0..TERMS as i64 {
            weights.push(self.rational(weight.clone())?);
            weight = weight * (power - RBig::from(order)) / RBig::from(order + 1);
        }
        let sum = self.compose(&weights, &rest)?;
        let exponent = self.rational(power.clone())?;
        let scale = self.pow(lead, exponent)?;
        let scale = Series::monomial(scale, valuation);
        self.multiply_series(&scale, &sum)
    }

    /// `u` where the series is `lead t^v (1 + u)`.
    fn without_lead(&mut self, series: &Series, lead: Id) -> Step<Series> {
        let mut coefficients = vec![Self::ZERO];
        for &coefficient in &series.coefficients[1..] {
            coefficients.push(self.div(coefficient, lead)?);
        }
        let end = if series.end == EXACT {
            EXACT
        } else {
            series.end.saturating_sub(series.valuation)
        };
        self.normal(0, coefficients, end)
    }

    /// `w[0] + w[1] u + w[2] u^2 + ..` for a `u` that vanishes at 0; the weights after the last are not known.
    fn compose(&mut self, weights: &[Id], u: &Series) -> Step<Series> {
        if u.order() < 1 {
            return Err(UNSUPPORTED);
        }
        let end = if u.order() == EXACT {
            EXACT
        } else {
            u.order().saturating_mul(weights.len() as i64)
        };
        let mut sum = Series::constant(Self::ZERO);
        for &weight in weights.iter().rev() {
            sum = self.multiply_series(&sum, u)?;
            sum = self.add_series(&sum, &Series::constant(weight))?;
        }
        self.add_series(
            &sum,
            &Series {
                valuation: 0,
                coefficients: Vec::new(),
                end,
            },
        )
    }

    /// The constant term, and the rest, of a series without negative powers.
    fn split_series(&mut self, series: &Series) -> Step<(Id, Series)> {
        if series.order() < 0 || series.end < 1 {
            return Err(UNSUPPORTED);
        }
        let constant = series.at(0);
        let opposite = self.neg(constant)?;
        let rest = self.add_series(series, &Series::constant(opposite))?;
        Ok((constant, rest))
    }

    fn series_exp(&mut self, exponent: &Series) -> Step<Series> {
        if exponent.order() < 0 && !exponent.is_zero() {
            let lead = exponent.coefficients[0];
            return match eval::sign(self, lead)? {
                // Smaller than any power of t.
                Some(Ordering::Less) => Ok(Series::constant(Self::ZERO)),
                _ => Err(UNSUPPORTED),
            };
        }
        let (constant, rest) = self.split_series(exponent)?;
        // e^(a ln t) = t^a
        let log = self.intern(Node::Symbol(LOG.into()))?;
        let power = self.derivative(constant, LOG)?;
        let Some(shift) = self.small(power) else {
            return Err(UNSUPPORTED);
        };
        let back = self.mul(&[power, log])?;
        let constant = self.sub(constant, back)?;
        let mut weights = Vec::with_capacity(TERMS);
        let mut weight = RBig::ONE;
        for order in 0..TERMS as i64 {
            weights.push(self.rational(weight.clone())?);
            weight /= RBig::from(order + 1);
        }
        let sum = self.compose(&weights, &rest)?;
        let scale = self.exp(constant)?;
        let scale = Series::monomial(scale, shift);
        self.multiply_series(&scale, &sum)
    }

    fn series_call(&mut self, function: Function, argument: &Series) -> Step<Series> {
        match function {
            Function::Ln => {
                let Some(&lead) = argument.coefficients.first() else {
                    return Err(UNSUPPORTED);
                };
                let rest = self.without_lead(argument, lead)?;
                let mut weights = vec![Self::ZERO];
                for order in 1..TERMS as i64 {
                    weights.push(self.ratio(if order % 2 == 1 { 1 } else { -1 }, order as u32)?);
                }
                let sum = self.compose(&weights, &rest)?;
                let log = self.intern(Node::Symbol(LOG.into()))?;
                let (valuation, constant) = (self.integer(argument.valuation)?, self.ln(lead)?);
                let log = self.mul(&[valuation, log])?;
                let constant = self.add(&[constant, log])?;
                self.add_series(&sum, &Series::constant(constant))
            }
            Function::Arctan if argument.valuation < 0 => {
                let inverse = self.series_power(argument, &RBig::NEG_ONE)?;
                let angle = self.series_call(Function::Arctan, &inverse)?;
                let angle = self.multiply_series(&angle, &Series::constant(Self::MINUS_ONE))?;
                let right = self.mul(&[Self::HALF, Self::PI])?;
                let right = match eval::sign(self, argument.coefficients[0])? {
                    Some(Ordering::Greater) => right,
                    Some(Ordering::Less) => self.neg(right)?,
                    _ => return Err(UNSUPPORTED),
                };
                self.add_series(&Series::constant(right), &angle)
            }
            Function::Sin | Function::Cos | Function::Arctan | Function::Arcsin => {
                let (constant, rest) = self.split_series(argument)?;
                let weights = self.taylor(function, constant)?;
                self.compose(&weights, &rest)
            }
            Function::Abs => {
                let Some(&lead) = argument.coefficients.first() else {
                    return Ok(argument.clone());
                };
                match eval::sign(self, lead)? {
                    Some(Ordering::Greater) => Ok(argument.clone()),
                    Some(Ordering::Less) => {
                        self.multiply_series(argument, &Series::constant(Self::MINUS_ONE))
                    }
                    _ => Err(UNSUPPORTED),
                }
            }
            _ => Err(UNSUPPORTED),
        }
    }

    /// `f(c), f'(c), f''(c)/2, ..`, by differentiating.
    fn taylor(&mut self, function: Function, at: Id) -> Step<Vec<Id>> {
        const NAME: &str = "\u{3}x";
        let symbol = self.intern(Node::Symbol(NAME.into()))?;
        let mut slope = self.call(function, &[symbol])?;
        // The derivatives of the inverse functions grow, so they get fewer terms.
        let count = if matches!(function, Function::Sin | Function::Cos) {
            TERMS
        } else {
            6
        };
        let mut weights = Vec::with_capacity(count);
        let mut factorial = RBig::ONE;
        for order in 1..=count as i64 {
            let value = self.substitute(slope, NAME, at)?;
            let scale = self.rational(factorial.clone())?;
            weights.push(self.mul(&[scale, value])?);
            factorial /= RBig::from(order);
            slope = self.derivative(slope, NAME)?;
        }
        Ok(weights)
    }
}

const UNSUPPORTED: Stop = Stop::Unsupported("a limit of that form");
