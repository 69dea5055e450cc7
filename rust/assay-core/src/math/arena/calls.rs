//! Function calls: folded where the arguments are exact, rewritten in simpler functions where there are some.

use dashu::base::Signed as _;
use dashu::integer::UBig;
use dashu::rational::RBig;

use super::{Arena, Id, Node};
use crate::math::ast::Function;
use crate::math::exact;
use crate::math::fuel::{Step, Stop};

impl Arena {
    /// `function(arguments)` for scalar arguments.
    pub(super) fn call(&mut self, function: Function, arguments: &[Id]) -> Step<Id> {
        self.fuel.spend(4)?;
        match arguments {
            [] => Err(Stop::Unsupported("a function without an argument")),
            [one] => self.call_one(function, *one),
            [one, two] => self.call_two(function, *one, *two),
            many => self.call_many(function, many),
        }
    }

    fn call_one(&mut self, function: Function, x: Id) -> Step<Id> {
        match function {
            Function::Sqrt | Function::Root => self.sqrt(x),
            Function::Abs => self.modulus(x),
            Function::Floor | Function::Ceil | Function::Sign => self.step_function(function, x),
            Function::Factorial | Function::DoubleFactorial | Function::Gamma => {
                self.factorial(function, x)
            }
            Function::Gcd | Function::Lcm | Function::Min | Function::Max => Ok(x),
            Function::Exp => self.exp(x),
            Function::Ln => self.ln(x),
            Function::Log => {
                let ten = self.integer(10)?;
                self.log(x, ten)
            }
            Function::Sin => self.sin(x),
            Function::Cos => self.cos(x),
            Function::Tan => self.tan(x),
            Function::Cot => {
                let (sin, cos) = (self.sin(x)?, self.cos(x)?);
                self.div(cos, sin)
            }
            Function::Sec => {
                let cos = self.cos(x)?;
                self.pow(cos, Self::MINUS_ONE)
            }
            Function::Csc => {
                let sin = self.sin(x)?;
                self.pow(sin, Self::MINUS_ONE)
            }
            Function::Arcsin
            | Function::Arccos
            | Function::Arctan
            | Function::Arccot
            | Function::Arcsec
            | Function::Arccsc => self.inverse_trigonometric(function, x),
            Function::Sinh
            | Function::Cosh
            | Function::Tanh
            | Function::Coth
            | Function::Sech
            | Function::Csch => self.hyperbolic(function, x),
            Function::Arsinh | Function::Arcosh | Function::Artanh => {
                self.inverse_hyperbolic(function, x)
            }
            Function::Re | Function::Im => self.part(function, x),
            Function::Conjugate => self.conjugate(x),
            Function::Arg => self.call_node(Function::Arg, x),
            Function::Zeta => self.zeta(x),
            Function::Det | Function::Trace | Function::Transpose => Ok(x),
            Function::Binomial | Function::Permutations | Function::Mod => {
                Err(Stop::Unsupported("a function with too few arguments"))
            }
        }
    }

    fn call_two(&mut self, function: Function, a: Id, b: Id) -> Step<Id> {
        match function {
            Function::Root => {
                let exponent = self.pow(b, Self::MINUS_ONE)?;
                self.pow(a, exponent)
            }
            Function::Log => self.log(a, b),
            Function::Binomial | Function::Permutations => self.selection(function, a, b),
            Function::Mod => match (self.number(a), self.number(b)) {
                (Some(x), Some(y)) => {
                    let value = exact::modulo(x, y, &self.fuel)?;
                    self.rational(value)
                }
                _ => self.intern(Node::Call(function, [a, b].into())),
            },
            Function::Gcd | Function::Lcm | Function::Min | Function::Max => {
                self.call_many(function, &[a, b])
            }
            _ => Err(Stop::Unsupported("a function with too many arguments")),
        }
    }

    /// The functions of any number of arguments, in any order.
    fn call_many(&mut self, function: Function, arguments: &[Id]) -> Step<Id> {
        let numbers: Option<Vec<RBig>> = arguments
            .iter()
            .map(|&id| self.number(id).cloned())
            .collect();
        let Some(numbers) = numbers else {
            let mut sorted = arguments.to_vec();
            sorted.sort_unstable();
            return match function {
                Function::Gcd | Function::Lcm | Function::Min | Function::Max => {
                    self.intern(Node::Call(function, sorted.into()))
                }
                _ => Err(Stop::Unsupported("a function with too many arguments")),
            };
        };
        let mut numbers = numbers.into_iter();
        let Some(mut value) = numbers.next() else {
            return Err(Stop::Unsupported("a function without an argument"));
        };
        for next in numbers {
            value = match function {
                Function::Gcd => exact::gcd(&value, &next, &self.fuel)?,
                Function::Lcm => exact::lcm(&value, &next, &self.fuel)?,
                Function::Min => value.min(next),
                Function::Max => value.max(next),
                _ => return Err(Stop::Unsupported("a function with too many arguments")),
            };
        }
        self.rational(value)
    }

    pub(super) fn log(&mut self, x: Id, base: Id) -> Step<Id> {
        let (top, bottom) = (self.ln(x)?, self.ln(base)?);
        self.div(top, bottom)
    }

    fn step_function(&mut self, function: Function, x: Id) -> Step<Id> {
        let Some(value) = self.number(x) else {
            return self.call_node(function, x);
        };
        let value = match function {
            Function::Floor => RBig::from(value.floor()),
            Function::Ceil => RBig::from(value.ceil()),
            _ if value.is_zero() => RBig::ZERO,
            _ if value.is_negative() => RBig::NEG_ONE,
            _ => RBig::ONE,
        };
        self.rational(value)
    }

    fn factorial(&mut self, function: Function, x: Id) -> Step<Id> {
        let Some(value) = self.number(x).cloned() else {
            return self.call_node(function, x);
        };
        let Some(whole) = exact::integer(&value) else {
            return self.gamma_of_half(function, &value, x);
        };
        let (lowest, shift) = if function == Function::Gamma {
            (1, 1)
        } else {
            (0, 0)
        };
        let below = *whole < lowest.into();
        if below && !(function == Function::DoubleFactorial && *whole == (-1).into()) {
            return Err(Stop::Undefined("the factorial of a negative number"));
        }
        let Ok(n) = u64::try_from(whole) else {
            return if below {
                Ok(Self::ONE)
            } else {
                self.call_node(function, x)
            };
        };
        let exact = match function {
            Function::DoubleFactorial => exact::double_factorial(n, &self.fuel)?,
            _ => exact::factorial(n - shift, &self.fuel)?,
        };
        match (exact, function) {
            (Some(value), _) => self.rational(RBig::from(value)),
            (None, Function::Gamma) => {
                let n = self.integer(n as i64 - 1)?;
                self.call_node(Function::Factorial, n)
            }
            (None, _) => self.call_node(function, x),
        }
    }

    /// `Gamma(n + 1/2)` is a rational times the root of pi.
    fn gamma_of_half(&mut self, function: Function, value: &RBig, x: Id) -> Step<Id> {
        let argument = if function == Function::Factorial {
            value + RBig::ONE
        } else {
            value.clone()
        };
        let doubled = exact::small(&(&argument + &argument));
        let Some(odd @ -400..=400) = doubled.filter(|_| function != Function::DoubleFactorial)
        else {
            return self.call_node(function, x);
        };
        // From Gamma(1/2) = sqrt(pi), up by Gamma(z+1) = z Gamma(z) or down by its inverse.
        let mut factor = RBig::ONE;
        let mut at = 1;
        while at < odd {
            factor = exact::mul(
                &factor,
                &RBig::from_parts(at.into(), UBig::from(2u8)),
                &self.fuel,
            )?;
            at += 2;
        }
        while at > odd {
            at -= 2;
            factor = exact::div(
                &factor,
                &RBig::from_parts(at.into(), UBig::from(2u8)),
                &self.fuel,
            )?;
        }
        let (factor, root) = (self.rational(factor)?, self.sqrt(Self::PI)?);
        self.mul(&[factor, root])
    }

    /// `C(n, k)` or `P(n, k)`.
    fn selection(&mut self, function: Function, n: Id, k: Id) -> Step<Id> {
        let (Some(top), Some(chosen)) = (self.small(n), self.small(k)) else {
            return self.intern(Node::Call(function, [n, k].into()));
        };
        let Ok(top) = u64::try_from(top) else {
            return Err(Stop::Unsupported(
                "a binomial coefficient of a negative number",
            ));
        };
        let Some(value) = exact::binomial(top, chosen, &self.fuel)? else {
            return self.intern(Node::Call(function, [n, k].into()));
        };
        let value = RBig::from(value);
        if function == Function::Binomial || value.is_zero() {
            return self.rational(value);
        }
        let arranged = exact::product(1, chosen.unsigned_abs(), 1, &self.fuel)?;
        let value = exact::mul(&value, &RBig::from(arranged), &self.fuel)?;
        self.rational(value)
    }

    fn inverse_trigonometric(&mut self, function: Function, x: Id) -> Step<Id> {
        match function {
            Function::Arcsin => self.arcsin(x),
            Function::Arctan => self.arctan(x),
            Function::Arccos => {
                let sine = self.arcsin(x)?;
                self.complement(sine)
            }
            Function::Arccot => {
                let tangent = self.arctan(x)?;
                self.complement(tangent)
            }
            _ => {
                let inverse = self.pow(x, Self::MINUS_ONE)?;
                let sine = self.arcsin(inverse)?;
                if function == Function::Arccsc {
                    Ok(sine)
                } else {
                    self.complement(sine)
                }
            }
        }
    }

    /// Hyperbolic functions are written with exponentials.
    fn hyperbolic(&mut self, function: Function, x: Id) -> Step<Id> {
        let up = self.exp(x)?;
        let down = self.pow(up, Self::MINUS_ONE)?;
        let (sum, difference) = (self.add(&[up, down])?, self.sub(up, down)?);
        let two = self.integer(2)?;
        match function {
            Function::Sinh => self.div(difference, two),
            Function::Cosh => self.div(sum, two),
            Function::Tanh => self.div(difference, sum),
            Function::Coth => self.div(sum, difference),
            Function::Sech => self.div(two, sum),
            _ => self.div(two, difference),
        }
    }

    fn inverse_hyperbolic(&mut self, function: Function, x: Id) -> Step<Id> {
        let (above, below) = (self.add(&[x, Self::ONE])?, self.sub(x, Self::ONE)?);
        let inside = match function {
            Function::Arsinh => {
                let square = self.mul(&[x, x])?;
                let square = self.add(&[square, Self::ONE])?;
                let root = self.sqrt(square)?;
                self.add(&[x, root])?
            }
            Function::Arcosh => {
                let (above, below) = (self.sqrt(above)?, self.sqrt(below)?);
                let root = self.mul(&[above, below])?;
                self.add(&[x, root])?
            }
            _ => {
                let below = self.neg(below)?;
                let quotient = self.div(above, below)?;
                let logarithm = self.ln(quotient)?;
                return self.mul(&[Self::HALF, logarithm]);
            }
        };
        self.ln(inside)
    }

    /// `zeta(2), zeta(4), .. zeta(12)` are rational multiples of powers of pi.
    pub(super) fn zeta(&mut self, x: Id) -> Step<Id> {
        let (top, bottom) = match self.small(x) {
            Some(1) => return Err(Stop::Undefined("zeta(1) diverges")),
            Some(2) => (1, 6),
            Some(4) => (1, 90),
            Some(6) => (1, 945),
            Some(8) => (1, 9_450),
            Some(10) => (1, 93_555),
            _ => return self.call_node(Function::Zeta, x),
        };
        let (factor, power) = (self.ratio(top, bottom)?, self.pow(Self::PI, x)?);
        self.mul(&[factor, power])
    }
}
