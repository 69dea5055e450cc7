//! Powers and roots in one form.

use dashu::base::{BitTest as _, Signed as _};
use dashu::integer::IBig;
use dashu::rational::RBig;

use super::build::Roots;
use super::{Arena, Id, Node};
use crate::math::ast::{Constant, Function};
use crate::math::exact;
use crate::math::fuel::{Step, Stop};

/// Sums up to this power are multiplied out when they are constant.
const MAX_EXPANSION: i64 = 4;

impl Arena {
    pub(crate) fn sqrt(&mut self, id: Id) -> Step<Id> {
        self.pow(id, Self::HALF)
    }

    pub(crate) fn exp(&mut self, id: Id) -> Step<Id> {
        self.pow(Self::E, id)
    }

    /// `base^exponent`. Roots of negative numbers follow [`Roots`].
    pub(crate) fn pow(&mut self, base: Id, exponent: Id) -> Step<Id> {
        self.fuel.spend(4)?;
        if exponent == Self::ONE {
            return Ok(base);
        }
        if base == Self::ONE {
            return Ok(Self::ONE);
        }
        if let Some(value) = self.number(exponent) {
            let value = value.clone();
            return match exact::integer(&value) {
                Some(integer) => self.integer_power(base, exponent, integer),
                None => self.fractional_power(base, exponent, &value),
            };
        }
        match self.node(base) {
            Node::Number(value) => {
                let value = value.clone();
                self.number_to_symbolic(&value, base, exponent)
            }
            Node::Constant(Constant::E) => self.exp_of(exponent),
            // (a^b)^c is a^(b c) for every c when a > 0 and b is real.
            Node::Pow(inner, first)
                if self.is_positive_number(*inner) && self.number(*first).is_some() =>
            {
                let (inner, first) = (*inner, *first);
                let product = self.mul(&[first, exponent])?;
                self.pow(inner, product)
            }
            _ => self.intern(Node::Pow(base, exponent)),
        }
    }

    fn is_positive_number(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Number(value) => value.is_positive() && !value.is_zero(),
            Node::Constant(constant) => matches!(constant, Constant::Pi | Constant::E),
            _ => false,
        }
    }

    /// `e^x`, where a logarithm in `x` cancels.
    fn exp_of(&mut self, exponent: Id) -> Step<Id> {
        let (coefficient, rest) = self.split_coefficient(exponent)?;
        if let Node::Call(Function::Ln, arguments) = self.node(rest) {
            let argument = arguments[0];
            let coefficient = self.rational(coefficient)?;
            return self.pow(argument, coefficient);
        }
        // e^(i pi q) is a point on the unit circle that the sine table may know.
        if let Some(turn) = self.imaginary_multiple_of_pi(exponent)? {
            let angle = self.rational(turn)?;
            let angle = self.mul(&[angle, Self::PI])?;
            let (cos, sin) = (self.cos(angle)?, self.sin(angle)?);
            let imaginary = self.mul(&[Self::I, sin])?;
            return self.add(&[cos, imaginary]);
        }
        self.intern(Node::Pow(Self::E, exponent))
    }

    /// A rational to a power that is no number: `4^x` is `2^(2x)`.
    fn number_to_symbolic(&mut self, value: &RBig, base: Id, exponent: Id) -> Step<Id> {
        if value.is_zero() || value.is_negative() {
            return self.intern(Node::Pow(base, exponent));
        }
        // b^(log_b y) = y
        if let Some(argument) = self.logarithm_of(base, exponent)? {
            return Ok(argument);
        }
        let factors = self.prime_factors(value)?;
        if let [(prime, 1)] = &factors[..]
            && *prime == *value
        {
            return self.intern(Node::Pow(base, exponent));
        }
        let mut parts = Vec::with_capacity(factors.len());
        for (prime, count) in factors {
            let (prime, count) = (self.rational(prime)?, self.integer(count)?);
            let count = self.mul(&[count, exponent])?;
            parts.push(self.pow(prime, count)?);
        }
        self.mul(&parts)
    }

    /// `y` when `exponent` is `ln(y) / ln(base)`.
    fn logarithm_of(&mut self, base: Id, exponent: Id) -> Step<Option<Id>> {
        let Node::Mul(factors) = self.node(exponent) else {
            return Ok(None);
        };
        let logarithm = factors.iter().find_map(|&factor| match self.node(factor) {
            Node::Call(Function::Ln, arguments) => Some((factor, arguments[0])),
            _ => None,
        });
        let Some((logarithm, argument)) = logarithm else {
            return Ok(None);
        };
        let of_base = self.ln(base)?;
        let quotient = self.div(logarithm, of_base)?;
        Ok((quotient == exponent).then_some(argument))
    }

    /// The prime powers of a positive rational, those of the denominator with negative exponents.
    fn prime_factors(&self, value: &RBig) -> Step<Vec<(RBig, i64)>> {
        let mut factors = Vec::new();
        let sides = [
            (exact::magnitude(value.numerator()), 1),
            (value.denominator().clone(), -1),
        ];
        for (side, sign) in sides {
            for (prime, count) in exact::factor::factor(&side, &self.fuel)? {
                factors.push((RBig::from(prime), sign * count as i64));
            }
        }
        Ok(factors)
    }

    fn integer_power(&mut self, base: Id, exponent: Id, count: &IBig) -> Step<Id> {
        let small = i64::try_from(count).ok();
        match self.node(base).clone() {
            Node::Number(value) => {
                if let Some(small) = small
                    && let Some(power) = exact::power(&value, small, &self.fuel)?
                {
                    return self.rational(power);
                }
                self.huge_power(&value, count)
            }
            _ if small == Some(0) => {
                // A constant that may be zero keeps its power, so that 0^0 is not taken for 1.
                if self.facts(base).symbolic || self.is_nonzero(base) {
                    Ok(Self::ONE)
                } else {
                    self.intern(Node::Pow(base, exponent))
                }
            }
            Node::Constant(Constant::I) => self.power_of_i(count),
            Node::Mul(factors) => {
                let mut parts = Vec::with_capacity(factors.len());
                for &factor in &factors {
                    parts.push(self.pow(factor, exponent)?);
                }
                self.mul(&parts)
            }
            Node::Pow(inner, first) => {
                let product = self.mul(&[first, exponent])?;
                self.pow(inner, product)
            }
            Node::Add(_) => self.power_of_sum(base, exponent, small),
            _ => self.intern(Node::Pow(base, exponent)),
        }
    }

    /// Gaussian numbers and small powers of constant sums are multiplied out; the rest stays.
    fn power_of_sum(&mut self, base: Id, exponent: Id, small: Option<i64>) -> Step<Id> {
        if let Some((re, im)) = self.gaussian(base)
            && let Some(small) = small
            && let Some(power) = self.gaussian_power(re, im, small)?
        {
            return Ok(power);
        }
        let facts = self.facts(base);
        match small {
            Some(count @ 2..=MAX_EXPANSION) if !facts.symbolic => {
                let Node::Add(terms) = self.node(base).clone() else {
                    return self.intern(Node::Pow(base, exponent));
                };
                if terms.len() > 3 {
                    return self.intern(Node::Pow(base, exponent));
                }
                let mut power = terms.to_vec();
                for _ in 1..count {
                    power = self.distribute(&power, &terms)?;
                }
                Ok(power.first().copied().unwrap_or(Self::ZERO))
            }
            _ => self.intern(Node::Pow(base, exponent)),
        }
    }

    /// The terms of a product of two sums, joined into one node (alone in the vector).
    fn distribute(&mut self, left: &[Id], right: &[Id]) -> Step<Vec<Id>> {
        let left: Vec<Id> = match left {
            [one] => match self.node(*one) {
                Node::Add(terms) => terms.to_vec(),
                _ => vec![*one],
            },
            many => many.to_vec(),
        };
        let mut products = Vec::with_capacity(left.len() * right.len());
        for &a in &left {
            for &b in right {
                products.push(self.mul(&[a, b])?);
            }
        }
        Ok(vec![self.add(&products)?])
    }

    fn power_of_i(&mut self, count: &IBig) -> Step<Id> {
        let turn = ((count % 4i32) + 4) % 4;
        match turn {
            0 => Ok(Self::ONE),
            1 => Ok(Self::I),
            2 => Ok(Self::MINUS_ONE),
            _ => self.neg(Self::I),
        }
    }

    /// A power too long to write out, as a product of powers of primes.
    fn huge_power(&mut self, value: &RBig, count: &IBig) -> Step<Id> {
        if bits_beyond(count) {
            return Err(Stop::Fuel);
        }
        let negative = value.is_negative() && !(count % 2u8).eq(&0);
        let mut parts = Vec::new();
        for (prime, times) in self.prime_factors(value)? {
            let exponent = self.rational(RBig::from(count * times))?;
            let prime = self.rational(prime)?;
            parts.push(self.intern(Node::Pow(prime, exponent))?);
        }
        if negative {
            parts.push(Self::MINUS_ONE);
        }
        self.mul(&parts)
    }

    fn fractional_power(&mut self, base: Id, exponent: Id, value: &RBig) -> Step<Id> {
        match self.node(base).clone() {
            Node::Number(number) => self.root_of_number(&number, exponent, value),
            Node::Constant(Constant::E) => self.exp_of(exponent),
            Node::Pow(inner, first)
                if self.is_positive_number(inner) && self.number(first).is_some() =>
            {
                let product = self.mul(&[first, exponent])?;
                self.pow(inner, product)
            }
            Node::Mul(factors) => {
                // Positive numbers leave the root; signs and symbols stay under it.
                let (out, kept): (Vec<Id>, Vec<Id>) = factors
                    .iter()
                    .partition(|&&factor| self.is_positive_power(factor));
                let negative = factors
                    .first()
                    .and_then(|&id| self.number(id))
                    .filter(|n| n.is_negative());
                let magnitude = negative
                    .map(|number| -number.clone())
                    .filter(|magnitude| !magnitude.is_one());
                if out.is_empty() && magnitude.is_none() {
                    return self.root_of_product(base, exponent, value);
                }
                let mut parts = Vec::with_capacity(out.len() + 2);
                let mut inside = kept;
                if let Some(magnitude) = magnitude {
                    inside[0] = Self::MINUS_ONE;
                    let magnitude = self.rational(magnitude)?;
                    parts.push(self.pow(magnitude, exponent)?);
                }
                for factor in out {
                    parts.push(self.pow(factor, exponent)?);
                }
                let inside = self.mul(&inside)?;
                parts.push(self.pow(inside, exponent)?);
                self.mul(&parts)
            }
            _ => self.intern(Node::Pow(base, exponent)),
        }
    }

    fn is_positive_power(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Pow(base, exponent) => {
                self.is_positive_number(*base) && self.number(*exponent).is_some()
            }
            _ => self.is_positive_number(id),
        }
    }

    /// `(-x)^(p/q)` with `q` odd is `(-1)^p x^(p/q)` where roots are real.
    fn root_of_product(&mut self, base: Id, exponent: Id, value: &RBig) -> Step<Id> {
        let odd = value.denominator().bit(0);
        let Node::Mul(factors) = self.node(base) else {
            return self.intern(Node::Pow(base, exponent));
        };
        if !(odd && self.roots == Roots::Real && factors[0] == Self::MINUS_ONE)
            || self.facts(base).imaginary
        {
            return self.intern(Node::Pow(base, exponent));
        }
        let rest = factors[1..].to_vec();
        let inside = self.mul(&rest)?;
        let root = self.pow(inside, exponent)?;
        if value.numerator().bit(0) {
            self.neg(root)
        } else {
            Ok(root)
        }
    }

    /// A rational to a fractional power: integers come out of the root, primes stay under it.
    fn root_of_number(&mut self, number: &RBig, exponent: Id, value: &RBig) -> Step<Id> {
        if number.is_zero() {
            return if value.is_negative() {
                Err(Stop::Undefined("a division by zero"))
            } else {
                Ok(Self::ZERO)
            };
        }
        let mut parts = Vec::new();
        if number.is_negative() {
            parts.push(self.root_of_minus_one(exponent, value)?);
        }
        let magnitude = if number.is_negative() {
            -number.clone()
        } else {
            number.clone()
        };
        for (prime, times) in self.prime_factors(&magnitude)? {
            let power = exact::mul(value, &RBig::from(times), &self.fuel)?;
            let whole = power.floor();
            let prime_id = self.rational(prime.clone())?;
            let written = match i64::try_from(&whole) {
                Ok(count) => exact::power(&prime, count, &self.fuel)?,
                Err(_) => None,
            };
            // Too long to write out: the power stays in one piece.
            let Some(written) = written else {
                let power = self.rational(power)?;
                parts.push(self.intern(Node::Pow(prime_id, power))?);
                continue;
            };
            parts.push(self.rational(written)?);
            let fraction = exact::add(&power, &-RBig::from(whole), &self.fuel)?;
            if !fraction.is_zero() {
                let fraction = self.rational(fraction)?;
                parts.push(self.intern(Node::Pow(prime_id, fraction))?);
            }
        }
        self.mul(&parts)
    }

    /// `(-1)^(p/q)`: real for odd `q` where roots are real, else the principal value.
    fn root_of_minus_one(&mut self, exponent: Id, value: &RBig) -> Step<Id> {
        if value.denominator().bit(0) && self.roots == Roots::Real {
            let odd = value.numerator().bit(0);
            return Ok(if odd { Self::MINUS_ONE } else { Self::ONE });
        }
        let angle = self.mul(&[exponent, Self::PI])?;
        let turn = self.mul(&[Self::I, angle])?;
        self.exp_of(turn)
    }
}

/// An exponent so long that not even its products are worth having.
fn bits_beyond(count: &IBig) -> bool {
    exact::magnitude(count).bit_len() > exact::MAX_BITS
}
