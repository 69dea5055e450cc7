//! Where a condition in one unknown can change its truth: the roots of its factors and of its denominators.

use crate::math::arena::{Arena, Id, Node};
use crate::math::ast::Function;
use crate::math::eval;
use crate::math::fuel::{Step, Stop};

const MAX_DEGREE: usize = 8;
/// Roots of polynomials of higher degree are looked for among fractions with divisors up to this.
const MAX_DIVISOR: i64 = 60;

impl Arena {
    /// Real numbers between which the sign of `id` does not change, perhaps with others among them.
    pub(super) fn critical_points(&mut self, id: Id, name: &str, points: &mut Vec<Id>) -> Step<()> {
        self.fuel.spend(20)?;
        if !self.contains(id, name) {
            return Ok(());
        }
        if let Some(coefficients) = self.polynomial(id, name, MAX_DEGREE)? {
            return self.roots(coefficients, points);
        }
        match self.node(id).clone() {
            Node::Mul(factors) => {
                for &factor in &factors {
                    self.critical_points(factor, name, points)?;
                }
                Ok(())
            }
            Node::Pow(base, exponent) if self.number(exponent).is_some() => {
                self.critical_points(base, name, points)
            }
            Node::Add(_) => {
                if let Some((inside, plus, minus)) = self.split_modulus(id)? {
                    self.critical_points(inside, name, points)?;
                    self.critical_points(plus, name, points)?;
                    return self.critical_points(minus, name, points);
                }
                let mut denominators = Vec::new();
                self.collect_denominators(id, &mut denominators);
                if denominators.is_empty() {
                    return Err(Stop::Unsupported("an inequality of that form"));
                }
                for (base, _) in denominators {
                    self.critical_points(base, name, points)?;
                }
                let numerator = self.numerator(id)?;
                if numerator == id {
                    return Err(Stop::Unsupported("an inequality of that form"));
                }
                self.critical_points(numerator, name, points)
            }
            Node::Call(Function::Abs | Function::Sign, parts) => {
                self.critical_points(parts[0], name, points)
            }
            _ => Err(Stop::Unsupported("an inequality of that form")),
        }
    }

    /// What stands in the first modulus of a sum, and the sum with either sign for it.
    fn split_modulus(&mut self, id: Id) -> Step<Option<(Id, Id, Id)>> {
        let Some(modulus) = self.find_modulus(id) else {
            return Ok(None);
        };
        let Node::Call(_, parts) = self.node(modulus) else {
            return Ok(None);
        };
        let inside = parts[0];
        let opposite = self.neg(inside)?;
        Ok(Some((
            inside,
            self.replace(id, modulus, inside)?,
            self.replace(id, modulus, opposite)?,
        )))
    }

    fn find_modulus(&self, id: Id) -> Option<Id> {
        match self.node(id) {
            Node::Call(Function::Abs, _) => Some(id),
            Node::Add(parts) | Node::Mul(parts) => {
                parts.iter().find_map(|&part| self.find_modulus(part))
            }
            Node::Pow(base, _) => self.find_modulus(*base),
            _ => None,
        }
    }

    /// The real roots of a polynomial: by formula up to degree two, else rational ones split off first.
    fn roots(&mut self, mut coefficients: Vec<Id>, points: &mut Vec<Id>) -> Step<()> {
        if coefficients.iter().any(|&id| self.facts(id).symbolic) {
            return Err(Stop::Unsupported("an inequality with parameters"));
        }
        while coefficients.len() > 3 {
            let Some(root) = self.rational_root(&coefficients)? else {
                return Err(Stop::Unsupported("an inequality of a higher degree"));
            };
            points.push(root);
            coefficients = self.deflate(&coefficients, root)?;
        }
        match coefficients[..] {
            [constant, slope] => {
                let root = self.div(constant, slope)?;
                points.push(self.neg(root)?);
            }
            [c, b, a] => {
                let (four, two) = (self.integer(-4)?, self.integer(2)?);
                let (square, product) = (self.mul(&[b, b])?, self.mul(&[four, a, c])?);
                let discriminant = self.add(&[square, product])?;
                if eval::sign(self, discriminant)? != Some(std::cmp::Ordering::Less) {
                    let (root, b, double) =
                        (self.sqrt(discriminant)?, self.neg(b)?, self.mul(&[two, a])?);
                    let (low, high) = (self.sub(b, root)?, self.add(&[b, root])?);
                    points.push(self.div(low, double)?);
                    points.push(self.div(high, double)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn rational_root(&mut self, coefficients: &[Id]) -> Step<Option<Id>> {
        if coefficients[0] == Self::ZERO {
            return Ok(Some(Self::ZERO));
        }
        for bottom in 1..=4u32 {
            for top in 1..=MAX_DIVISOR {
                for sign in [1, -1] {
                    let candidate = self.ratio(sign * top, bottom)?;
                    if self.value_of(coefficients, candidate)? == Self::ZERO {
                        return Ok(Some(candidate));
                    }
                }
            }
        }
        Ok(None)
    }

    fn value_of(&mut self, coefficients: &[Id], at: Id) -> Step<Id> {
        let mut value = Self::ZERO;
        for &coefficient in coefficients.iter().rev() {
            let product = self.mul(&[value, at])?;
            value = self.add(&[product, coefficient])?;
        }
        Ok(value)
    }

    /// Divides by `x - root`.
    fn deflate(&mut self, coefficients: &[Id], root: Id) -> Step<Vec<Id>> {
        let mut quotient = vec![Self::ZERO; coefficients.len() - 1];
        let mut carry = Self::ZERO;
        for index in (1..coefficients.len()).rev() {
            let product = self.mul(&[carry, root])?;
            carry = self.add(&[coefficients[index], product])?;
            quotient[index - 1] = carry;
        }
        Ok(quotient)
    }
}
