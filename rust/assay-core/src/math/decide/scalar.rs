//! Two numbers, formulas or matrices.

use std::cmp::Ordering;

use super::discrete::discrete_symbols;
use super::numeric::{self, Values};
use super::tolerance::{self, Allowed};
use super::{Comparison, powers};
use crate::math::arena::{Arena, Built, Id, Node, Roots};
use crate::math::ast::{Constant, Expr, Function};
use crate::math::balls::Big;
use crate::math::eval::{self, Evaluator, Point};
use crate::math::exact;
use crate::math::fuel::{Step, Stop};
use crate::math::modular::{self, Agreement};
use crate::math::{Outcome, Stage, Verdict};

/// Values for the symbols that stand for whole numbers; every symbol after the first gets three more.
const WHOLE: [i64; 6] = [2, 3, 4, 5, 7, 10];

impl Comparison<'_> {
    /// Compares two expressions; whatever cannot be settled is undecided.
    pub(in crate::math) fn expressions(&mut self, gold: &Expr, answer: &Expr) -> Verdict {
        if let (Some(left), Some(right)) = (plain_number(gold), plain_number(answer)) {
            if left == right {
                return EQUAL_NUMBERS;
            }
            if matches!((gold, answer), (Expr::Number(a), Expr::Number(b)) if a.written == b.written)
                && self.is_untolerant()
            {
                return DIFFERENT_NUMBERS;
            }
        }
        match (infinite(gold), infinite(answer)) {
            (Some(left), Some(right)) if left == right => {
                return Verdict::new(Outcome::Equal, Stage::Exact, "both are infinite");
            }
            (None, None) => {}
            _ => {
                return Verdict::new(
                    Outcome::Different,
                    Stage::Exact,
                    "only one side is that infinity",
                );
            }
        }
        let verdict = self.settle(gold, answer);
        if verdict.outcome == Outcome::Equal {
            return verdict;
        }
        self.with_tolerance(gold, answer).unwrap_or(verdict)
    }

    /// With real roots first; where complex numbers are about, with principal roots, too.
    fn settle(&mut self, gold: &Expr, answer: &Expr) -> Verdict {
        let verdict = self.stops_to_verdict(|this| this.build_and_compare(gold, answer));
        if verdict.outcome == Outcome::Equal
            || !(has_imaginary_unit(gold) || has_imaginary_unit(answer))
        {
            return verdict;
        }
        self.arena.roots = Roots::Principal;
        let principal = self.stops_to_verdict(|this| this.build_and_compare(gold, answer));
        self.arena.roots = Roots::Real;
        if principal.outcome == Outcome::Equal {
            principal
        } else {
            verdict
        }
    }

    pub(in crate::math) fn stops_to_verdict(
        &mut self,
        step: impl FnOnce(&mut Self) -> Step<Verdict>,
    ) -> Verdict {
        match step(self) {
            Ok(verdict) => verdict,
            Err(Stop::Fuel) => {
                Verdict::new(Outcome::Undecided, Stage::Fuel, "the work budget is spent")
            }
            Err(Stop::Unsupported(what)) => Verdict::new(
                Outcome::Undecided,
                Stage::Numeric,
                format!("not evaluated: {what}"),
            ),
            Err(Stop::Undefined(what)) => Verdict::new(
                Outcome::Different,
                Stage::Exact,
                format!("undefined: {what}"),
            ),
        }
    }

    fn build_and_compare(&mut self, gold: &Expr, answer: &Expr) -> Step<Verdict> {
        let mut names = Vec::new();
        discrete_symbols(gold, &mut names);
        discrete_symbols(answer, &mut names);
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return self.build_both(gold, answer);
        }
        // At six sets of whole numbers, exactly.
        let mut result = Verdict::new(
            Outcome::Equal,
            Stage::Exact,
            "equal at six sets of whole numbers",
        );
        for start in WHOLE {
            let verdict = self.at_whole_numbers(&names, start, gold, answer)?;
            if verdict.outcome != Outcome::Equal {
                return Ok(verdict);
            }
            result.stage = verdict.stage;
        }
        result.probable = true;
        Ok(result)
    }

    fn at_whole_numbers(
        &mut self,
        names: &[Box<str>],
        start: i64,
        gold: &Expr,
        answer: &Expr,
    ) -> Step<Verdict> {
        let Some((name, rest)) = names.split_first() else {
            return self.build_both(gold, answer);
        };
        let value = self.arena.integer(start)?;
        // `bound` borrows the arena; the comparison needs it too, so the scope is opened by hand.
        self.arena.open_scope(name, value);
        let verdict = self.at_whole_numbers(rest, start + 3, gold, answer);
        self.arena.close_scope();
        verdict
    }

    fn build_both(&mut self, gold: &Expr, answer: &Expr) -> Step<Verdict> {
        let left = self.arena.build(gold);
        let right = self.arena.build(answer);
        let (left, right) = match (left, right) {
            (Err(Stop::Undefined(what)), Err(Stop::Undefined(_))) => {
                let reason = format!("neither side is defined: {what}");
                return Ok(Verdict::new(Outcome::Undecided, Stage::Exact, reason));
            }
            (left, right) => (left?, right?),
        };
        match (left, right) {
            (Built::Scalar(a), Built::Scalar(b)) => self.nodes(a, b),
            (Built::Matrix(a), Built::Matrix(b)) => {
                if (a.rows, a.columns) != (b.rows, b.columns) {
                    return Ok(Verdict::new(
                        Outcome::Different,
                        Stage::Structure,
                        "matrices of different shapes",
                    ));
                }
                let mut all = Verdict::new(Outcome::Equal, Stage::Exact, "the same matrix");
                for (&x, &y) in a.cells.iter().zip(&b.cells) {
                    let cell = self.nodes(x, y)?;
                    all = super::combine::all(all, cell);
                    if all.outcome == Outcome::Different {
                        return Ok(Verdict::new(
                            Outcome::Different,
                            Stage::Structure,
                            "an entry differs",
                        ));
                    }
                }
                Ok(all)
            }
            _ => Ok(Verdict::new(
                Outcome::Different,
                Stage::Structure,
                "only one side is a matrix",
            )),
        }
    }

    /// Compares two nodes: by form, exactly, modulo primes, by values.
    pub(in crate::math) fn nodes(&mut self, a: Id, b: Id) -> Step<Verdict> {
        if a == b {
            return self.same_node(a);
        }
        let arena = &mut self.arena;
        if arena.number(a).is_some() && arena.number(b).is_some() {
            return Ok(DIFFERENT_NUMBERS);
        }
        let constant = !(arena.facts(a).symbolic || arena.facts(b).symbolic);
        if constant && let Some(equal) = powers::compare(arena, a, b)? {
            return Ok(if equal {
                Verdict::new(Outcome::Equal, Stage::Exact, "the same prime powers")
            } else {
                Verdict::new(Outcome::Different, Stage::Exact, "different prime powers")
            });
        }
        let look = numeric::first_look(arena, a, b, self.seed)?;
        if look.values == Values::Different {
            return Ok(Verdict::new(
                Outcome::Different,
                Stage::Numeric,
                "different values",
            ));
        }
        match modular::compare(arena, a, b, self.seed)? {
            Agreement::Same => {
                return Ok(Verdict {
                    probable: true,
                    ..Verdict::new(
                        Outcome::Equal,
                        Stage::Modular,
                        "equal modulo two 61-bit primes",
                    )
                });
            }
            Agreement::Different => {
                return Ok(Verdict::new(
                    Outcome::Different,
                    Stage::Modular,
                    "different modulo a prime",
                ));
            }
            Agreement::Unknown => {}
        }
        match numeric::closer_look(arena, a, b, &look.points)? {
            Values::Different => Ok(Verdict::new(
                Outcome::Different,
                Stage::Numeric,
                "different values",
            )),
            Values::Close => Ok(Verdict {
                probable: true,
                ..Verdict::new(Outcome::Equal, Stage::Numeric, "values agree to 200 bits")
            }),
            Values::Open => self.by_difference(a, b),
        }
    }

    /// The last resort: the difference may fold to something known.
    fn by_difference(&mut self, a: Id, b: Id) -> Step<Verdict> {
        let difference = self.arena.sub(a, b)?;
        let difference = self.arena.expand_products(difference)?;
        Ok(match self.arena.number(difference) {
            Some(value) if value.is_zero() => {
                Verdict::new(Outcome::Equal, Stage::Exact, "the difference is zero")
            }
            Some(_) => Verdict::new(
                Outcome::Different,
                Stage::Exact,
                "the difference is not zero",
            ),
            None => Verdict::new(
                Outcome::Undecided,
                Stage::Numeric,
                "values too close or too large to tell apart",
            ),
        })
    }

    /// One node on both sides: equal, if it has a value.
    fn same_node(&mut self, id: Id) -> Step<Verdict> {
        const EQUAL: Verdict = equal_form();
        if !may_be_undefined(&self.arena, id) {
            return Ok(EQUAL);
        }
        Ok(match numeric::is_defined(&self.arena, id, self.seed)? {
            Some(true) => EQUAL,
            Some(false) => {
                Verdict::new(Outcome::Undecided, Stage::Exact, "neither side is defined")
            }
            None => Verdict::new(
                Outcome::Undecided,
                Stage::Exact,
                "both sides may be undefined",
            ),
        })
    }

    fn is_untolerant(&self) -> bool {
        !matches!(
            self.options.tolerance,
            crate::math::Tolerance::Within { .. }
        )
    }

    /// Equal by tolerance, or nothing.
    fn with_tolerance(&mut self, gold: &Expr, answer: &Expr) -> Option<Verdict> {
        let allowed = tolerance::allowed(gold, answer, self.options.tolerance)?;
        let within = self.within(gold, answer, allowed).ok()?;
        within.then(|| {
            Verdict::new(
                Outcome::Equal,
                Stage::Tolerance,
                "within the tolerance of the decimal",
            )
        })
    }

    fn within(&mut self, gold: &Expr, answer: &Expr, allowed: Allowed) -> Step<bool> {
        let (a, b) = (
            self.arena.build_scalar(gold)?,
            self.arena.build_scalar(answer)?,
        );
        if self.arena.facts(a).symbolic || self.arena.facts(b).symbolic {
            return Ok(false);
        }
        let tolerance = match allowed {
            Allowed::Absolute(value) => self.arena.rational(value)?,
            Allowed::Within { absolute, relative } => {
                let magnitude = self.arena.modulus(a)?;
                let relative = self.arena.rational(relative)?;
                let scaled = self.arena.mul(&[relative, magnitude])?;
                let absolute = self.arena.rational(absolute)?;
                if numeric::is_within(&mut self.arena, a, b, scaled)? == Some(true) {
                    return Ok(true);
                }
                absolute
            }
        };
        Ok(numeric::is_within(&mut self.arena, a, b, tolerance)? == Some(true))
    }
}

const EQUAL_NUMBERS: Verdict = Verdict::fixed(Outcome::Equal, Stage::Exact, "the same number");
const DIFFERENT_NUMBERS: Verdict =
    Verdict::fixed(Outcome::Different, Stage::Exact, "two different numbers");

const fn equal_form() -> Verdict {
    Verdict::fixed(Outcome::Equal, Stage::Exact, "the same in normal form")
}

fn plain_number(expr: &Expr) -> Option<&dashu::rational::RBig> {
    match expr {
        Expr::Number(number) => Some(&number.value),
        _ => None,
    }
}

/// `Some(negative)` for an infinity that is the whole expression.
fn infinite(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(false),
        Expr::Neg(inner) => infinite(inner).map(|negative| !negative),
        _ => None,
    }
}

fn has_imaginary_unit(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(constant) => *constant == Constant::I,
        Expr::Number(_) | Expr::Symbol(_) => false,
        Expr::Add(parts) | Expr::Mul(parts) | Expr::Call(_, parts) | Expr::Apply(_, parts) => {
            parts.iter().any(has_imaginary_unit)
        }
        Expr::Div(a, b) | Expr::Pow(a, b) => has_imaginary_unit(a) || has_imaginary_unit(b),
        Expr::Neg(inner)
        | Expr::Percent(inner)
        | Expr::Degrees(inner)
        | Expr::PlusMinus(_, inner) => has_imaginary_unit(inner),
        Expr::Bind { body, .. } => has_imaginary_unit(body),
        Expr::Matrix(rows) => rows.iter().flatten().any(has_imaginary_unit),
    }
}

/// Whether something in the node may be a division by zero or the logarithm of zero that building it did not see.
fn may_be_undefined(arena: &Arena, id: Id) -> bool {
    match arena.node(id) {
        Node::Number(_) | Node::Constant(_) | Node::Symbol(_) => false,
        Node::Add(parts) | Node::Mul(parts) | Node::Apply(_, parts) => {
            parts.iter().any(|&part| may_be_undefined(arena, part))
        }
        Node::Pow(base, exponent) => {
            let safe = matches!(arena.node(*base), Node::Symbol(_))
                || arena.is_nonzero(*base)
                || arena
                    .number(*exponent)
                    .is_some_and(|value| !exact::is_negative(value) && !value.is_zero());
            !safe || may_be_undefined(arena, *base) || may_be_undefined(arena, *exponent)
        }
        Node::Call(function, parts) => {
            let total = matches!(
                function,
                Function::Sin
                    | Function::Cos
                    | Function::Abs
                    | Function::Floor
                    | Function::Ceil
                    | Function::Factorial
            );
            let safe = total
                || *function == Function::Ln
                    && parts
                        .iter()
                        .all(|&part| matches!(arena.node(part), Node::Symbol(_) | Node::Number(_)));
            !safe || parts.iter().any(|&part| may_be_undefined(arena, part))
        }
    }
}

/// Whether a constant is proven not to be zero.
pub(super) fn is_surely_nonzero(arena: &Arena, id: Id) -> Step<bool> {
    if matches!(
        eval::sign(arena, id)?,
        Some(Ordering::Less | Ordering::Greater)
    ) {
        return Ok(true);
    }
    let point = Point::default();
    let value = Evaluator::<Big>::new(arena, &point, 320)
        .evaluate(id)?
        .value;
    Ok(value.is_disjoint(&crate::math::balls::Complex::real(
        <Big as crate::math::balls::Real>::zero(),
    )))
}
