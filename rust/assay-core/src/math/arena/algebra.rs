//! Sums and products in one form.

use dashu::rational::RBig;

use super::{Arena, Id, Node};
use crate::math::ast::{Constant, Function};
use crate::math::exact;
use crate::math::fuel::Step;

impl Arena {
    pub(crate) fn neg(&mut self, id: Id) -> Step<Id> {
        self.mul(&[Self::MINUS_ONE, id])
    }

    pub(crate) fn sub(&mut self, a: Id, b: Id) -> Step<Id> {
        let b = self.neg(b)?;
        self.add(&[a, b])
    }

    pub(crate) fn div(&mut self, a: Id, b: Id) -> Step<Id> {
        let inverse = self.pow(b, Self::MINUS_ONE)?;
        self.mul(&[a, inverse])
    }

    /// The sum: flat, like terms joined, the number last.
    pub(crate) fn add(&mut self, terms: &[Id]) -> Step<Id> {
        let mut number = RBig::ZERO;
        // (what is left of a term without its coefficient, the coefficient)
        let mut rest: Vec<(Id, RBig)> = Vec::with_capacity(terms.len());
        for &term in terms {
            match self.node(term) {
                Node::Add(inner) => {
                    for part in inner.clone() {
                        self.collect_term(part, &mut number, &mut rest)?;
                    }
                }
                _ => self.collect_term(term, &mut number, &mut rest)?,
            }
        }
        rest.sort_by_key(|(id, _)| *id);
        let mut parts = Vec::with_capacity(rest.len() + 1);
        let mut pending = rest.into_iter().peekable();
        while let Some((id, mut coefficient)) = pending.next() {
            while let Some((_, more)) = pending.next_if(|(other, _)| *other == id) {
                coefficient = exact::add(&coefficient, &more, &self.fuel)?;
            }
            if !coefficient.is_zero() {
                parts.push(self.scaled(coefficient, id)?);
            }
        }
        parts.sort_unstable();
        if !number.is_zero() {
            parts.push(self.rational(number)?);
        }
        match parts[..] {
            [] => Ok(Self::ZERO),
            [one] => Ok(one),
            _ => self.intern(Node::Add(parts.into())),
        }
    }

    fn collect_term(
        &mut self,
        term: Id,
        number: &mut RBig,
        rest: &mut Vec<(Id, RBig)>,
    ) -> Step<()> {
        self.fuel.spend(2)?;
        if let Node::Number(value) = self.node(term) {
            *number = exact::add(number, value, &self.fuel)?;
            return Ok(());
        }
        let (coefficient, id) = self.split_coefficient(term)?;
        rest.push((id, coefficient));
        Ok(())
    }

    /// A term as a number times the rest.
    pub(crate) fn split_coefficient(&mut self, term: Id) -> Step<(RBig, Id)> {
        let Node::Mul(factors) = self.node(term) else {
            return Ok((RBig::ONE, term));
        };
        let Some(Node::Number(coefficient)) = factors.first().map(|&first| self.node(first)) else {
            return Ok((RBig::ONE, term));
        };
        let (coefficient, rest) = (coefficient.clone(), factors[1..].to_vec());
        let id = match rest[..] {
            [one] => one,
            _ => self.intern(Node::Mul(rest.into()))?,
        };
        Ok((coefficient, id))
    }

    /// A number times something that carries no number of its own.
    fn scaled(&mut self, coefficient: RBig, id: Id) -> Step<Id> {
        if coefficient.is_one() {
            return Ok(id);
        }
        let number = self.rational(coefficient)?;
        let factors = match self.node(id) {
            Node::Mul(factors) => [&[number], &factors[..]].concat(),
            _ => vec![number, id],
        };
        self.intern(Node::Mul(factors.into()))
    }

    /// The product: flat, powers of one base joined, the number first and spread over a lone sum.
    pub(crate) fn mul(&mut self, factors: &[Id]) -> Step<Id> {
        let mut number = RBig::ONE;
        let mut powers: Vec<(Id, Id)> = Vec::with_capacity(factors.len());
        for &factor in factors {
            self.collect_factor(factor, &mut number, &mut powers)?;
        }
        if number.is_zero() {
            return Ok(Self::ZERO);
        }
        self.join_powers(&mut number, &mut powers)?;
        let mut parts = Vec::with_capacity(powers.len() + 1);
        for (base, exponent) in powers {
            parts.push(if exponent == Self::ONE {
                base
            } else {
                self.intern(Node::Pow(base, exponent))?
            });
        }
        parts.sort_unstable();
        self.finish_product(number, parts)
    }

    fn finish_product(&mut self, number: RBig, mut parts: Vec<Id>) -> Step<Id> {
        if parts.is_empty() {
            return self.rational(number);
        }
        if number.is_one() {
            return match parts[..] {
                [one] => Ok(one),
                _ => self.intern(Node::Mul(parts.into())),
            };
        }
        if let [one] = parts[..]
            && let Node::Add(terms) = self.node(one)
        {
            let terms = terms.clone();
            let number = self.rational(number)?;
            let mut scaled = Vec::with_capacity(terms.len());
            for &term in &terms {
                scaled.push(self.mul(&[number, term])?);
            }
            return self.add(&scaled);
        }
        let number = self.rational(number)?;
        parts.insert(0, number);
        self.intern(Node::Mul(parts.into()))
    }

    fn collect_factor(
        &mut self,
        factor: Id,
        number: &mut RBig,
        powers: &mut Vec<(Id, Id)>,
    ) -> Step<()> {
        self.fuel.spend(2)?;
        match self.node(factor) {
            Node::Number(value) => *number = exact::mul(number, value, &self.fuel)?,
            Node::Mul(inner) => {
                for part in inner.clone() {
                    self.collect_factor(part, number, powers)?;
                }
            }
            Node::Pow(base, exponent) => powers.push((*base, *exponent)),
            _ => powers.push((factor, Self::ONE)),
        }
        Ok(())
    }

    /// Joins powers of one base until no base stands twice.
    fn join_powers(&mut self, number: &mut RBig, powers: &mut Vec<(Id, Id)>) -> Step<()> {
        loop {
            powers.sort_unstable();
            let Some(at) = (1..powers.len()).find(|&at| {
                powers[at].0 == powers[at - 1].0
                    && self.may_join(powers[at].0, powers[at - 1].1, powers[at].1)
            }) else {
                return self.absorb(number, powers);
            };
            let (base, first) = powers[at - 1];
            let (_, second) = powers.remove(at);
            powers.remove(at - 1);
            let exponent = self.add(&[first, second])?;
            let joined = if exponent == Self::ZERO {
                Self::ONE
            } else {
                self.pow(base, exponent)?
            };
            self.collect_factor(joined, number, powers)?;
        }
    }

    /// Whether `base^a base^b` may be written `base^(a+b)`: not if that would hide a division by a constant
    /// that only a closer look can tell from zero.
    fn may_join(&self, base: Id, a: Id, b: Id) -> bool {
        let negative = |id: Id| self.number(id).is_none_or(exact::is_negative);
        !(negative(a) || negative(b)) || self.facts(base).symbolic || self.is_nonzero(base)
    }

    /// Whether a constant is known not to be zero from its form.
    pub(crate) fn is_nonzero(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Number(value) => !value.is_zero(),
            Node::Constant(constant) => *constant != Constant::Infinity,
            Node::Pow(base, _) => self.is_nonzero(*base),
            Node::Mul(factors) => factors.iter().all(|&factor| self.is_nonzero(factor)),
            // ln 1 is folded to zero, as are the zeros of the sine at rational multiples of pi.
            Node::Call(Function::Ln, arguments) => arguments
                .first()
                .and_then(|&id| self.number(id))
                .is_some_and(|value| !value.is_zero()),
            Node::Call(Function::Factorial, _) => true,
            Node::Call(Function::Sin, arguments) => arguments
                .first()
                .is_some_and(|&angle| self.multiple_of_pi(angle).is_some()),
            _ => false,
        }
    }

    /// `2 * 2^(10^9)`: the number gives its share to a power too large to write out.
    fn absorb(&mut self, number: &mut RBig, powers: &mut [(Id, Id)]) -> Step<()> {
        for (base, exponent) in powers {
            let (Node::Number(prime), Node::Number(count)) =
                (self.node(*base), self.node(*exponent))
            else {
                continue;
            };
            let (Some(prime), Some(_)) = (exact::integer(prime), exact::integer(count)) else {
                continue;
            };
            let prime = exact::magnitude(prime);
            if prime.is_zero() || prime.is_one() {
                continue;
            }
            self.fuel
                .spend_product(exact::bits(number), exact::bits(number))?;
            let (top, mut bottom) = std::mem::take(number).into_parts();
            let (sign, mut top) = top.into_parts();
            let gained = top.remove(&prime).unwrap_or(0) as i64;
            let lost = bottom.remove(&prime).unwrap_or(0) as i64;
            *number = RBig::from_parts(dashu::integer::IBig::from_parts(sign, top), bottom);
            if gained != lost {
                let shift = self.integer(gained - lost)?;
                *exponent = self.add(&[*exponent, shift])?;
            }
        }
        Ok(())
    }
}
