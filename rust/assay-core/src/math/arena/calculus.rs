//! Substitution and derivatives.

use dashu::rational::RBig;

use super::{Arena, Id, Node};
use crate::math::ast::Function;
use crate::math::fuel::{Step, Stop};

impl Arena {
    /// The node with the symbol `name` replaced by `value`, built anew so that everything folds again.
    pub(crate) fn substitute(&mut self, id: Id, name: &str, value: Id) -> Step<Id> {
        self.fuel.spend(4)?;
        if !self.contains(id, name) {
            return Ok(id);
        }
        match self.node(id).clone() {
            Node::Symbol(_) => Ok(value),
            Node::Number(_) | Node::Constant(_) => Ok(id),
            Node::Add(parts) => {
                let parts = self.substitute_all(&parts, name, value)?;
                self.add(&parts)
            }
            Node::Mul(parts) => {
                let parts = self.substitute_all(&parts, name, value)?;
                self.mul(&parts)
            }
            Node::Pow(base, exponent) => {
                let (base, exponent) = (
                    self.substitute(base, name, value)?,
                    self.substitute(exponent, name, value)?,
                );
                self.pow(base, exponent)
            }
            Node::Call(function, parts) => {
                let parts = self.substitute_all(&parts, name, value)?;
                self.call(function, &parts)
            }
            Node::Apply(function, parts) => {
                let parts = self.substitute_all(&parts, name, value)?;
                self.intern(Node::Apply(function, parts.into()))
            }
        }
    }

    fn substitute_all(&mut self, parts: &[Id], name: &str, value: Id) -> Step<Vec<Id>> {
        parts
            .iter()
            .map(|&part| self.substitute(part, name, value))
            .collect()
    }

    /// The derivative by the symbol `name`.
    pub(crate) fn derivative(&mut self, id: Id, name: &str) -> Step<Id> {
        self.fuel.spend(10)?;
        if !self.contains(id, name) {
            return Ok(Self::ZERO);
        }
        match self.node(id).clone() {
            Node::Symbol(_) => Ok(Self::ONE),
            Node::Number(_) | Node::Constant(_) => Ok(Self::ZERO),
            Node::Add(parts) => {
                let mut terms = Vec::with_capacity(parts.len());
                for &part in &parts {
                    terms.push(self.derivative(part, name)?);
                }
                self.add(&terms)
            }
            Node::Mul(parts) => {
                let mut terms = Vec::with_capacity(parts.len());
                for (index, &part) in parts.iter().enumerate() {
                    let slope = self.derivative(part, name)?;
                    if slope == Self::ZERO {
                        continue;
                    }
                    let mut factors = parts.to_vec();
                    factors[index] = slope;
                    terms.push(self.mul(&factors)?);
                }
                self.add(&terms)
            }
            Node::Pow(base, exponent) => self.derivative_of_power(id, base, exponent, name),
            Node::Call(function, parts) => {
                let [argument] = parts[..] else {
                    return Err(Stop::Unsupported("a derivative of that function"));
                };
                let (outer, inner) = (
                    self.derivative_of_call(function, argument, id)?,
                    self.derivative(argument, name)?,
                );
                self.mul(&[outer, inner])
            }
            Node::Apply(..) => Err(Stop::Unsupported("a derivative of an unknown function")),
        }
    }

    /// `(b^e)' = b^e (e' ln b + e b'/b)`, and without the logarithm when `e` is constant.
    fn derivative_of_power(&mut self, id: Id, base: Id, exponent: Id, name: &str) -> Step<Id> {
        let (in_base, in_exponent) = (
            self.derivative(base, name)?,
            self.derivative(exponent, name)?,
        );
        let mut terms = Vec::with_capacity(2);
        if in_base != Self::ZERO {
            let lower = self.sub(exponent, Self::ONE)?;
            let power = if lower == Self::ZERO {
                Self::ONE
            } else {
                self.pow(base, lower)?
            };
            terms.push(self.mul(&[exponent, power, in_base])?);
        }
        if in_exponent != Self::ZERO {
            let logarithm = self.ln(base)?;
            terms.push(self.mul(&[id, logarithm, in_exponent])?);
        }
        self.add(&terms)
    }

    fn derivative_of_call(&mut self, function: Function, x: Id, id: Id) -> Step<Id> {
        match function {
            Function::Ln => self.pow(x, Self::MINUS_ONE),
            Function::Sin => self.cos(x),
            Function::Cos => {
                let sine = self.sin(x)?;
                self.neg(sine)
            }
            Function::Arcsin => {
                let square = self.mul(&[x, x])?;
                let rest = self.sub(Self::ONE, square)?;
                let minus_half = self.rational(RBig::from_parts((-1).into(), 2u8.into()))?;
                self.pow(rest, minus_half)
            }
            Function::Arctan => {
                let square = self.mul(&[x, x])?;
                let sum = self.add(&[Self::ONE, square])?;
                self.pow(sum, Self::MINUS_ONE)
            }
            Function::Abs => self.div(id, x),
            _ => Err(Stop::Unsupported("a derivative of that function")),
        }
    }
}
