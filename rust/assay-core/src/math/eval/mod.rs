//! The value of an arena node at a point, as a complex ball.

mod functions;
mod gamma;

use std::cmp::Ordering;

use dashu::base::{BitTest as _, Signed as _};
use dashu::rational::RBig;

use super::arena::{Arena, Id, Node, Roots};
use super::ast::Constant;
use super::balls::{Big, Complex, Fast, Real};
use super::exact;
use super::fuel::{Step, Stop};

/// What the symbols stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Point {
    pub(crate) values: Vec<(Box<str>, RBig)>,
    /// Picks the values of unknown functions.
    pub(crate) seed: u64,
}

/// A value, and whether a real argument led out of the reals on the way to it (`ln(-1)`, `sqrt(-1)`).
#[derive(Clone, Debug)]
pub(crate) struct Valued<R> {
    pub(crate) value: Complex<R>,
    pub(crate) left_reals: bool,
}

/// Evaluates nodes at one point with one precision, each node once.
pub(crate) struct Evaluator<'a, R> {
    arena: &'a Arena,
    point: &'a Point,
    precision: u32,
    known: Vec<Option<Valued<R>>>,
    left_reals: bool,
}

impl<'a, R: Real> Evaluator<'a, R> {
    pub(crate) fn new(arena: &'a Arena, point: &'a Point, precision: u32) -> Self {
        Self {
            arena,
            point,
            precision,
            known: Vec::new(),
            left_reals: false,
        }
    }

    pub(crate) fn evaluate(&mut self, id: Id) -> Step<Valued<R>> {
        self.known.resize(self.arena.len(), None);
        self.left_reals = false;
        let value = self.value(id)?;
        Ok(Valued {
            value,
            left_reals: self.left_reals,
        })
    }

    fn pay(&self, transcendental: bool) -> Step<()> {
        let (product, function) = R::price(self.precision);
        self.arena
            .fuel
            .spend(if transcendental { function } else { product })
    }

    fn value(&mut self, id: Id) -> Step<Complex<R>> {
        if let Some(known) = &self.known[id.index()] {
            self.left_reals |= known.left_reals;
            return Ok(known.value.clone());
        }
        let outer = std::mem::take(&mut self.left_reals);
        let value = self.compute(id)?;
        self.known[id.index()] = Some(Valued {
            value: value.clone(),
            left_reals: self.left_reals,
        });
        self.left_reals |= outer;
        Ok(value)
    }

    fn compute(&mut self, id: Id) -> Step<Complex<R>> {
        let p = self.precision;
        self.pay(false)?;
        let arena = self.arena;
        match arena.node(id) {
            Node::Number(value) => {
                self.arena.fuel.spend(exact::bits(value) as u64 / 16)?;
                Ok(Complex::real(R::from_rational(value, p)))
            }
            Node::Constant(Constant::Pi) => Ok(Complex::real(R::pi(p))),
            Node::Constant(Constant::E) => {
                self.pay(true)?;
                Ok(Complex::real(R::from_integer(1).exp(p)))
            }
            Node::Constant(Constant::I) => Ok(Complex::new(R::zero(), R::from_integer(1))),
            Node::Constant(Constant::Infinity) => Err(Stop::Undefined("infinity inside a formula")),
            Node::Symbol(name) => match self.point.values.iter().find(|(symbol, _)| symbol == name)
            {
                Some((_, value)) => Ok(Complex::real(R::from_rational(value, p))),
                None => Err(Stop::Unsupported("a symbol without a value")),
            },
            Node::Add(terms) => {
                let mut sum = Complex::real(R::zero());
                for &term in terms {
                    self.pay(false)?;
                    sum = sum.add(&self.value(term)?, p);
                }
                Ok(sum)
            }
            Node::Mul(factors) => {
                let mut product = Complex::one();
                for &factor in factors {
                    self.pay(false)?;
                    product = product.mul(&self.value(factor)?, p);
                }
                Ok(product)
            }
            Node::Pow(base, exponent) => self.power(*base, *exponent),
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Apply(name, arguments) => self.unknown_function(name, arguments),
        }
    }

    fn power(&mut self, base: Id, exponent: Id) -> Step<Complex<R>> {
        let p = self.precision;
        let arena = self.arena;
        if base == Arena::E {
            let exponent = self.value(exponent)?;
            self.pay(true)?;
            return Ok(exponent.exp(p));
        }
        let value = self.value(base)?;
        if let Some(number) = arena.number(exponent) {
            return self.number_power(&value, number);
        }
        let exponent = self.value(exponent)?;
        if value.is_zero() {
            return self.zero_power(&exponent.re);
        }
        if value.is_real() && value.re.sign() == Some(Ordering::Less) {
            self.left_reals = true;
        }
        self.pay(true)?;
        self.pay(true)?;
        Ok(value.ln(p).mul(&exponent, p).exp(p))
    }

    fn zero_power(&self, exponent: &R) -> Step<Complex<R>> {
        match exponent.sign() {
            Some(Ordering::Greater) => Ok(Complex::real(R::zero())),
            Some(Ordering::Less) => Err(Stop::Undefined("a division by zero")),
            Some(Ordering::Equal) => Err(Stop::Undefined("zero to the power of zero")),
            None => Ok(Complex::entire()),
        }
    }

    /// A power with a rational exponent.
    fn number_power(&mut self, base: &Complex<R>, exponent: &RBig) -> Step<Complex<R>> {
        let p = self.precision;
        if base.is_zero() {
            return self.zero_power(&R::from_rational(exponent, p));
        }
        if let Some(whole) = exact::integer(exponent) {
            if let Ok(count) = i64::try_from(whole) {
                self.pay(false)?;
                let power = base.power(count.unsigned_abs(), p);
                return Ok(if count < 0 { power.inverse(p) } else { power });
            }
            return Ok(Complex::entire());
        }
        let two = dashu::integer::UBig::from(2u8);
        if *exponent.denominator() == two {
            let negative = base.is_real() && base.re.sign() == Some(Ordering::Less);
            self.left_reals |= negative;
            self.pay(true)?;
            let root = base.sqrt(p);
            return match i64::try_from(exponent.numerator()) {
                Ok(count) => {
                    let power = root.power(count.unsigned_abs(), p);
                    Ok(if count < 0 { power.inverse(p) } else { power })
                }
                Err(_) => Ok(Complex::entire()),
            };
        }
        self.pay(true)?;
        self.pay(true)?;
        let power = Complex::real(R::from_rational(exponent, p));
        if base.is_real() && base.re.sign() == Some(Ordering::Less) {
            if exponent.denominator().bit(0) && self.arena.roots == Roots::Real {
                let root = base.neg().ln(p).mul(&power, p).exp(p);
                return Ok(if exponent.numerator().bit(0) {
                    root.neg()
                } else {
                    root
                });
            }
            self.left_reals = true;
        }
        if base.is_real() && base.re.sign().is_none() && exponent.is_positive() {
            // Around zero the power is small: |x|^q, whatever the sign.
            let around = base.re.around_zero();
            let top = around.widened(&around);
            if top.is_entire() {
                return Ok(Complex::entire());
            }
            // For q >= 1/2 the square root bounds it below 1; otherwise nothing is said.
            let half = RBig::from_parts(1.into(), two);
            if *exponent >= half {
                let bound = base.re.sqrt(p).widened(&base.re.neg().sqrt(p));
                return Ok(Complex::new(bound.clone(), bound));
            }
            return Ok(Complex::entire());
        }
        Ok(base.ln(p).mul(&power, p).exp(p))
    }

    /// A positive value that depends on the name and the arguments only.
    fn unknown_function(&mut self, name: &str, arguments: &[Id]) -> Step<Complex<R>> {
        let mut hash = super::decide::points::mix(self.point.seed, name);
        for argument in arguments {
            hash = super::decide::points::step(hash ^ argument.index() as u64);
        }
        let value = RBig::from_parts((64 + (hash % 512) as i64).into(), 256u16.into());
        Ok(Complex::real(R::from_rational(&value, self.precision)))
    }
}

/// How a constant compares with zero, as far as 320 bits tell; `None` for what is not real or not told.
pub(crate) fn sign(arena: &Arena, id: Id) -> Step<Option<Ordering>> {
    if id == Arena::ZERO {
        return Ok(Some(Ordering::Equal));
    }
    if let Some(value) = arena.number(id) {
        return Ok(Some(if exact::is_negative(value) {
            Ordering::Less
        } else {
            Ordering::Greater
        }));
    }
    if arena.facts(id).symbolic {
        return Ok(None);
    }
    let point = Point::default();
    let fast = Evaluator::<Fast>::new(arena, &point, 53).evaluate(id)?;
    if fast.value.is_real() && fast.value.re.sign().is_some() {
        return Ok(fast.value.re.sign());
    }
    let big = Evaluator::<Big>::new(arena, &point, 320).evaluate(id)?;
    Ok(big.value.is_real().then(|| big.value.re.sign()).flatten())
}

impl Evaluator<'_, Big> {
    /// The largest `|log2 |v||` over the values `v` met so far that are surely not zero.
    pub(crate) fn widest_exponent(&self) -> i64 {
        let values = self.known.iter().flatten().map(|known| &known.value);
        values
            .flat_map(|value| [&value.re, &value.im])
            .filter(|part| matches!(part.sign(), Some(Ordering::Less | Ordering::Greater)))
            .filter_map(|part| part.above().exponent())
            .map(|exponent| exponent.saturating_abs())
            .max()
            .unwrap_or(0)
    }
}
