//! Two expressions as rational functions modulo two primes, at random points.
//!
//! Symbols, pi, e, logarithms and unknown functions stand for themselves: each gets a random residue. Square roots of
//! rationals and the imaginary unit are roots in the field, `x^(1/n)` for a symbol is a power of a residue whose
//! twelfth power is `x`, and exponentials, sines and cosines are powers of one residue per term of their exponents, so
//! that all their addition formulas hold.
//!
//! **Error bound.** If two expressions differ as functions of these atoms, their difference is a rational function with
//! a numerator of degree `d` (with 4,096 nodes, `d < 2^30` short of towers of powers, which are compared exactly), and
//! agrees with zero at a random point of a 61-bit field with a probability below `d / 2^60`: below `2^-60` over both
//! primes. That the difference vanishes modulo a prime because its coefficients are multiples of it has for numbers of
//! `n` bits a probability below `(n / 60 / 64)^2`, the primes being drawn from 64 by a hash of the input; the caller
//! rules that out, and the choice of the sign of a square root, by requiring that the `f64` balls of both sides meet.

mod field;

use dashu::base::BitTest as _;
use dashu::integer::IBig;
use dashu::rational::RBig;

use self::field::{Field, Residue};
use super::arena::{Arena, Id, Node};
use super::ast::{Constant, Function};
use super::decide::points::step;
use super::exact;
use super::fuel::{Step, Stop};

/// Exponents of symbols and of exponentials may be multiples of `1/SCALE`.
const SCALE: i64 = 12;

/// What two primes say of two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The same residues: equal, but for the probability stated above.
    Same,
    /// Different residues of expressions without relations between their atoms: different, proven.
    Different,
    /// Nothing: an atom may hide a relation, or a denominator vanished.
    Unknown,
}

/// Compares two nodes that are no numbers.
pub(crate) fn compare(arena: &Arena, a: Id, b: Id, seed: u64) -> Step<Agreement> {
    let mut free = true;
    let (mut done, mut tries) = (0, 0);
    while done < 2 {
        tries += 1;
        if tries > 6 {
            return Ok(Agreement::Unknown);
        }
        let seed = step(seed ^ tries);
        let mut residues = Residues::new(arena, seed);
        let (Some(x), Some(y)) = (residues.value(a)?, residues.value(b)?) else {
            continue;
        };
        free &= residues.free && !(residues.pi && residues.e);
        if x != y {
            return Ok(if free {
                Agreement::Different
            } else {
                Agreement::Unknown
            });
        }
        done += 1;
    }
    Ok(Agreement::Same)
}

/// The residues of nodes in one field at one point.
struct Residues<'a> {
    arena: &'a Arena,
    field: Field,
    seed: u64,
    known: Vec<Option<Residue>>,
    /// No atom was met that may be related to another one.
    free: bool,
    pi: bool,
    e: bool,
}

impl<'a> Residues<'a> {
    fn new(arena: &'a Arena, seed: u64) -> Self {
        let field = Field::new((seed >> 32) as usize);
        Self {
            arena,
            field,
            seed,
            known: vec![None; arena.len()],
            free: true,
            pi: false,
            e: false,
        }
    }

    /// The residue; `None` when a denominator vanishes.
    fn value(&mut self, id: Id) -> Step<Option<Residue>> {
        if let Some(known) = self.known[id.index()] {
            return Ok(Some(known));
        }
        self.arena.fuel.spend(4)?;
        let value = self.compute(id)?;
        self.known[id.index()] = value;
        Ok(value)
    }

    fn compute(&mut self, id: Id) -> Step<Option<Residue>> {
        let (arena, field) = (self.arena, self.field);
        match arena.node(id) {
            Node::Number(value) => self.number(value),
            Node::Constant(Constant::I) => {
                arena.fuel.spend(100)?;
                Ok(Some(field.imaginary_unit()))
            }
            Node::Constant(Constant::Pi) => {
                self.pi = true;
                Ok(Some(self.random(1, Arena::PI)))
            }
            Node::Constant(Constant::E) => {
                self.e = true;
                let root = self.random(2, Arena::E);
                Ok(Some(field.pow(root, SCALE as u64)))
            }
            Node::Constant(Constant::Infinity) => Err(Stop::Undefined("infinity inside a formula")),
            Node::Symbol(_) => {
                let root = self.symbol_root(id);
                Ok(Some(field.pow(root, SCALE as u64)))
            }
            Node::Add(terms) => {
                let mut sum = Field::zero();
                for &term in terms {
                    let Some(term) = self.value(term)? else {
                        return Ok(None);
                    };
                    sum = field.add(sum, term);
                }
                Ok(Some(sum))
            }
            Node::Mul(factors) => {
                let mut product = field.one();
                for &factor in factors {
                    let Some(factor) = self.value(factor)? else {
                        return Ok(None);
                    };
                    product = field.mul(product, factor);
                }
                Ok(Some(product))
            }
            Node::Pow(base, exponent) => self.power(id, *base, *exponent),
            Node::Call(function @ (Function::Sin | Function::Cos), arguments) => {
                self.circular(id, *function, arguments[0])
            }
            Node::Call(..) => Ok(Some(self.opaque(id))),
            Node::Apply(..) => Ok(Some(self.symbol_root(id))),
        }
    }

    fn number(&self, value: &RBig) -> Step<Option<Residue>> {
        self.arena.fuel.spend(exact::bits(value) as u64 / 32 + 4)?;
        let top = self.field.integer(value.numerator());
        if value.denominator().is_one() {
            return Ok(Some(top));
        }
        self.arena.fuel.spend(60)?;
        let bottom = self.field.magnitude(value.denominator());
        Ok(self
            .field
            .inverse(bottom)
            .map(|inverse| self.field.mul(top, inverse)))
    }

    /// A residue that is not zero, for one purpose and node.
    fn random(&self, purpose: u64, id: Id) -> Residue {
        self.field
            .small(1 | step(self.seed ^ step(purpose ^ step(id.index() as u64))) >> 4)
    }

    fn symbol_root(&self, id: Id) -> Residue {
        self.field
            .small(1 | step(self.seed ^ step(3 ^ step(id.index() as u64))) >> 4)
    }

    fn opaque(&mut self, id: Id) -> Residue {
        self.free = false;
        self.random(4, id)
    }

    fn power(&mut self, id: Id, base: Id, exponent: Id) -> Step<Option<Residue>> {
        let (arena, field) = (self.arena, self.field);
        let Some(number) = arena.number(exponent) else {
            self.free = false;
            return match self.exponential(base, exponent, field.one(), false)? {
                Some(value) => Ok(value),
                None => Ok(Some(self.opaque(id))),
            };
        };
        if let Some(count) = exact::integer(number) {
            arena
                .fuel
                .spend(20 + count.as_sign_words().1.len() as u64 * 8)?;
            let Some(base) = self.value(base)? else {
                return Ok(None);
            };
            return Ok(field.power(base, count));
        }
        arena.fuel.spend(200)?;
        if let Node::Symbol(_) | Node::Constant(Constant::E) = arena.node(base)
            && let Some(count) = twelfths(number)
        {
            let root = if base == Arena::E {
                self.random(2, base)
            } else {
                self.symbol_root(base)
            };
            self.e |= base == Arena::E;
            return Ok(field.power(root, &IBig::from(count)));
        }
        self.free = false;
        if let Node::Number(_) = arena.node(base)
            && let Ok(index) = u64::try_from(number.denominator())
            && number.denominator().bit_len() < 32
        {
            let Some(base) = self.value(base)? else {
                return Ok(None);
            };
            if let Some(root) = field.root(base, index) {
                return Ok(field.power(root, number.numerator()));
            }
        }
        Ok(Some(self.opaque(id)))
    }

    /// `base^exponent`, or `e^(i exponent)` when `turned`, times `factor`: one residue for each term of the exponent.
    /// The outer `None` when a coefficient does not fit, the inner one when a denominator vanishes.
    fn exponential(
        &mut self,
        base: Id,
        exponent: Id,
        factor: Residue,
        turned: bool,
    ) -> Step<Option<Option<Residue>>> {
        let (arena, field) = (self.arena, self.field);
        let terms: &[Id] = match arena.node(exponent) {
            Node::Add(terms) => terms,
            _ => &[exponent],
        };
        let mut product = factor;
        for &term in terms {
            arena.fuel.spend(80)?;
            let (coefficient, key, imaginary, is_pi) = self.term(base, term);
            let both = imaginary && turned;
            let imaginary = imaginary != turned;
            let coefficient = if both { -coefficient } else { coefficient };
            let power = if is_pi && imaginary && base == Arena::E {
                self.point_on_circle(&coefficient)
            } else if key == 0 && base != Arena::E {
                // A number in the exponent of a number: its own power.
                match exact::integer(&coefficient) {
                    Some(count) if !imaginary => {
                        let Some(value) = self.value(base)? else {
                            return Ok(Some(None));
                        };
                        field.power(value, count)
                    }
                    _ => None,
                }
            } else {
                twelfths(&coefficient).and_then(|count| {
                    let purpose = key.wrapping_mul(2) + u64::from(imaginary);
                    let root = if key == 0 && !imaginary {
                        self.random(2, Arena::E)
                    } else {
                        field.small(1 | step(self.seed ^ step(5 ^ step(purpose))) >> 4)
                    };
                    field.power(root, &IBig::from(count))
                })
            };
            let Some(power) = power else { return Ok(None) };
            product = field.mul(product, power);
        }
        Ok(Some(Some(product)))
    }

    /// A term of an exponent: its rational coefficient, a key for the rest (0 for none), whether the imaginary unit
    /// was in it, and whether the rest is pi alone.
    fn term(&self, base: Id, term: Id) -> (RBig, u64, bool, bool) {
        let arena = self.arena;
        let factors: &[Id] = match arena.node(term) {
            Node::Mul(factors) => factors,
            _ => std::slice::from_ref(&term),
        };
        let (mut coefficient, mut imaginary, mut key, mut rest) =
            (RBig::ONE, false, 0u64, Vec::new());
        for &factor in factors {
            match arena.node(factor) {
                Node::Number(value) => coefficient = value.clone(),
                Node::Constant(Constant::I) => imaginary = true,
                _ => {
                    rest.push(factor);
                    key = step(key ^ step(factor.index() as u64 + 1)) | 1;
                }
            }
        }
        if base != Arena::E && key != 0 {
            key = step(key ^ base.index() as u64) | 1;
        }
        (coefficient, key, imaginary, rest == [Arena::PI])
    }

    /// `e^(i pi q)` for a multiple `q` of 1/12.
    fn point_on_circle(&self, turn: &RBig) -> Option<Residue> {
        let count = twelfths(turn)?;
        let field = self.field;
        let half = field.inverse(field.small(2))?;
        let (unit, root2, root3) = (
            field.imaginary_unit(),
            field.sqrt(field.small(2))?,
            field.sqrt(field.small(3))?,
        );
        // e^(i pi/3) e^(-i pi/4)
        let third = field.mul(half, field.add(field.one(), field.mul(unit, root3)));
        let quarter = field.mul(
            field.mul(half, root2),
            field.add(field.one(), field.neg(unit)),
        );
        field.power(field.mul(third, quarter), &IBig::from(count))
    }

    /// The sine or cosine from `e^(i x)`.
    fn circular(&mut self, id: Id, function: Function, angle: Id) -> Step<Option<Residue>> {
        let field = self.field;
        self.free = false;
        self.arena.fuel.spend(150)?;
        let Some(point) = self.exponential(Arena::E, angle, field.one(), true)? else {
            return Ok(Some(self.opaque(id)));
        };
        let Some(point) = point else { return Ok(None) };
        let (Some(opposite), Some(half)) = (field.inverse(point), field.inverse(field.small(2)))
        else {
            return Ok(None);
        };
        Ok(Some(if function == Function::Cos {
            field.mul(half, field.add(point, opposite))
        } else {
            // 1 / (2i) = -i / 2
            let unit = field.neg(field.imaginary_unit());
            field.mul(field.mul(half, unit), field.add(point, field.neg(opposite)))
        }))
    }
}

/// `12 q`, if that is a small integer.
fn twelfths(value: &RBig) -> Option<i64> {
    if exact::bits(value) > 40 {
        return None;
    }
    exact::small(&(value * RBig::from(SCALE)))
}
