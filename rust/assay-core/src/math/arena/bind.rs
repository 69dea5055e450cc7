//! Operators that bind a variable: sums, products, derivatives, integrals, limits.

use dashu::base::Abs as _;
use dashu::rational::RBig;

use super::{Arena, Id, Node};
use crate::math::ast::{Binder, Constant, Expr, Function};
use crate::math::exact;
use crate::math::fuel::{Step, Stop};

/// Sums and products of more terms than this are not written out.
const MAX_TERMS: i64 = 4_096;
const MAX_ORDER: i64 = 8;

/// Where a sum ends or a limit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    At(Id),
    PlusInfinity,
    MinusInfinity,
}

impl Arena {
    pub(super) fn build_bind(
        &mut self,
        binder: &Binder,
        variable: &str,
        lower: Option<&Expr>,
        upper: Option<&Expr>,
        body: &Expr,
    ) -> Step<Id> {
        let lower = lower.map(|expr| self.bound_of(expr)).transpose()?;
        let upper = upper.map(|expr| self.bound_of(expr)).transpose()?;
        match (binder, lower, upper) {
            (Binder::Sum | Binder::Product, Some(Bound::At(from)), Some(to)) => {
                self.iterate(binder, variable, (from, to), body)
            }
            (Binder::Derivative, _, order) => self.build_derivative(variable, order, body),
            (Binder::Integral, from, to) => self.build_integral(variable, from, to, body),
            (Binder::Limit, Some(at), _) => {
                // A fresh name, so that an outer meaning of the variable stays out of the way.
                let fresh = fresh_name(variable);
                let symbol = self.intern(Node::Symbol(fresh.clone()))?;
                let body = self.bound(variable, symbol, |arena| arena.build_scalar(body))?;
                self.limit(body, &fresh, at)
            }
            _ => Err(Stop::Unsupported(
                "a sum, product or limit without its bounds",
            )),
        }
    }

    fn bound_of(&mut self, expr: &Expr) -> Step<Bound> {
        match expr {
            Expr::Constant(Constant::Infinity) => Ok(Bound::PlusInfinity),
            Expr::Neg(inner) if matches!(**inner, Expr::Constant(Constant::Infinity)) => {
                Ok(Bound::MinusInfinity)
            }
            other => self.build_scalar(other).map(Bound::At),
        }
    }

    fn iterate(
        &mut self,
        binder: &Binder,
        variable: &str,
        bounds: (Id, Bound),
        body: &Expr,
    ) -> Step<Id> {
        let Some(from) = self.small(bounds.0) else {
            return Err(Stop::Unsupported(
                "a sum or product whose bounds are not integers",
            ));
        };
        let to = match bounds.1 {
            Bound::At(to) => match self.small(to) {
                Some(to) => to,
                None => {
                    return Err(Stop::Unsupported(
                        "a sum or product whose bounds are not integers",
                    ));
                }
            },
            Bound::PlusInfinity if *binder == Binder::Sum => {
                return self.series_sum(variable, from, body);
            }
            _ => return Err(Stop::Unsupported("an infinite product")),
        };
        if to.saturating_sub(from) >= MAX_TERMS {
            return self.long_sum(binder, variable, (from, to), body);
        }
        let mut parts = Vec::new();
        for index in from..=to {
            let index = self.integer(index)?;
            parts.push(self.bound(variable, index, |arena| arena.build_scalar(body))?);
            // Joined as they come, so that thousands of numbers stay one node.
            if parts.len() == 16 {
                parts = vec![self.join(binder, &parts)?];
            }
        }
        self.join(binder, &parts)
    }

    fn join(&mut self, binder: &Binder, parts: &[Id]) -> Step<Id> {
        if *binder == Binder::Sum {
            self.add(parts)
        } else {
            self.mul(parts)
        }
    }

    /// A long sum of a polynomial in its index.
    fn long_sum(
        &mut self,
        binder: &Binder,
        variable: &str,
        (from, to): (i64, i64),
        body: &Expr,
    ) -> Step<Id> {
        const DEGREE: usize = 6;
        if *binder != Binder::Sum || degree_bound(body).is_none_or(|degree| degree > DEGREE) {
            return Err(Stop::Fuel);
        }
        // A polynomial of degree d in the index sums to one of degree d + 1: Newton's forward differences.
        let mut values = Vec::with_capacity(DEGREE + 1);
        for offset in 0..=DEGREE as i64 {
            let index = self.integer(from.saturating_add(offset))?;
            values.push(self.bound(variable, index, |arena| arena.build_scalar(body))?);
        }
        let count = RBig::from(to) - RBig::from(from) + RBig::ONE;
        let mut total = Vec::new();
        let mut binomial = count.clone();
        for order in 0..=DEGREE {
            let weight = self.rational(binomial.clone())?;
            total.push(self.mul(&[weight, values[0]])?);
            for at in 0..values.len() - 1 {
                values[at] = self.sub(values[at + 1], values[at])?;
            }
            values.pop();
            let next = RBig::from(order as i64 + 1);
            binomial = exact::mul(
                &binomial,
                &((&count - &next) / (next + RBig::ONE)),
                &self.fuel,
            )?;
        }
        self.add(&total)
    }

    /// Infinite sums with a closed form that needs no search: geometric ones and the zeta function's.
    fn series_sum(&mut self, variable: &str, from: i64, body: &Expr) -> Step<Id> {
        let fresh = fresh_name(variable);
        let symbol = self.intern(Node::Symbol(fresh.clone()))?;
        let term = self.bound(variable, symbol, |arena| arena.build_scalar(body))?;
        let (factor, rest) = self.split_constant(term, &fresh)?;
        if let Node::Pow(base, exponent) = *self.node(rest)
            && base == symbol
            && from == 1
            && let Some(power) = self.number(exponent).cloned()
            && power < RBig::NEG_ONE
        {
            let power = self.rational(-power)?;
            let zeta = self.zeta(power)?;
            return self.mul(&[factor, zeta]);
        }
        self.geometric_sum(term, &fresh, from)
    }

    /// `sum a r^k = a r^from / (1 - r)` when the ratio of neighbouring terms does not depend on `k` and `|r| < 1`.
    fn geometric_sum(&mut self, term: Id, name: &str, from: i64) -> Step<Id> {
        let symbol = self.intern(Node::Symbol(name.into()))?;
        let next = self.add(&[symbol, Self::ONE])?;
        let shifted = self.substitute(term, name, next)?;
        let ratio = self.div(shifted, term)?;
        let first = self.integer(from)?;
        let first = self.substitute(term, name, first)?;
        let ratio = if self.contains(ratio, name) {
            self.constant_ratio(term, name, from)?
        } else {
            ratio
        };
        match self.number(ratio) {
            Some(value) if value.clone().abs() >= RBig::ONE => {
                Err(Stop::Undefined("a series that diverges"))
            }
            Some(_) => {
                let rest = self.sub(Self::ONE, ratio)?;
                self.div(first, rest)
            }
            None if self.facts(ratio).symbolic => {
                // A formal geometric series, taken where it converges.
                let rest = self.sub(Self::ONE, ratio)?;
                self.div(first, rest)
            }
            None => Err(Stop::Unsupported("an infinite sum")),
        }
    }

    /// The ratio read off exponents: every factor must be `c^(a k + b)`.
    fn constant_ratio(&mut self, term: Id, name: &str, _from: i64) -> Step<Id> {
        let factors = match self.node(term) {
            Node::Mul(factors) => factors.to_vec(),
            _ => vec![term],
        };
        let mut ratio = Vec::with_capacity(factors.len());
        for factor in factors {
            if !self.contains(factor, name) {
                continue;
            }
            let Node::Pow(base, exponent) = *self.node(factor) else {
                return Err(Stop::Unsupported("an infinite sum"));
            };
            let slope = self.derivative(exponent, name)?;
            if self.contains(base, name) || self.contains(slope, name) {
                return Err(Stop::Unsupported("an infinite sum"));
            }
            ratio.push(self.pow(base, slope)?);
        }
        self.mul(&ratio)
    }

    /// A product as (what does not contain the symbol, the rest).
    pub(super) fn split_constant(&mut self, id: Id, name: &str) -> Step<(Id, Id)> {
        let Node::Mul(factors) = self.node(id) else {
            return Ok(if self.contains(id, name) {
                (Self::ONE, id)
            } else {
                (id, Self::ONE)
            });
        };
        let (with, without): (Vec<Id>, Vec<Id>) = factors
            .clone()
            .iter()
            .partition(|&&factor| self.contains(factor, name));
        Ok((self.mul(&without)?, self.mul(&with)?))
    }

    fn build_derivative(&mut self, variable: &str, order: Option<Bound>, body: &Expr) -> Step<Id> {
        let order = match order {
            None => 1,
            Some(Bound::At(order)) => match self.small(order) {
                Some(order @ 0..=MAX_ORDER) => order,
                _ => return Err(Stop::Unsupported("a derivative of that order")),
            },
            Some(_) => return Err(Stop::Unsupported("a derivative of that order")),
        };
        let fresh = fresh_name(variable);
        let symbol = self.intern(Node::Symbol(fresh.clone()))?;
        let mut result = self.bound(variable, symbol, |arena| arena.build_scalar(body))?;
        for _ in 0..order {
            result = self.derivative(result, &fresh)?;
        }
        let outer = self.symbol(variable)?;
        self.substitute(result, &fresh, outer)
    }

    fn build_integral(
        &mut self,
        variable: &str,
        lower: Option<Bound>,
        upper: Option<Bound>,
        body: &Expr,
    ) -> Step<Id> {
        let fresh = fresh_name(variable);
        let symbol = self.intern(Node::Symbol(fresh.clone()))?;
        let body = self.bound(variable, symbol, |arena| arena.build_scalar(body))?;
        match (lower, upper) {
            (Some(from), Some(to)) => self.definite_integral(body, &fresh, from, to),
            (None, None) => {
                let primitive = self.antiderivative(body, &fresh)?;
                let outer = self.symbol(variable)?;
                self.substitute(primitive, &fresh, outer)
            }
            _ => Err(Stop::Unsupported("an integral with one bound")),
        }
    }

    /// The value or the limit of `id` where the symbol goes to `bound`.
    pub(super) fn value_at(&mut self, id: Id, name: &str, bound: Bound) -> Step<Id> {
        if let Bound::At(at) = bound {
            match self.substitute(id, name, at) {
                Err(Stop::Undefined(_)) => {}
                other => return other,
            }
        }
        self.limit(id, name, bound)
    }

    /// `|x|` and other pieces whose integral over an interval needs to be cut.
    pub(super) fn has_pieces(&self, id: Id, name: &str) -> bool {
        self.contains(id, name)
            && match self.node(id) {
                Node::Call(
                    Function::Abs | Function::Floor | Function::Ceil | Function::Sign,
                    _,
                ) => true,
                Node::Call(_, parts)
                | Node::Add(parts)
                | Node::Mul(parts)
                | Node::Apply(_, parts) => parts.iter().any(|&part| self.has_pieces(part, name)),
                Node::Pow(base, exponent) => {
                    self.has_pieces(*base, name) || self.has_pieces(*exponent, name)
                }
                _ => false,
            }
    }
}

/// A name no parser produces.
fn fresh_name(variable: &str) -> Box<str> {
    format!("\u{1}{variable}").into()
}

/// At least the degree of a polynomial in all its symbols; `None` for anything else.
fn degree_bound(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Number(_) | Expr::Constant(_) => Some(0),
        Expr::Symbol(_) => Some(1),
        Expr::Add(parts) => parts
            .iter()
            .map(degree_bound)
            .try_fold(0, |most, degree| Some(most.max(degree?))),
        Expr::Mul(parts) => parts
            .iter()
            .map(degree_bound)
            .try_fold(0, |sum: usize, degree| sum.checked_add(degree?)),
        Expr::Neg(inner) => degree_bound(inner),
        Expr::Div(top, bottom) => (degree_bound(bottom)? == 0).then(|| degree_bound(top))?,
        Expr::Pow(base, exponent) => match &**exponent {
            Expr::Number(number) => {
                degree_bound(base)?.checked_mul(usize::try_from(exact::small(&number.value)?).ok()?)
            }
            _ => None,
        },
        _ => None,
    }
}
