//! Form against form.

use dashu::rational::RBig;

use super::chain::as_chain;
use super::form::{Form, Repeats};
use super::name::left_side;
use super::parameter::renamed;
use super::region::Region;
use super::signs::has_plus_minus;
use crate::math::ast::{Expr, Relation, Value};
use crate::math::decide::{Comparison, all};
use crate::math::{Outcome, Stage, Units, Verdict};

fn equal(reason: &'static str) -> Verdict {
    Verdict::new(Outcome::Equal, Stage::Structure, reason)
}

pub(super) fn different(reason: &'static str) -> Verdict {
    Verdict::new(Outcome::Different, Stage::Structure, reason)
}

fn settled(same: bool, what: (&'static str, &'static str)) -> Verdict {
    if same {
        equal(what.0)
    } else {
        different(what.1)
    }
}

impl Comparison<'_> {
    /// Compares two readings.
    pub(in crate::math) fn values(&mut self, gold: &Value, answer: &Value) -> Verdict {
        if let (Value::Expr(gold), Value::Expr(answer)) = (gold, answer)
            && !has_plus_minus(gold)
            && !has_plus_minus(answer)
        {
            return self.scalars(gold, answer);
        }
        // Of names, "and" is not "or"; of values both are a list of them.
        if let (Value::All(a), Value::Any(b)) | (Value::Any(b), Value::All(a)) = (gold, answer)
            && a.iter()
                .chain(b)
                .all(|part| matches!(part, Value::Expr(Expr::Symbol(_))))
        {
            return different("all of them and one of them");
        }
        let renamed = renamed(gold, answer);
        let answer = renamed.as_ref().unwrap_or(answer);
        let (left, right) = (self.form(gold), self.form(answer));
        self.forms_against(&left, &right)
    }

    pub(super) fn forms_against(&mut self, gold: &Form, answer: &Form) -> Verdict {
        match (gold, answer) {
            (Form::Scalar(a), Form::Scalar(b)) => self.scalars(a, b),
            (Form::Quantity(..), Form::Quantity(..) | Form::Scalar(_))
            | (Form::Scalar(_), Form::Quantity(..)) => self.quantities(gold, answer),
            (Form::Choice(a), Form::Choice(b)) => {
                settled(a == b, ("the same option", "different options"))
            }
            (Form::Truth(a), Form::Truth(b)) => {
                settled(a == b, ("the same truth value", "opposite truth values"))
            }
            // "T" answers what "True" answers.
            (Form::Truth(truth), Form::Scalar(Expr::Symbol(letter)))
            | (Form::Scalar(Expr::Symbol(letter)), Form::Truth(truth))
                if matches!(&**letter, "T" | "F") =>
            {
                settled(
                    *truth == (&**letter == "T"),
                    ("the same truth value", "opposite truth values"),
                )
            }
            (Form::Text(a), Form::Text(b)) => {
                settled(a == b, ("the same words", "different words"))
            }
            (Form::Time(a), Form::Time(b)) => settled(a == b, ("the same time", "different times")),
            (Form::Based(a), Form::Based(b)) => {
                settled(a == b, ("the same number", "different numbers"))
            }
            (Form::Based(a), Form::Scalar(b)) | (Form::Scalar(b), Form::Based(a)) => {
                let number = Expr::Number(crate::math::ast::Number {
                    value: a.clone(),
                    written: crate::math::ast::Written::Integer,
                });
                self.expressions(&number, b)
            }
            (Form::Ratio(a), Form::Ratio(b)) => self.ratios(a, b),
            (Form::Ratio(a), Form::Scalar(b)) | (Form::Scalar(b), Form::Ratio(a)) => {
                self.ratio_and_number(a, b)
            }
            (Form::Other(a), Form::Other(b)) => {
                settled(a == b, ("written the same", "set expressions that differ"))
            }
            (Form::Assigned(..), _) | (_, Form::Assigned(..)) => self.assignments(gold, answer),
            (Form::System(a), Form::System(b)) => self.unordered(a, b, Repeats::Counted),
            (Form::System(parts), other) => self.system_and_tuple(parts, other, true),
            (other, Form::System(parts)) => self.system_and_tuple(parts, other, false),
            (Form::Equation(a, b), Form::Equation(c, d)) => self.equations((a, b), (c, d)),
            (Form::Region(name, region), Form::Inequality(terms, relations)) => {
                match named_chain(name.as_deref(), region) {
                    Some((a, r)) => self.inequalities((&a, &r), (terms, relations)),
                    None => different("of different kinds"),
                }
            }
            (Form::Inequality(terms, relations), Form::Region(name, region)) => {
                match named_chain(name.as_deref(), region) {
                    Some((b, s)) => self.inequalities((terms, relations), (&b, &s)),
                    None => different("of different kinds"),
                }
            }
            (Form::Region(..), _) | (_, Form::Region(..)) => self.parts_of_the_line(gold, answer),
            (Form::Inequality(a, r), Form::Inequality(b, s)) => self.inequalities((a, r), (b, s)),
            (Form::Ordered(a), Form::Ordered(b)) => self.ordered(a, b),
            (Form::Unordered(a, x), Form::Unordered(b, y)) => {
                let repeats = if (*x, *y) == (Repeats::Counted, Repeats::Counted) {
                    Repeats::Counted
                } else {
                    Repeats::Ignored
                };
                self.unordered(a, b, repeats)
            }
            // "1, 2" for (1, 2): in this order only.
            (Form::Ordered(a), Form::Unordered(b, Repeats::Counted))
            | (Form::Unordered(a, Repeats::Counted), Form::Ordered(b)) => self.ordered(a, b),
            // {x} for x
            (Form::Unordered(items, _), other) => match &items[..] {
                [one] => self.forms_against(one, other),
                _ => different("a collection and a single value"),
            },
            (other, Form::Unordered(items, _)) => match &items[..] {
                [one] => self.forms_against(other, one),
                _ => different("a collection and a single value"),
            },
            _ => different("of different kinds"),
        }
    }

    /// Two expressions, where a top-level degree or percent sign may be a unit.
    fn scalars(&mut self, gold: &Expr, answer: &Expr) -> Verdict {
        let verdict = self.expressions(gold, answer);
        if verdict.outcome != Outcome::Different || self.options.units == Units::Require {
            return verdict;
        }
        let ignored = self.options.units == Units::Ignore;
        let bare =
            |expr| without_degrees(expr).or_else(|| without_percent(expr).filter(|_| ignored));
        let (left, right) = (bare(gold), bare(answer));
        if left.is_some() == right.is_some() {
            return verdict;
        }
        let again = self.expressions(left.unwrap_or(gold), right.unwrap_or(answer));
        if again.is_equal() { again } else { verdict }
    }

    fn ordered(&mut self, gold: &[Form], answer: &[Form]) -> Verdict {
        if gold.len() != answer.len() {
            return different("of different lengths");
        }
        let mut verdict = equal("the same parts in the same order");
        for (a, b) in gold.iter().zip(answer) {
            verdict = all(verdict, self.forms_against(a, b));
            if verdict.outcome == Outcome::Different {
                return verdict;
            }
        }
        verdict
    }

    /// A region against a region, or against what can be read as one.
    fn parts_of_the_line(&mut self, gold: &Form, answer: &Form) -> Verdict {
        let (Some((name, a)), Some((other, b))) =
            (gold.clone().into_region(), answer.clone().into_region())
        else {
            return match (gold, answer) {
                // {x} for x
                (Form::Unordered(items, _), other) if items.len() == 1 => {
                    self.forms_against(&items[0], other)
                }
                (other, Form::Unordered(items, _)) if items.len() == 1 => {
                    self.forms_against(other, &items[0])
                }
                _ => different("of different kinds"),
            };
        };
        if let (Some(name), Some(other)) = (&name, &other)
            && !may_be_one(name, other)
        {
            // x > 2y and y < x / 2 are one inequality, solved for one unknown and for the other.
            return match (as_chain(name, &a), as_chain(other, &b)) {
                (Some((a, r)), Some((b, s))) => match self.inequalities((&a, &r), (&b, &s)) {
                    verdict if verdict.outcome == Outcome::Different => {
                        different("different unknowns")
                    }
                    verdict => verdict,
                },
                _ => different("different unknowns"),
            };
        }
        self.regions(&a, &b)
    }

    fn assignments(&mut self, gold: &Form, answer: &Form) -> Verdict {
        if let (Some(name), Some(other)) = (gold.unknown(), answer.unknown())
            && !may_be_one(name, other)
            && (matches!(gold, Form::Region(..)) || matches!(answer, Form::Region(..)))
        {
            return different("different unknowns");
        }
        match (gold, answer) {
            (Form::Assigned(name, a), Form::Assigned(other, b)) => {
                if may_be_one(name, other) {
                    return self.forms_against(a, b);
                }
                // x = 2y and y = x / 2 are one equation, solved for one unknown and for the other.
                match (&**a, &**b) {
                    (Form::Scalar(a), Form::Scalar(b)) if !is_function(name) => {
                        match self.equations((&left_side(name), a), (&left_side(other), b)) {
                            verdict if verdict.outcome == Outcome::Different => {
                                different("different unknowns")
                            }
                            verdict => verdict,
                        }
                    }
                    _ => different("different unknowns"),
                }
            }
            (Form::Assigned(name, value), Form::Equation(c, d)) => match &**value {
                Form::Scalar(value) => self.equations((&left_side(name), value), (c, d)),
                _ => different("an equation and its solutions"),
            },
            (Form::Equation(c, d), Form::Assigned(name, value)) => match &**value {
                Form::Scalar(value) => self.equations((c, d), (&left_side(name), value)),
                _ => different("an equation and its solutions"),
            },
            (Form::Assigned(_, value), other) => self.forms_against(value, other),
            (other, Form::Assigned(_, value)) => self.forms_against(other, value),
            _ => different("of different kinds"),
        }
    }

    /// `x = 1, y = 2` against `(1, 2)`: in the order written, or by name.
    fn system_and_tuple(&mut self, parts: &[Form], other: &Form, system_first: bool) -> Verdict {
        let items = match other {
            Form::Ordered(items) => items,
            Form::Unordered(items, Repeats::Counted) => items,
            _ => return different("a system and something else"),
        };
        let mut named = Vec::with_capacity(parts.len());
        for part in parts {
            let Form::Assigned(name, value) = part else {
                return different("a system and something else");
            };
            named.push((name, &**value));
        }
        let written: Vec<Form> = named.iter().map(|(_, value)| (*value).clone()).collect();
        named.sort_by_key(|(name, _)| *name);
        let sorted: Vec<Form> = named.into_iter().map(|(_, value)| value.clone()).collect();
        let mut against = |values: &[Form]| {
            if system_first {
                self.ordered(values, items)
            } else {
                self.ordered(items, values)
            }
        };
        let verdict = against(&written);
        if verdict.is_equal() || sorted == written {
            return verdict;
        }
        let again = against(&sorted);
        if again.is_equal() { again } else { verdict }
    }

    fn ratios(&mut self, gold: &[Expr], answer: &[Expr]) -> Verdict {
        if gold.len() != answer.len() {
            return different("ratios of different lengths");
        }
        let (Some(a0), Some(b0)) = (gold.first(), answer.first()) else {
            return different("an empty ratio");
        };
        let product = |a: &Expr, b: &Expr| Expr::Mul(vec![a.clone(), b.clone()]);
        let mut verdict = equal("the same ratio");
        for (a, b) in gold.iter().zip(answer).skip(1) {
            verdict = all(verdict, self.expressions(&product(a0, b), &product(a, b0)));
        }
        verdict
    }

    fn ratio_and_number(&mut self, ratio: &[Expr], number: &Expr) -> Verdict {
        match ratio {
            [a, b] => {
                self.expressions(&Expr::Div(Box::new(a.clone()), Box::new(b.clone())), number)
            }
            _ => different("a ratio of more than two and a number"),
        }
    }
}

fn is_function(name: &str) -> bool {
    name.contains('(')
}

/// `y = 2x` and `f(x) = 2x` name the same graph; `x = 2` and `y = 2` are different answers.
fn may_be_one(name: &str, other: &str) -> bool {
    name == other || is_function(name) != is_function(other)
}

fn named_chain(name: Option<&str>, region: &Region) -> Option<(Vec<Expr>, Vec<Relation>)> {
    as_chain(name?, region)
}

/// What stands before a percent sign, where it is more than 1: "25" answers what "25%" answers, "0.5" and "0.5%" do not.
fn without_percent(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Percent(inner) => match &**inner {
            Expr::Number(number) if number.value > RBig::ONE => Some(inner),
            _ => None,
        },
        _ => None,
    }
}

/// What stands before a degree sign that ends the answer.
fn without_degrees(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Degrees(inner) => Some(inner),
        _ => None,
    }
}
