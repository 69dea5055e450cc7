//! Logarithms, sines and their kin: exact where the argument allows, reduced to few functions otherwise.

use dashu::base::Signed as _;
use dashu::integer::UBig;
use dashu::rational::RBig;

use super::{Arena, Id, Node};
use crate::math::ast::{Constant, Function};
use crate::math::exact;
use crate::math::fuel::{Step, Stop};

/// `q` with a sine of `q pi` written with square roots, as (numerator, denominator).
const KNOWN_TURNS: [(i64, u32); 9] = [
    (0, 1),
    (1, 6),
    (1, 4),
    (1, 3),
    (1, 2),
    (1, 12),
    (5, 12),
    (1, 10),
    (3, 10),
];

impl Arena {
    /// `q` when the node is `q pi`, `q` rational.
    pub(crate) fn multiple_of_pi(&self, id: Id) -> Option<RBig> {
        match self.node(id) {
            Node::Number(value) if value.is_zero() => Some(RBig::ZERO),
            Node::Constant(Constant::Pi) => Some(RBig::ONE),
            Node::Mul(factors) => match factors[..] {
                [number, Self::PI] => self.number(number).cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    /// `q` when the node is `q pi i`, `q` rational.
    pub(super) fn imaginary_multiple_of_pi(&self, id: Id) -> Step<Option<RBig>> {
        self.fuel.spend(1)?;
        Ok(match self.node(id) {
            Node::Mul(factors) => match factors[..] {
                [Self::PI, Self::I] => Some(RBig::ONE),
                [number, Self::PI, Self::I] => self.number(number).cloned(),
                _ => None,
            },
            _ => None,
        })
    }

    /// The natural logarithm; of a rational, by its prime factors.
    pub(crate) fn ln(&mut self, id: Id) -> Step<Id> {
        match self.node(id).clone() {
            Node::Number(value) => self.ln_of_number(&value),
            Node::Constant(Constant::E) => Ok(Self::ONE),
            Node::Pow(base, exponent)
                if self.facts(exponent).bits > 0 || exponent == Self::HALF =>
            {
                // ln(b^q) = q ln b for positive b and rational q; ln(e^q) = q for any real number q.
                let positive =
                    matches!(self.node(base), Node::Constant(Constant::E | Constant::Pi))
                        || self
                            .number(base)
                            .is_some_and(|value| value.is_positive() && !value.is_zero());
                if positive && self.number(exponent).is_some() {
                    let logarithm = self.ln(base)?;
                    return self.mul(&[exponent, logarithm]);
                }
                self.call_node(Function::Ln, id)
            }
            Node::Mul(factors)
                if factors
                    .iter()
                    .all(|&factor| self.is_positive_constant(factor)) =>
            {
                let mut terms = Vec::with_capacity(factors.len());
                for &factor in &factors {
                    terms.push(self.ln(factor)?);
                }
                self.add(&terms)
            }
            _ => self.call_node(Function::Ln, id),
        }
    }

    fn is_positive_constant(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Number(value) => value.is_positive() && !value.is_zero(),
            Node::Constant(constant) => matches!(constant, Constant::Pi | Constant::E),
            Node::Pow(base, exponent) => {
                self.is_positive_constant(*base) && self.number(*exponent).is_some()
            }
            _ => false,
        }
    }

    fn ln_of_number(&mut self, value: &RBig) -> Step<Id> {
        if value.is_zero() {
            return Err(Stop::Undefined("the logarithm of zero"));
        }
        let mut terms = Vec::new();
        if value.is_negative() {
            terms.push(self.mul(&[Self::PI, Self::I])?);
        }
        let sides = [
            (exact::magnitude(value.numerator()), 1),
            (value.denominator().clone(), -1),
        ];
        for (side, sign) in sides {
            for (prime, count) in exact::factor::factor(&side, &self.fuel)? {
                let logarithm = self.ln_of_prime(prime)?;
                let count = self.integer(sign * count as i64)?;
                terms.push(self.mul(&[count, logarithm])?);
            }
        }
        self.add(&terms)
    }

    fn ln_of_prime(&mut self, prime: UBig) -> Step<Id> {
        let prime = self.rational(RBig::from(prime))?;
        self.call_node(Function::Ln, prime)
    }

    pub(super) fn call_node(&mut self, function: Function, argument: Id) -> Step<Id> {
        self.intern(Node::Call(function, [argument].into()))
    }

    pub(crate) fn sin(&mut self, angle: Id) -> Step<Id> {
        if let Some(turn) = self.multiple_of_pi(angle) {
            return self.sin_of_turn(&turn);
        }
        if self.leads_negative(angle) {
            let positive = self.neg(angle)?;
            let sine = self.sin(positive)?;
            return self.neg(sine);
        }
        if let Some((rest, flipped)) = self.without_turns(angle)? {
            let sine = self.sin(rest)?;
            return if flipped { self.neg(sine) } else { Ok(sine) };
        }
        self.call_node(Function::Sin, angle)
    }

    pub(crate) fn cos(&mut self, angle: Id) -> Step<Id> {
        if let Some(turn) = self.multiple_of_pi(angle) {
            let half = RBig::from_parts(1.into(), 2u8.into());
            return self.sin_of_turn(&(half - turn));
        }
        if self.leads_negative(angle) {
            let positive = self.neg(angle)?;
            return self.cos(positive);
        }
        if let Some((rest, flipped)) = self.without_turns(angle)? {
            let cosine = self.cos(rest)?;
            return if flipped {
                self.neg(cosine)
            } else {
                Ok(cosine)
            };
        }
        self.call_node(Function::Cos, angle)
    }

    pub(crate) fn tan(&mut self, angle: Id) -> Step<Id> {
        let (sin, cos) = (self.sin(angle)?, self.cos(angle)?);
        self.div(sin, cos)
    }

    /// `sin(q pi)`, with `q` brought into `(0, 1/2]`.
    fn sin_of_turn(&mut self, turn: &RBig) -> Step<Id> {
        let two = RBig::from(2);
        let mut turn = exact::modulo(turn, &two, &self.fuel)?;
        let negative = turn >= RBig::ONE;
        if negative {
            turn -= RBig::ONE;
        }
        if &turn + &turn > RBig::ONE {
            turn = RBig::ONE - turn;
        }
        let sine = self.sin_of_first_quadrant(turn)?;
        if negative { self.neg(sine) } else { Ok(sine) }
    }

    fn sin_of_first_quadrant(&mut self, turn: RBig) -> Step<Id> {
        let pair = (
            exact::small(&RBig::from(turn.numerator().clone())),
            u32::try_from(turn.denominator()).ok(),
        );
        // (coefficient of the first root, the root, the second's, the second), all over the last.
        let surds: [(i64, i64); 2] = match pair {
            (Some(0), _) => return Ok(Self::ZERO),
            (Some(1), Some(2)) => return Ok(Self::ONE),
            (Some(1), Some(6)) => return Ok(Self::HALF),
            (Some(1), Some(4)) => [(2, 2), (0, 1)],
            (Some(1), Some(3)) => [(2, 3), (0, 1)],
            (Some(1), Some(12)) => [(1, 6), (-1, 2)],
            (Some(5), Some(12)) => [(1, 6), (1, 2)],
            (Some(1), Some(10)) => [(1, 5), (-1, 1)],
            (Some(3), Some(10)) => [(1, 5), (1, 1)],
            _ => {
                let turn = self.rational(turn)?;
                let angle = self.mul(&[turn, Self::PI])?;
                return self.call_node(Function::Sin, angle);
            }
        };
        let mut terms = Vec::with_capacity(2);
        for (coefficient, radicand) in surds {
            let (coefficient, radicand) = (self.ratio(coefficient, 4)?, self.integer(radicand)?);
            let root = self.sqrt(radicand)?;
            terms.push(self.mul(&[coefficient, root])?);
        }
        self.add(&terms)
    }

    /// Whether the first term carries a negative number, so that an odd or even function can drop the sign.
    fn leads_negative(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Number(value) => value.is_negative(),
            Node::Mul(factors) => self.number(factors[0]).is_some_and(exact::is_negative),
            Node::Add(terms) => self.leads_negative(terms[0]),
            _ => false,
        }
    }

    /// `x` and whether the sign flips, when the angle is `x + k pi` with a whole `k` that is not zero.
    fn without_turns(&mut self, angle: Id) -> Step<Option<(Id, bool)>> {
        let Node::Add(terms) = self.node(angle) else {
            return Ok(None);
        };
        let found = terms
            .iter()
            .find_map(|&term| Some((term, self.multiple_of_pi(term)?)));
        let Some((_, turn)) = found else {
            return Ok(None);
        };
        let whole = turn.floor();
        if whole.is_zero() {
            return Ok(None);
        }
        let flipped = !(&whole % 2u8).eq(&0);
        let back = self.rational(RBig::from(-whole))?;
        let back = self.mul(&[back, Self::PI])?;
        Ok(Some((self.add(&[angle, back])?, flipped)))
    }

    pub(super) fn arcsin(&mut self, id: Id) -> Step<Id> {
        if !self.facts(id).symbolic {
            for (numerator, denominator) in KNOWN_TURNS {
                let turn = self.ratio(numerator, denominator)?;
                let angle = self.mul(&[turn, Self::PI])?;
                if let Some(signed) = self.matching_angle(id, angle, Self::sin)? {
                    return Ok(signed);
                }
            }
        }
        self.odd_call(Function::Arcsin, id)
    }

    pub(super) fn arctan(&mut self, id: Id) -> Step<Id> {
        if !self.facts(id).symbolic {
            for (numerator, denominator) in [(0, 1), (1, 6), (1, 4), (1, 3)] {
                let turn = self.ratio(numerator, denominator)?;
                let angle = self.mul(&[turn, Self::PI])?;
                if let Some(signed) = self.matching_angle(id, angle, Self::tan)? {
                    return Ok(signed);
                }
            }
        }
        self.odd_call(Function::Arctan, id)
    }

    /// The angle, or its opposite, whose `function` is `id`.
    fn matching_angle(
        &mut self,
        id: Id,
        angle: Id,
        function: fn(&mut Self, Id) -> Step<Id>,
    ) -> Step<Option<Id>> {
        let value = function(self, angle)?;
        if value == id {
            return Ok(Some(angle));
        }
        let opposite = self.neg(value)?;
        Ok(if opposite == id {
            Some(self.neg(angle)?)
        } else {
            None
        })
    }

    fn odd_call(&mut self, function: Function, id: Id) -> Step<Id> {
        if self.leads_negative(id) {
            let positive = self.neg(id)?;
            let value = self.call_node(function, positive)?;
            return self.neg(value);
        }
        self.call_node(function, id)
    }

    /// `pi/2 - x`.
    pub(super) fn complement(&mut self, id: Id) -> Step<Id> {
        let right = self.mul(&[Self::HALF, Self::PI])?;
        self.sub(right, id)
    }
}
