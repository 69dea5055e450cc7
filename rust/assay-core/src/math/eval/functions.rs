//! The functions that are left after the arena has rewritten what it can.

use std::cmp::Ordering;

use dashu::rational::RBig;

use super::Evaluator;
use crate::math::arena::Id;
use crate::math::ast::Function;
use crate::math::balls::{Complex, Real};
use crate::math::fuel::{Step, Stop};

impl<R: Real> Evaluator<'_, R> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Id]) -> Step<Complex<R>> {
        match arguments {
            [one] => {
                let x = self.value(*one)?;
                self.call_one(function, &x)
            }
            [a, b] => {
                let (a, b) = (self.value(*a)?, self.value(*b)?);
                self.call_two(function, &a, &b)
            }
            many => {
                let mut values = Vec::with_capacity(many.len());
                for &argument in many {
                    values.push(self.value(argument)?);
                }
                self.extreme(function, &values)
            }
        }
    }

    fn call_one(&mut self, function: Function, x: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        match function {
            Function::Ln => {
                if x.is_zero() {
                    return Err(Stop::Undefined("the logarithm of zero"));
                }
                self.left_reals |= x.is_real() && x.re.sign() == Some(Ordering::Less);
                self.pay(true)?;
                Ok(x.ln(p))
            }
            Function::Sin | Function::Cos => {
                self.pay(true)?;
                let (sin, cos) = x.sin_cos(p);
                Ok(if function == Function::Sin { sin } else { cos })
            }
            Function::Arcsin => self.arcsin(x),
            Function::Arctan => self.arctan(x),
            Function::Abs => {
                self.pay(true)?;
                Ok(Complex::real(x.modulus(p)))
            }
            Function::Arg => {
                self.pay(true)?;
                if x.is_zero() {
                    return Err(Stop::Undefined("the argument of zero"));
                }
                Ok(Complex::real(x.argument(p)))
            }
            Function::Re => Ok(Complex::real(x.re.clone())),
            Function::Im => Ok(Complex::real(x.im.clone())),
            Function::Conjugate => Ok(x.conjugate()),
            Function::Floor => self.floor(x),
            Function::Ceil => Ok(self.floor(&x.neg())?.neg()),
            Function::Sign => match x.re.sign().filter(|_| x.is_real()) {
                Some(sign) => Ok(Complex::real(R::from_integer(sign as i64))),
                None => Ok(Complex::entire()),
            },
            Function::Factorial => {
                let next = x.add(&Complex::one(), p);
                self.gamma(&next)
            }
            Function::Gamma => self.gamma(x),
            Function::Zeta => self.zeta(x),
            _ => Err(Stop::Unsupported("that function is not evaluated")),
        }
    }

    fn call_two(&mut self, function: Function, a: &Complex<R>, b: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        match function {
            Function::Mod => {
                if b.is_zero() {
                    return Err(Stop::Undefined("a remainder by zero"));
                }
                let quotient = a.mul(&b.inverse(p), p);
                let whole = self.floor(&quotient)?;
                Ok(a.sub(&whole.mul(b, p), p))
            }
            // n! / (k! (n-k)!), through logarithms where the numbers are large.
            Function::Binomial | Function::Permutations => {
                let one = Complex::one();
                let rest = a.sub(b, p).add(&one, p);
                let top = self.ln_gamma(&a.add(&one, p))?;
                let mut logarithm = top.sub(&self.ln_gamma(&rest)?, p);
                if function == Function::Binomial {
                    logarithm = logarithm.sub(&self.ln_gamma(&b.add(&one, p))?, p);
                }
                Ok(logarithm.exp(p))
            }
            _ => self.extreme(function, &[a.clone(), b.clone()]),
        }
    }

    /// `min` or `max` of reals; gcd and lcm are exact or nothing.
    fn extreme(&mut self, function: Function, values: &[Complex<R>]) -> Step<Complex<R>> {
        let wanted = match function {
            Function::Min => Ordering::Less,
            Function::Max => Ordering::Greater,
            _ => return Err(Stop::Unsupported("that function is not evaluated")),
        };
        let mut values = values.iter();
        let Some(mut best) = values.next() else {
            return Ok(Complex::entire());
        };
        for value in values {
            if !(best.is_real() && value.is_real()) {
                return Ok(Complex::entire());
            }
            match value.re.sub(&best.re, self.precision).sign() {
                Some(order) if order == wanted => best = value,
                Some(_) => {}
                None => return Ok(Complex::entire()),
            }
        }
        Ok(best.clone())
    }

    fn floor(&mut self, x: &Complex<R>) -> Step<Complex<R>> {
        self.pay(true)?;
        match x.re.floor().filter(|_| x.is_real()) {
            Some(whole) => Ok(Complex::real(R::from_rational(
                &RBig::from(whole),
                self.precision.max(128),
            ))),
            None => Ok(Complex::entire()),
        }
    }

    /// `atan(x / sqrt(1 - x^2))` on `[-1, 1]`, else `-i ln(i x + sqrt(1 - x^2))`.
    fn arcsin(&mut self, x: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        self.pay(true)?;
        self.pay(true)?;
        let rest = Complex::one().sub(&x.mul(x, p), p);
        if x.is_real() && rest.re.sign() == Some(Ordering::Greater) {
            return Ok(Complex::real(x.re.div(&rest.re.sqrt(p), p).atan(p)));
        }
        self.left_reals |= x.is_real() && rest.re.sign() == Some(Ordering::Less);
        let inside = x.turned().add(&rest.sqrt(p), p);
        Ok(inside.ln(p).turned().neg())
    }

    /// Off the real axis, `i/2 (ln(1 - i x) - ln(1 + i x))`.
    fn arctan(&mut self, x: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        self.pay(true)?;
        if x.is_real() {
            return Ok(Complex::real(x.re.atan(p)));
        }
        self.pay(true)?;
        let (one, turned) = (Complex::one(), x.turned());
        let (below, above) = (one.sub(&turned, p), one.add(&turned, p));
        if below.is_zero() || above.is_zero() {
            return Err(Stop::Undefined("the arctangent of i"));
        }
        let half = R::from_integer(1).div(&R::from_integer(2), p);
        Ok(below.ln(p).sub(&above.ln(p), p).turned().scale(&half, p))
    }
}
