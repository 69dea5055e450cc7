//! Antiderivatives of the elementary forms that answers contain: a table, substitution, parts. No search.

use super::bind::Bound;
use super::{Arena, Id, Node};
use crate::math::ast::Function;
use crate::math::fuel::{Step, Stop};

const MAX_DEPTH: usize = 5;
const MAX_PARTS: usize = 12;

impl Arena {
    pub(super) fn definite_integral(
        &mut self,
        body: Id,
        name: &str,
        from: Bound,
        to: Bound,
    ) -> Step<Id> {
        if from == to {
            return Ok(Self::ZERO);
        }
        if self.has_pieces(body, name) {
            return Err(Stop::Unsupported(
                "an integral of a function made of pieces",
            ));
        }
        let primitive = self.antiderivative(body, name)?;
        let upper = self.value_at(primitive, name, to)?;
        let lower = self.value_at(primitive, name, from)?;
        self.sub(upper, lower)
    }

    pub(super) fn antiderivative(&mut self, body: Id, name: &str) -> Step<Id> {
        let found = self.integrate(body, name, MAX_DEPTH)?;
        found.ok_or(Stop::Unsupported(
            "an integral without a simple antiderivative",
        ))
    }

    fn integrate(&mut self, body: Id, name: &str, depth: usize) -> Step<Option<Id>> {
        self.fuel.spend(50)?;
        let (factor, rest) = self.split_constant(body, name)?;
        let symbol = self.intern(Node::Symbol(name.into()))?;
        if rest == Self::ONE {
            return self.mul(&[factor, symbol]).map(Some);
        }
        if depth == 0 {
            return Ok(None);
        }
        if let Node::Add(terms) = self.node(rest).clone() {
            let mut primitives = vec![];
            for &term in &terms {
                let Some(primitive) = self.integrate(term, name, depth)? else {
                    return Ok(None);
                };
                primitives.push(primitive);
            }
            let sum = self.add(&primitives)?;
            return self.mul(&[factor, sum]).map(Some);
        }
        let steps = [
            Self::by_table,
            Self::by_expansion,
            Self::by_parts,
            Self::by_substitution,
            Self::by_half_angle,
        ];
        for step in steps {
            if let Some(primitive) = step(self, rest, name, depth)? {
                return self.mul(&[factor, primitive]).map(Some);
            }
        }
        Ok(None)
    }

    /// `a` when the node is `a x + b`, `a` and `b` free of `x`.
    fn slope(&mut self, id: Id, name: &str) -> Step<Option<Id>> {
        if !self.contains(id, name) {
            return Ok(None);
        }
        let slope = self.derivative(id, name);
        match slope {
            Ok(slope) if !self.contains(slope, name) => Ok(Some(slope)),
            Ok(_) | Err(Stop::Unsupported(_) | Stop::Undefined(_)) => Ok(None),
            Err(Stop::Fuel) => Err(Stop::Fuel),
        }
    }

    fn by_table(&mut self, body: Id, name: &str, _depth: usize) -> Step<Option<Id>> {
        let primitive = match self.node(body).clone() {
            Node::Symbol(_) => {
                let square = self.mul(&[body, body])?;
                Some(self.mul(&[Self::HALF, square])?)
            }
            Node::Pow(base, exponent) if !self.contains(exponent, name) => {
                let Some(slope) = self.slope(base, name)? else {
                    return self.quadratic(base, exponent, name);
                };
                let raised = self.add(&[exponent, Self::ONE])?;
                if raised == Self::ZERO {
                    let logarithm = self.ln(base)?;
                    Some(self.div(logarithm, slope)?)
                } else {
                    let (power, scale) = (self.pow(base, raised)?, self.mul(&[slope, raised])?);
                    Some(self.div(power, scale)?)
                }
            }
            Node::Pow(base, exponent) if !self.contains(base, name) => {
                match self.slope(exponent, name)? {
                    Some(slope) => {
                        let logarithm = self.ln(base)?;
                        let scale = self.mul(&[slope, logarithm])?;
                        Some(self.div(body, scale)?)
                    }
                    None => None,
                }
            }
            Node::Call(function, parts) => {
                let [argument] = parts[..] else {
                    return Ok(None);
                };
                let Some(slope) = self.slope(argument, name)? else {
                    return Ok(None);
                };
                match self.primitive_of_call(function, argument, body)? {
                    Some(primitive) => Some(self.div(primitive, slope)?),
                    None => None,
                }
            }
            _ => None,
        };
        Ok(primitive)
    }

    fn primitive_of_call(&mut self, function: Function, u: Id, call: Id) -> Step<Option<Id>> {
        let primitive = match function {
            Function::Sin => {
                let cosine = self.cos(u)?;
                self.neg(cosine)?
            }
            Function::Cos => self.sin(u)?,
            Function::Ln => {
                let product = self.mul(&[u, call])?;
                self.sub(product, u)?
            }
            Function::Arctan => {
                let (product, square) = (self.mul(&[u, call])?, self.mul(&[u, u])?);
                let sum = self.add(&[square, Self::ONE])?;
                let logarithm = self.ln(sum)?;
                let half = self.mul(&[Self::HALF, logarithm])?;
                self.sub(product, half)?
            }
            Function::Arcsin => {
                let (product, square) = (self.mul(&[u, call])?, self.mul(&[u, u])?);
                let rest = self.sub(Self::ONE, square)?;
                let root = self.sqrt(rest)?;
                self.add(&[product, root])?
            }
            _ => return Ok(None),
        };
        Ok(Some(primitive))
    }

    /// `(a x^2 + b x + c)^e` for `e` of -1, -1/2 and 1/2.
    fn quadratic(&mut self, base: Id, exponent: Id, name: &str) -> Step<Option<Id>> {
        let Some([c, b, a]) = self.quadratic_coefficients(base, name)? else {
            return Ok(None);
        };
        let two = self.integer(2)?;
        // u = 2 a x + b, d = b^2 - 4 a c
        let symbol = self.intern(Node::Symbol(name.into()))?;
        let lead = self.mul(&[two, a, symbol])?;
        let u = self.add(&[lead, b])?;
        let four = self.integer(-4)?;
        let (square, product) = (self.mul(&[b, b])?, self.mul(&[four, a, c])?);
        let d = self.add(&[square, product])?;
        let Some(d_value) = self.number(d).cloned() else {
            return Ok(None);
        };
        let negative = crate::math::exact::is_negative(&d_value);
        if exponent == Self::MINUS_ONE && !d_value.is_zero() {
            if negative {
                // 2 / sqrt(-d) arctan(u / sqrt(-d))
                let opposite = self.neg(d)?;
                let root = self.sqrt(opposite)?;
                let ratio = self.div(u, root)?;
                let angle = self.arctan(ratio)?;
                let scaled = self.mul(&[two, angle])?;
                return self.div(scaled, root).map(Some);
            }
            // ln((u - r) / (u + r)) / r, r = sqrt d
            let root = self.sqrt(d)?;
            let (below, above) = (self.sub(u, root)?, self.add(&[u, root])?);
            let (below, above) = (self.ln(below)?, self.ln(above)?);
            let difference = self.sub(below, above)?;
            return self.div(difference, root).map(Some);
        }
        let minus_half = self.ratio(-1, 2)?;
        if exponent == minus_half || exponent == Self::HALF {
            return self.root_of_quadratic(base, (a, u, d), exponent == Self::HALF);
        }
        Ok(None)
    }

    /// `1/sqrt q` and `sqrt q` for `q = a x^2 + b x + c`, `u = q'`, `d` its discriminant.
    fn root_of_quadratic(
        &mut self,
        q: Id,
        (a, u, d): (Id, Id, Id),
        whole: bool,
    ) -> Step<Option<Id>> {
        let Some(lead) = self.number(a).cloned() else {
            return Ok(None);
        };
        let root = self.sqrt(q)?;
        let inverse = if crate::math::exact::is_negative(&lead) {
            // -arcsin(u / sqrt d) / sqrt(-a)
            let (minus, scale) = (self.neg(a)?, self.sqrt(d)?);
            let (ratio, minus) = (self.div(u, scale)?, self.sqrt(minus)?);
            let angle = self.arcsin(ratio)?;
            let angle = self.neg(angle)?;
            self.div(angle, minus)?
        } else {
            // ln(u + 2 sqrt(a) sqrt(q)) / sqrt(a)
            let (two, scale) = (self.integer(2)?, self.sqrt(a)?);
            let product = self.mul(&[two, scale, root])?;
            let sum = self.add(&[u, product])?;
            let logarithm = self.ln(sum)?;
            self.div(logarithm, scale)?
        };
        if !whole {
            return Ok(Some(inverse));
        }
        // sqrt q: u sqrt(q) / (4a) - d / (8a) * (the integral of 1/sqrt q)
        let (four, eight) = (self.integer(4)?, self.integer(8)?);
        let (scale, rest) = (self.mul(&[four, a])?, self.mul(&[eight, a])?);
        let first = self.mul(&[u, root])?;
        let first = self.div(first, scale)?;
        let second = self.mul(&[d, inverse])?;
        let second = self.div(second, rest)?;
        self.sub(first, second).map(Some)
    }

    fn quadratic_coefficients(&mut self, id: Id, name: &str) -> Step<Option<[Id; 3]>> {
        let coefficients = self.polynomial(id, name, 2)?;
        Ok(coefficients.and_then(|list| <[Id; 3]>::try_from(list).ok()))
    }

    /// Multiplied out, when that gives a sum.
    fn by_expansion(&mut self, body: Id, name: &str, depth: usize) -> Step<Option<Id>> {
        let expanded = self.expand_products(body)?;
        if expanded == body || !matches!(self.node(expanded), Node::Add(_)) {
            return Ok(None);
        }
        self.integrate(expanded, name, depth - 1)
    }

    /// `p(x) g(x)` with a polynomial `p` and an exponential, sine or cosine `g`; or with a logarithm or arctangent.
    fn by_parts(&mut self, body: Id, name: &str, depth: usize) -> Step<Option<Id>> {
        let Node::Mul(factors) = self.node(body).clone() else {
            return Ok(None);
        };
        let of_function = |arena: &Self, id: Id, wanted: &[Function]| matches!(arena.node(id), Node::Call(function, _) if wanted.contains(function));
        // The logarithm is the part to differentiate.
        if let Some(&outer) = factors.iter().find(|&&id| {
            of_function(
                self,
                id,
                &[Function::Ln, Function::Arctan, Function::Arcsin],
            )
        }) {
            let rest = self.div(body, outer)?;
            if self.polynomial(rest, name, MAX_PARTS)?.is_none() {
                return Ok(None);
            }
            let Some(primitive) = self.integrate(rest, name, depth - 1)? else {
                return Ok(None);
            };
            let slope = self.derivative(outer, name)?;
            let left = self.mul(&[primitive, slope])?;
            let left = self.expand_products(left)?;
            let Some(left) = self.integrate(left, name, depth - 1)? else {
                return Ok(None);
            };
            let product = self.mul(&[outer, primitive])?;
            return self.sub(product, left).map(Some);
        }
        let Some(&inner) = factors.iter().find(|&&id| {
            of_function(self, id, &[Function::Sin, Function::Cos])
                || matches!(self.node(id), Node::Pow(base, _) if !self.contains(*base, name))
        }) else {
            return Ok(None);
        };
        let mut slope = self.div(body, inner)?;
        if self.polynomial(slope, name, MAX_PARTS)?.is_none() {
            return Ok(None);
        }
        let (mut terms, mut primitive, mut sign) = (Vec::new(), inner, Self::ONE);
        while slope != Self::ZERO && terms.len() < MAX_PARTS {
            let Some(next) = self.by_table(primitive, name, 1)?.map_or_else(
                || self.integrate(primitive, name, 1),
                |found| Ok(Some(found)),
            )?
            else {
                return Ok(None);
            };
            primitive = next;
            terms.push(self.mul(&[sign, slope, primitive])?);
            slope = self.derivative(slope, name)?;
            sign = self.neg(sign)?;
        }
        self.add(&terms).map(Some)
    }

    /// `h(g(x)) g'(x)` for the functions `g` that stand inside the body.
    fn by_substitution(&mut self, body: Id, name: &str, depth: usize) -> Step<Option<Id>> {
        let mut inner = Vec::new();
        self.inner_functions(body, name, &mut inner);
        let fresh: Box<str> = format!("{name}\u{2}").into();
        let symbol = self.intern(Node::Symbol(fresh.clone()))?;
        for candidate in inner.into_iter().take(6) {
            let slope = match self.derivative(candidate, name) {
                Ok(slope) => slope,
                Err(Stop::Unsupported(_) | Stop::Undefined(_)) => continue,
                Err(Stop::Fuel) => return Err(Stop::Fuel),
            };
            if slope == Self::ZERO {
                continue;
            }
            let quotient = self.div(body, slope)?;
            let replaced = self.replace(quotient, candidate, symbol)?;
            if self.contains(replaced, name) {
                continue;
            }
            if let Some(primitive) = self.integrate(replaced, &fresh, depth - 1)? {
                return self.substitute(primitive, &fresh, candidate).map(Some);
            }
        }
        Ok(None)
    }

    fn inner_functions(&self, id: Id, name: &str, found: &mut Vec<Id>) {
        let mut note = |part: Id| {
            if self.contains(part, name)
                && !matches!(self.node(part), Node::Symbol(_))
                && !found.contains(&part)
            {
                found.push(part);
            }
        };
        match self.node(id) {
            Node::Call(_, parts) => {
                note(id);
                parts.iter().for_each(|&part| note(part));
            }
            Node::Pow(base, exponent) => {
                note(*base);
                note(*exponent);
                if !self.contains(*base, name) {
                    note(id);
                }
            }
            _ => {}
        }
        match self.node(id) {
            Node::Add(parts) | Node::Mul(parts) | Node::Call(_, parts) => {
                parts
                    .iter()
                    .for_each(|&part| self.inner_functions(part, name, found));
            }
            Node::Pow(base, exponent) => {
                self.inner_functions(*base, name, found);
                self.inner_functions(*exponent, name, found);
            }
            _ => {}
        }
    }

    /// Squares of sines and cosines by their double angles; a third power gives up one factor.
    fn by_half_angle(&mut self, body: Id, name: &str, depth: usize) -> Step<Option<Id>> {
        let factors = match self.node(body).clone() {
            Node::Mul(factors) => factors.to_vec(),
            _ => vec![body],
        };
        let found = factors.iter().find_map(|&factor| match *self.node(factor) {
            Node::Pow(base, exponent) => match (self.node(base), self.small(exponent)) {
                (
                    Node::Call(function @ (Function::Sin | Function::Cos), parts),
                    Some(count @ 2..=8),
                ) => Some((factor, base, *function, parts[0], count)),
                _ => None,
            },
            _ => None,
        });
        let Some((factor, base, function, angle, count)) = found else {
            return Ok(None);
        };
        let rest = self.div(body, factor)?;
        let two = self.integer(2)?;
        let lower = self.integer(count - 2)?;
        let lower = if count == 2 {
            Self::ONE
        } else {
            self.pow(base, lower)?
        };
        let rewritten = if count % 2 == 1 {
            // sin^2 = 1 - cos^2 and the other way round
            let other = if function == Function::Sin {
                self.cos(angle)?
            } else {
                self.sin(angle)?
            };
            let square = self.mul(&[other, other])?;
            self.sub(Self::ONE, square)?
        } else {
            let double = self.mul(&[two, angle])?;
            let cosine = self.cos(double)?;
            let cosine = if function == Function::Sin {
                self.neg(cosine)?
            } else {
                cosine
            };
            let sum = self.add(&[Self::ONE, cosine])?;
            self.div(sum, two)?
        };
        let product = self.mul(&[rest, lower, rewritten])?;
        let product = self.expand_products(product)?;
        self.integrate(product, name, depth - 1)
    }
}
