//! Products multiplied out, and the coefficients of polynomials.

use super::{Arena, Id, Node};
use crate::math::fuel::Step;

/// A product is not multiplied out into more terms than this.
const MAX_TERMS: usize = 256;
const MAX_POWER: i64 = 16;

impl Arena {
    /// Sums inside products and small powers multiplied out, at the top of the node; the node itself if that gives
    /// too many terms.
    pub(crate) fn expand_products(&mut self, id: Id) -> Step<Id> {
        self.fuel.spend(10)?;
        let factors = match self.node(id).clone() {
            Node::Add(terms) => {
                let mut expanded = Vec::with_capacity(terms.len());
                for &term in &terms {
                    expanded.push(self.expand_products(term)?);
                }
                return self.add(&expanded);
            }
            Node::Mul(factors) => factors.to_vec(),
            Node::Pow(..) => vec![id],
            _ => return Ok(id),
        };
        let mut terms = vec![Self::ONE];
        for factor in factors {
            let (base, count) = match *self.node(factor) {
                Node::Pow(base, exponent) => match self.small(exponent) {
                    Some(count @ 2..=MAX_POWER) if matches!(self.node(base), Node::Add(_)) => {
                        (base, count)
                    }
                    _ => (factor, 1),
                },
                _ => (factor, 1),
            };
            let base = if count > 1 {
                self.expand_products(base)?
            } else {
                base
            };
            for _ in 0..count {
                let parts = match self.node(base) {
                    Node::Add(parts) => parts.to_vec(),
                    _ => vec![base],
                };
                if terms.len() * parts.len() > MAX_TERMS {
                    return Ok(id);
                }
                let mut products = Vec::with_capacity(terms.len() * parts.len());
                for &term in &terms {
                    for &part in &parts {
                        products.push(self.mul(&[term, part])?);
                    }
                }
                let sum = self.add(&products)?;
                terms = match self.node(sum) {
                    Node::Add(parts) => parts.to_vec(),
                    _ => vec![sum],
                };
            }
        }
        self.add(&terms)
    }

    /// The node with every occurrence of `from` replaced by `to`; a power of `from` counts as an occurrence.
    pub(crate) fn replace(&mut self, id: Id, from: Id, to: Id) -> Step<Id> {
        self.fuel.spend(4)?;
        if id == from {
            return Ok(to);
        }
        match self.node(id).clone() {
            Node::Number(_) | Node::Constant(_) | Node::Symbol(_) => Ok(id),
            Node::Add(parts) => {
                let parts = self.replace_all(&parts, from, to)?;
                self.add(&parts)
            }
            Node::Mul(parts) => {
                let parts = self.replace_all(&parts, from, to)?;
                self.mul(&parts)
            }
            Node::Pow(base, exponent) => {
                // b^(2u) holds b^u
                if let Node::Pow(inner, first) = *self.node(from)
                    && inner == base
                {
                    let ratio = self.div(exponent, first)?;
                    if self.number(ratio).is_some() {
                        return self.pow(to, ratio);
                    }
                }
                let (base, exponent) = (
                    self.replace(base, from, to)?,
                    self.replace(exponent, from, to)?,
                );
                self.pow(base, exponent)
            }
            Node::Call(function, parts) => {
                let parts = self.replace_all(&parts, from, to)?;
                self.call(function, &parts)
            }
            Node::Apply(name, parts) => {
                let parts = self.replace_all(&parts, from, to)?;
                self.intern(Node::Apply(name, parts.into()))
            }
        }
    }

    fn replace_all(&mut self, parts: &[Id], from: Id, to: Id) -> Step<Vec<Id>> {
        parts
            .iter()
            .map(|&part| self.replace(part, from, to))
            .collect()
    }

    /// Coefficients by the symbol, lowest first, `degree + 1` of them with the last not zero; `None` if the node is no
    /// polynomial in it of degree 1 to `most`.
    pub(crate) fn polynomial(&mut self, id: Id, name: &str, most: usize) -> Step<Option<Vec<Id>>> {
        let expanded = self.expand_products(id)?;
        let terms = match self.node(expanded).clone() {
            Node::Add(terms) => terms.to_vec(),
            _ => vec![expanded],
        };
        let mut coefficients: Vec<Vec<Id>> = vec![Vec::new()];
        for term in terms {
            let (coefficient, power) = self.split_constant(term, name)?;
            let degree = match self.node(power) {
                _ if power == Self::ONE => 0,
                Node::Symbol(_) => 1,
                Node::Pow(base, exponent) if matches!(self.node(*base), Node::Symbol(_)) => {
                    match self.small(*exponent).map(usize::try_from) {
                        Some(Ok(degree)) if degree <= most => degree,
                        _ => return Ok(None),
                    }
                }
                _ => return Ok(None),
            };
            if degree > most {
                return Ok(None);
            }
            if coefficients.len() <= degree {
                coefficients.resize(degree + 1, Vec::new());
            }
            coefficients[degree].push(coefficient);
        }
        let mut list = Vec::with_capacity(coefficients.len());
        for terms in coefficients {
            list.push(self.add(&terms)?);
        }
        while list.last() == Some(&Self::ZERO) {
            list.pop();
        }
        Ok((list.len() > 1).then_some(list))
    }
}
