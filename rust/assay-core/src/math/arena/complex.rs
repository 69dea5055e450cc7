//! Complex numbers with known parts.

use dashu::rational::RBig;

use super::{Arena, Id, Node};
use crate::math::ast::{Constant, Function};
use crate::math::exact;
use crate::math::fuel::{Step, Stop};

impl Arena {
    /// The parts of a Gaussian rational that is not real.
    pub(super) fn gaussian(&self, id: Id) -> Option<(RBig, RBig)> {
        let imaginary = |id: Id| match self.node(id) {
            Node::Constant(Constant::I) => Some(RBig::ONE),
            Node::Mul(factors) => match factors[..] {
                [number, Self::I] => self.number(number).cloned(),
                _ => None,
            },
            _ => None,
        };
        match self.node(id) {
            Node::Add(terms) => match terms[..] {
                [first, second] => Some((self.number(second)?.clone(), imaginary(first)?)),
                _ => None,
            },
            _ => Some((RBig::ZERO, imaginary(id)?)),
        }
    }

    fn from_gaussian(&mut self, re: RBig, im: RBig) -> Step<Id> {
        let (re, im) = (self.rational(re)?, self.rational(im)?);
        let im = self.mul(&[im, Self::I])?;
        self.add(&[re, im])
    }

    /// `(re + im i)^count`; `None` when it would be too long.
    pub(super) fn gaussian_power(&mut self, re: RBig, im: RBig, count: i64) -> Step<Option<Id>> {
        let length = exact::bits(&re).max(exact::bits(&im)).max(1) as u64 + 1;
        if length.saturating_mul(count.unsigned_abs()) > exact::MAX_BITS as u64 / 8 {
            return Ok(None);
        }
        let fuel = &self.fuel;
        let mut result = (RBig::ONE, RBig::ZERO);
        let mut square = (re, im);
        let mut left = count.unsigned_abs();
        while left > 0 {
            if left & 1 == 1 {
                result = gaussian_product(&result, &square, fuel)?;
            }
            left >>= 1;
            if left > 0 {
                square = gaussian_product(&square, &square, fuel)?;
            }
        }
        if count < 0 {
            let (re, im) = result;
            let norm = exact::add(
                &exact::mul(&re, &re, fuel)?,
                &exact::mul(&im, &im, fuel)?,
                fuel,
            )?;
            result = (
                exact::div(&re, &norm, fuel)?,
                exact::div(&-im, &norm, fuel)?,
            );
        }
        self.from_gaussian(result.0, result.1).map(Some)
    }

    /// Whether the node is real for every real value of its symbols, as far as its form tells.
    fn is_real(&self, id: Id) -> bool {
        if self.facts(id).imaginary {
            return false;
        }
        match self.node(id) {
            Node::Number(_) | Node::Constant(_) | Node::Symbol(_) => true,
            Node::Add(parts) | Node::Mul(parts) => parts.iter().all(|&part| self.is_real(part)),
            Node::Pow(base, exponent) => {
                let whole = self
                    .number(*exponent)
                    .is_some_and(|value| exact::integer(value).is_some());
                let positive = matches!(self.node(*base), Node::Constant(_))
                    || self
                        .number(*base)
                        .is_some_and(|value| !exact::is_negative(value));
                self.is_real(*base) && (whole || positive && self.is_real(*exponent))
            }
            Node::Call(function, arguments) => {
                let positive = || {
                    self.number(arguments[0])
                        .is_some_and(|value| !exact::is_negative(value))
                };
                let total = matches!(
                    function,
                    Function::Sin | Function::Cos | Function::Arctan | Function::Abs
                );
                arguments.iter().all(|&argument| self.is_real(argument))
                    && (total || *function == Function::Ln && positive())
            }
            Node::Apply(..) => false,
        }
    }

    /// Real and imaginary part, where the form tells them; symbols count as real.
    pub(super) fn parts(&mut self, id: Id) -> Step<Option<(Id, Id)>> {
        if self.is_real(id) {
            return Ok(Some((id, Self::ZERO)));
        }
        match self.node(id).clone() {
            Node::Constant(Constant::I) => Ok(Some((Self::ZERO, Self::ONE))),
            Node::Add(terms) => {
                let (mut re, mut im) = (Vec::new(), Vec::new());
                for &term in &terms {
                    let Some((a, b)) = self.parts(term)? else {
                        return Ok(None);
                    };
                    re.push(a);
                    im.push(b);
                }
                Ok(Some((self.add(&re)?, self.add(&im)?)))
            }
            Node::Mul(factors) => {
                let mut product = (Self::ONE, Self::ZERO);
                for &factor in &factors {
                    let Some(part) = self.parts(factor)? else {
                        return Ok(None);
                    };
                    product = self.complex_product(product, part)?;
                }
                Ok(Some(product))
            }
            Node::Pow(base, exponent) => self.parts_of_power(base, exponent),
            _ => Ok(None),
        }
    }

    fn parts_of_power(&mut self, base: Id, exponent: Id) -> Step<Option<(Id, Id)>> {
        if base == Self::E {
            let Some((re, im)) = self.parts(exponent)? else {
                return Ok(None);
            };
            let (length, cos, sin) = (self.exp(re)?, self.cos(im)?, self.sin(im)?);
            return Ok(Some((self.mul(&[length, cos])?, self.mul(&[length, sin])?)));
        }
        let Some(count @ -8..=8) = self.small(exponent) else {
            return Ok(None);
        };
        let Some(part) = self.parts(base)? else {
            return Ok(None);
        };
        let mut product = (Self::ONE, Self::ZERO);
        for _ in 0..count.unsigned_abs() {
            product = self.complex_product(product, part)?;
        }
        if count < 0 {
            let norm = self.squared_modulus(product)?;
            let im = self.neg(product.1)?;
            product = (self.div(product.0, norm)?, self.div(im, norm)?);
        }
        Ok(Some(product))
    }

    fn complex_product(&mut self, a: (Id, Id), b: (Id, Id)) -> Step<(Id, Id)> {
        let (rr, ii) = (self.mul(&[a.0, b.0])?, self.mul(&[a.1, b.1])?);
        let (ri, ir) = (self.mul(&[a.0, b.1])?, self.mul(&[a.1, b.0])?);
        Ok((self.sub(rr, ii)?, self.add(&[ri, ir])?))
    }

    fn squared_modulus(&mut self, parts: (Id, Id)) -> Step<Id> {
        let (re, im) = (
            self.mul(&[parts.0, parts.0])?,
            self.mul(&[parts.1, parts.1])?,
        );
        self.add(&[re, im])
    }

    /// The modulus: `sqrt(re^2 + im^2)` where the parts are known and the number is not real.
    pub(crate) fn modulus(&mut self, id: Id) -> Step<Id> {
        match self.node(id).clone() {
            Node::Number(value) => self.rational(if exact::is_negative(&value) {
                -value
            } else {
                value
            }),
            Node::Constant(_) => Ok(if id == Self::I { Self::ONE } else { id }),
            Node::Mul(factors) => {
                // |a b| = |a| |b|, so numbers and constants leave the bars.
                let (out, kept): (Vec<Id>, Vec<Id>) = factors.iter().partition(|&&factor| {
                    matches!(self.node(factor), Node::Number(_) | Node::Constant(_))
                });
                if out.is_empty() {
                    return self.modulus_by_parts(id);
                }
                let mut parts = Vec::with_capacity(out.len() + 1);
                for factor in out {
                    parts.push(self.modulus(factor)?);
                }
                let kept = self.mul(&kept)?;
                parts.push(self.modulus(kept)?);
                self.mul(&parts)
            }
            // |a^n| = |a|^n for whole n.
            Node::Pow(base, exponent)
                if self.facts(base).imaginary && self.small(exponent).is_some() =>
            {
                let modulus = self.modulus(base)?;
                self.pow(modulus, exponent)
            }
            _ => self.modulus_by_parts(id),
        }
    }

    fn modulus_by_parts(&mut self, id: Id) -> Step<Id> {
        if let Node::Pow(base, _) = self.node(id)
            && self
                .number(*base)
                .is_some_and(|value| !exact::is_negative(value))
            && self.is_real(id)
        {
            return Ok(id);
        }
        if self.facts(id).imaginary
            && let Some(parts) = self.parts(id)?
        {
            let norm = self.squared_modulus(parts)?;
            return self.sqrt(norm);
        }
        // |x| = |-x|: one sign stands for both.
        let opposite = self.neg(id)?;
        self.call_node(Function::Abs, id.min(opposite))
    }

    pub(super) fn conjugate(&mut self, id: Id) -> Step<Id> {
        match self.parts(id)? {
            Some((re, im)) => {
                let im = self.mul(&[Self::MINUS_ONE, im, Self::I])?;
                self.add(&[re, im])
            }
            None => self.call_node(Function::Conjugate, id),
        }
    }

    /// `Re` or `Im`.
    pub(super) fn part(&mut self, function: Function, id: Id) -> Step<Id> {
        match (self.parts(id)?, function) {
            (Some((re, _)), Function::Re) => Ok(re),
            (Some((_, im)), Function::Im) => Ok(im),
            (None, Function::Re | Function::Im) => self.call_node(function, id),
            _ => Err(Stop::Unsupported("not a part of a complex number")),
        }
    }
}

fn gaussian_product(
    a: &(RBig, RBig),
    b: &(RBig, RBig),
    fuel: &crate::math::fuel::Fuel,
) -> Step<(RBig, RBig)> {
    let re = exact::add(
        &exact::mul(&a.0, &b.0, fuel)?,
        &-exact::mul(&a.1, &b.1, fuel)?,
        fuel,
    )?;
    let im = exact::add(
        &exact::mul(&a.0, &b.1, fuel)?,
        &exact::mul(&a.1, &b.0, fuel)?,
        fuel,
    )?;
    Ok((re, im))
}
