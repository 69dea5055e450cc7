//! Chains of relations: assignments, equations, intervals, inequalities.

use std::cmp::Reverse;

use super::equation::flipped;
use super::form::Form;
use super::name::{contains, is_free, left_side, lengths, name_of};
use super::region::{Region, infinite};
use super::signs::scalar;
use crate::math::ast::{End, Expr, Relation};
use crate::math::decide::{Comparison, all_symbols};

impl Comparison<'_> {
    pub(super) fn chain(&mut self, terms: &[Expr], relations: &[Relation]) -> Form {
        if relations
            .iter()
            .all(|relation| matches!(relation, Relation::Equal | Relation::Approx))
        {
            return self.equalities(terms);
        }
        if let Some((name, region)) = isolated(terms, relations) {
            return Form::Region(Some(name), region);
        }
        let mut names = Vec::new();
        terms.iter().for_each(|term| all_symbols(term, &mut names));
        names.sort_unstable();
        names.dedup();
        match &names[..] {
            [variable] => Form::Region(
                Some(variable.clone()),
                Region::Condition {
                    variable: variable.clone(),
                    terms: terms.to_vec(),
                    relations: relations.to_vec(),
                },
            ),
            _ => Form::Inequality(terms.to_vec(), relations.to_vec()),
        }
    }

    /// `x = 2`, `x = 1 + 1 = 2`, `1 + 1 = 2`, `x + y = 2`.
    fn equalities(&mut self, terms: &[Expr]) -> Form {
        let (Some(first), Some(last)) = (terms.first(), terms.last()) else {
            return Form::System(Vec::new());
        };
        if let Some(name) = name_of(first)
            && !contains(last, &name)
        {
            return Form::Assigned(name, Box::new(scalar(last)));
        }
        // AB = 5, |PQ| = 3, AB/CD = 2: a length or a ratio of lengths with its value.
        if let Some(name) = lengths(first)
            && is_free(last)
        {
            return Form::Assigned(name, Box::new(scalar(last)));
        }
        if let (Expr::Symbol(name), 2) = (last, terms.len())
            && !contains(first, name)
        {
            return Form::Assigned(name.clone(), Box::new(scalar(first)));
        }
        let mut names = Vec::new();
        terms.iter().for_each(|term| all_symbols(term, &mut names));
        if names.is_empty() {
            // A computation; its result counts if it is right.
            let right = terms
                .windows(2)
                .all(|pair| self.expressions(&pair[0], &pair[1]).is_equal());
            if right {
                return scalar(last);
            }
        }
        match terms {
            [left, right] => Form::Equation(left.clone(), right.clone()),
            _ => Form::System(
                terms
                    .windows(2)
                    .map(|pair| Form::Equation(pair[0].clone(), pair[1].clone()))
                    .collect(),
            ),
        }
    }
}

/// `a < x <= b` and `x < a`, `a` and `b` free of `x`: the unknown and an interval, whatever else is in its ends.
fn isolated(terms: &[Expr], relations: &[Relation]) -> Option<(Box<str>, Region)> {
    match (terms, relations) {
        ([left, right], [relation]) => {
            let (name, bound, relation) = match (left, right) {
                // x > y and y < x are about one unknown.
                (Expr::Symbol(a), Expr::Symbol(b)) if rank(b) < rank(a) => {
                    (b, left, flipped(*relation))
                }
                (Expr::Symbol(name), bound) if !contains(bound, name) => (name, bound, *relation),
                (bound, Expr::Symbol(name)) if !contains(bound, name) => {
                    (name, bound, flipped(*relation))
                }
                _ => return None,
            };
            Some((name.clone(), half_line(bound, relation)?))
        }
        ([low, middle, high], [first, second]) => {
            let name = name_of(middle)?;
            let bounded = match middle {
                Expr::Symbol(name) => !contains(low, name) && !contains(high, name),
                // The values of a function: 0 < f(x) < 1.
                _ => is_free(low) && is_free(high),
            };
            if !bounded || is_upward(*first)? != is_upward(*second)? {
                return None;
            }
            let (left, right) = (end(low, *first), end(high, *second));
            let region = if is_upward(*first)? {
                Region::Interval(left, right)
            } else {
                Region::Interval(right, left)
            };
            Some((name, region))
        }
        _ => None,
    }
}

/// Which of two letters is the unknown: x, y, z, then the later in the alphabet.
fn rank(name: &str) -> (usize, Reverse<&str>) {
    let place = ["x", "y", "z"].iter().position(|first| *first == name);
    (place.unwrap_or(3), Reverse(name))
}

/// The numbers that stand in a relation to `bound`.
fn half_line(bound: &Expr, relation: Relation) -> Option<Region> {
    if relation == Relation::NotEqual {
        let all = Region::Interval(End::infinite(true), End::infinite(false));
        let point = Region::Points(vec![bound.clone()]);
        return Some(Region::Difference(Box::new(all), Box::new(point)));
    }
    Some(if is_upward(relation)? {
        Region::Interval(End::infinite(true), end(bound, relation))
    } else {
        Region::Interval(end(bound, relation), End::infinite(false))
    })
}

/// `<` and `<=`; none for what is no order.
fn is_upward(relation: Relation) -> Option<bool> {
    match relation {
        Relation::Less | Relation::LessEqual => Some(true),
        Relation::Greater | Relation::GreaterEqual => Some(false),
        Relation::Equal | Relation::NotEqual | Relation::Approx => None,
    }
}

fn end(at: &Expr, relation: Relation) -> End {
    End {
        at: at.clone(),
        closed: !matches!(relation, Relation::Less | Relation::Greater),
    }
}

/// The chain that [`isolated`] took an interval from.
pub(super) fn as_chain(name: &str, region: &Region) -> Option<(Vec<Expr>, Vec<Relation>)> {
    let Region::Interval(from, to) = region else {
        return None;
    };
    let less = |closed| {
        if closed {
            Relation::LessEqual
        } else {
            Relation::Less
        }
    };
    let (mut terms, mut relations) = (Vec::with_capacity(3), Vec::with_capacity(2));
    if infinite(&from.at).is_none() {
        terms.push(from.at.clone());
        relations.push(less(from.closed));
    }
    terms.push(left_side(name));
    if infinite(&to.at).is_none() {
        relations.push(less(to.closed));
        terms.push(to.at.clone());
    }
    Some((terms, relations))
}
