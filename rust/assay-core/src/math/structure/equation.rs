//! Equations and inequalities in several unknowns: the same up to a factor.

use std::cmp::Ordering;

use super::compare::different;
use crate::math::arena::{Arena, Id, Node};
use crate::math::ast::{Expr, Relation};
use crate::math::decide::Comparison;
use crate::math::exact;
use crate::math::fuel::Step;
use crate::math::{Outcome, Stage, Verdict};

impl Comparison<'_> {
    /// `a = b` against `c = d`: one difference of sides is a constant times the other, as written or with their
    /// denominators cleared.
    pub(super) fn equations(&mut self, gold: (&Expr, &Expr), answer: (&Expr, &Expr)) -> Verdict {
        self.stops_to_verdict(|this| {
            let f = this.difference(gold)?;
            let g = this.difference(answer)?;
            let verdict = this.proportional(f, g)?;
            if verdict.is_equal() {
                return Ok(verdict);
            }
            let (f, g) = (this.arena.numerator(f)?, this.arena.numerator(g)?);
            let cleared = this.proportional(f, g)?;
            Ok(if cleared.is_equal() { cleared } else { verdict })
        })
    }

    fn difference(&mut self, sides: (&Expr, &Expr)) -> Step<Id> {
        let (left, right) = (
            self.arena.build_scalar(sides.0)?,
            self.arena.build_scalar(sides.1)?,
        );
        self.arena.sub(left, right)
    }

    /// Whether `f(P) g(Q) = f(Q) g(P)` for all points `P` and `Q`.
    fn proportional(&mut self, f: Id, g: Id) -> Step<Verdict> {
        if f == g {
            return Ok(Verdict::new(
                Outcome::Equal,
                Stage::Structure,
                "the same equation",
            ));
        }
        if f == Arena::ZERO || g == Arena::ZERO || self.arena.symbols(f) != self.arena.symbols(g) {
            return Ok(different("equations in different unknowns"));
        }
        let (at_other, other) = (self.elsewhere(f)?, self.elsewhere(g)?);
        let left = self.arena.mul(&[f, other])?;
        let right = self.arena.mul(&[at_other, g])?;
        let verdict = self.nodes(left, right)?;
        Ok(match verdict.outcome {
            Outcome::Equal => Verdict {
                reason: "the same relation up to a factor".into(),
                ..verdict
            },
            Outcome::Different => different("relations that are no multiples of each other"),
            Outcome::Undecided => verdict,
        })
    }

    /// The node with every symbol replaced by another one.
    fn elsewhere(&mut self, id: Id) -> Step<Id> {
        let mut moved = id;
        for name in self.arena.symbols(id) {
            let other = self.arena.symbol(&format!("{name}\u{4}"))?;
            moved = self.arena.substitute(moved, &name, other)?;
        }
        Ok(moved)
    }

    /// Chains of one length, link by link: up to a positive factor, or both ways round.
    pub(super) fn inequalities(
        &mut self,
        gold: (&[Expr], &[Relation]),
        answer: (&[Expr], &[Relation]),
    ) -> Verdict {
        if gold.1.len() != answer.1.len() {
            return different("chains of different lengths");
        }
        let reversed: (Vec<Expr>, Vec<Relation>) = (
            answer.0.iter().rev().cloned().collect(),
            answer
                .1
                .iter()
                .rev()
                .map(|relation| flipped(*relation))
                .collect(),
        );
        let verdict = self.links(gold, answer);
        if verdict.is_equal() || gold.1.len() == 1 {
            return verdict;
        }
        let again = self.links(gold, (&reversed.0, &reversed.1));
        if again.is_equal() { again } else { verdict }
    }

    fn links(&mut self, gold: (&[Expr], &[Relation]), answer: (&[Expr], &[Relation])) -> Verdict {
        let mut verdict = Verdict::new(Outcome::Equal, Stage::Structure, "the same inequality");
        for (index, (first, second)) in gold.1.iter().zip(answer.1).enumerate() {
            let sides =
                |terms: &[Expr]| Some((terms.get(index)?.clone(), terms.get(index + 1)?.clone()));
            let (Some(a), Some(b)) = (sides(gold.0), sides(answer.0)) else {
                return different("a chain without its terms");
            };
            let link = self
                .stops_to_verdict(|this| this.link((&a.0, &a.1), *first, (&b.0, &b.1), *second));
            verdict = crate::math::decide::all(verdict, link);
        }
        verdict
    }

    /// `f < 0` against `g < 0`, each brought to that direction.
    fn link(
        &mut self,
        gold: (&Expr, &Expr),
        first: Relation,
        answer: (&Expr, &Expr),
        second: Relation,
    ) -> Step<Verdict> {
        let f = self.oriented(gold, first)?;
        let g = self.oriented(answer, second)?;
        if f.1 != g.1 {
            return Ok(different("different relations"));
        }
        let verdict = self.proportional(f.0, g.0)?;
        if !verdict.is_equal()
            || matches!(f.1, Relation::Equal | Relation::NotEqual | Relation::Approx)
        {
            return Ok(verdict);
        }
        // The factor has one sign everywhere: look at one point.
        let ratio = self.arena.div(f.0, g.0)?;
        let mut value = ratio;
        for (index, name) in self.arena.symbols(ratio).iter().enumerate() {
            let at = self.arena.ratio(17 + 10 * index as i64, 8)?;
            value = self.arena.substitute(value, name, at)?;
        }
        Ok(match crate::math::eval::sign(&self.arena, value)? {
            Some(Ordering::Greater) => verdict,
            Some(_) => different("opposite relations"),
            None => Verdict::new(
                Outcome::Undecided,
                Stage::Numeric,
                "the sign of a factor is not told",
            ),
        })
    }

    /// The difference of the sides and the relation with `<` for `>`.
    fn oriented(&mut self, sides: (&Expr, &Expr), relation: Relation) -> Step<(Id, Relation)> {
        let difference = self.difference(sides)?;
        Ok(match relation {
            Relation::Greater | Relation::GreaterEqual => {
                (self.arena.neg(difference)?, flipped(relation))
            }
            _ => (difference, relation),
        })
    }
}

pub(super) fn flipped(relation: Relation) -> Relation {
    match relation {
        Relation::Less => Relation::Greater,
        Relation::LessEqual => Relation::GreaterEqual,
        Relation::Greater => Relation::Less,
        Relation::GreaterEqual => Relation::LessEqual,
        other => other,
    }
}

impl Arena {
    /// The node times the denominators of its terms, multiplied out.
    pub(super) fn numerator(&mut self, id: Id) -> Step<Id> {
        let mut cleared = id;
        for _ in 0..4 {
            let mut denominators: Vec<(Id, i64)> = Vec::new();
            self.collect_denominators(cleared, &mut denominators);
            if denominators.is_empty() {
                break;
            }
            let mut factors = Vec::with_capacity(denominators.len());
            for (base, power) in denominators {
                let power = self.integer(power)?;
                factors.push(self.pow(base, power)?);
            }
            let terms = match self.node(cleared) {
                Node::Add(terms) => terms.to_vec(),
                _ => vec![cleared],
            };
            let mut products = Vec::with_capacity(terms.len());
            for term in terms {
                factors.push(term);
                products.push(self.mul(&factors)?);
                factors.pop();
            }
            cleared = self.add(&products)?;
        }
        Ok(cleared)
    }

    /// Bases of negative powers at the top, with the highest power of each.
    pub(super) fn collect_denominators(&self, id: Id, found: &mut Vec<(Id, i64)>) {
        match self.node(id) {
            Node::Add(parts) | Node::Mul(parts) => {
                for &part in parts {
                    // A sum inside a product keeps its own denominators until it is multiplied out.
                    self.collect_denominators(part, found);
                }
            }
            Node::Pow(base, exponent) => {
                let symbolic = self.facts(*base).symbolic;
                let power = self
                    .number(*exponent)
                    .filter(|value| symbolic && exact::is_negative(value))
                    .and_then(exact::small);
                if let Some(power) = power {
                    let power = power.saturating_neg();
                    match found.iter_mut().find(|(other, _)| other == base) {
                        Some(entry) => entry.1 = entry.1.max(power),
                        None => found.push((*base, power)),
                    }
                }
            }
            _ => {}
        }
    }
}
