//! Parts of the real line, compared by where they begin and end.

use std::cmp::Ordering;

use super::compare::different;
use crate::math::arena::Id;
use crate::math::ast::{Constant, End, Expr, Relation};
use crate::math::decide::{Comparison, all};
use crate::math::eval;
use crate::math::exact;
use crate::math::fuel::{Step, Stop};
use crate::math::{Outcome, Stage, Verdict};

/// Regions with more ends than this are not worth sorting.
const MAX_ENDS: usize = 2_000;

/// A set of real numbers.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::math) enum Region {
    Interval(End, End),
    Points(Vec<Expr>),
    /// The values of one unknown for which a chain of relations holds.
    Condition {
        variable: Box<str>,
        terms: Vec<Expr>,
        relations: Vec<Relation>,
    },
    Union(Vec<Region>),
    Intersection(Vec<Region>),
    Difference(Box<Region>, Box<Region>),
}

/// A region as it lies: ends ascending, and for the `2 n + 1` pieces they make (gap, end, gap, .., gap) whether each
/// belongs to it.
struct Line {
    ends: Vec<Id>,
    pieces: Vec<bool>,
}

impl Comparison<'_> {
    pub(super) fn regions(&mut self, gold: &Region, answer: &Region) -> Verdict {
        let mut apart = None;
        // One interval against one: end by end, so that parameters and decimals are welcome.
        if let (Region::Interval(a, b), Region::Interval(c, d)) = (gold, answer) {
            if (a.closed, b.closed) != (c.closed, d.closed)
                && !(self.is_backwards(a, b) || self.is_backwards(c, d))
            {
                return different("an end that belongs to one side only");
            }
            let ends = all(
                self.expressions(&a.at, &c.at),
                self.expressions(&b.at, &d.at),
            );
            if ends.is_equal() && (a.closed, b.closed) == (c.closed, d.closed) {
                return ends;
            }
            apart = Some(ends).filter(|ends| ends.outcome == Outcome::Different);
        }
        // (1, 1) and (3, 2) are points that were read as intervals: as such both are empty, and yet not the same.
        for region in [gold, answer] {
            if let Region::Interval(from, to) = region
                && gold != answer
                && !(from.closed && to.closed && from.at == to.at)
                && self.is_backwards(from, to)
            {
                return different("an interval that ends before it begins");
            }
        }
        let verdict = self.stops_to_verdict(|this| {
            if gold == answer {
                this.check_defined(gold)?;
                return Ok(Verdict::new(
                    Outcome::Equal,
                    Stage::Structure,
                    "the same region",
                ));
            }
            let left = this.line(gold)?;
            let right = this.line(answer)?;
            if left.pieces != right.pieces {
                return Ok(different("regions of different shape"));
            }
            let mut verdict = Verdict::new(Outcome::Equal, Stage::Structure, "the same region");
            for (&a, &b) in left.ends.iter().zip(&right.ends) {
                verdict = all(verdict, this.nodes(a, b)?);
            }
            Ok(verdict)
        });
        match apart {
            // With parameters in them they cannot be laid out, but one of them is elsewhere.
            Some(apart) if verdict.outcome == Outcome::Undecided => apart,
            _ => verdict,
        }
    }

    /// Whether every end has a value: `x < 1/0` says nothing.
    fn check_defined(&mut self, region: &Region) -> Step<()> {
        match region {
            Region::Interval(from, to) => {
                for end in [from, to] {
                    if infinite(&end.at).is_none() {
                        self.arena.build_scalar(&end.at)?;
                    }
                }
            }
            Region::Points(terms) | Region::Condition { terms, .. } => {
                for term in terms {
                    self.arena.build_scalar(term)?;
                }
            }
            Region::Union(parts) | Region::Intersection(parts) => {
                for part in parts {
                    self.check_defined(part)?;
                }
            }
            Region::Difference(a, b) => {
                self.check_defined(a)?;
                self.check_defined(b)?;
            }
        }
        Ok(())
    }

    /// `(2, 1)` is empty, and so is `(1, 1)`.
    fn is_backwards(&mut self, from: &End, to: &End) -> bool {
        let backwards = |this: &mut Self| -> Step<bool> {
            if infinite(&from.at).is_some() || infinite(&to.at).is_some() {
                return Ok(false);
            }
            let (a, b) = (
                this.arena.build_scalar(&from.at)?,
                this.arena.build_scalar(&to.at)?,
            );
            let length = this.arena.sub(b, a)?;
            Ok(matches!(
                eval::sign(&this.arena, length)?,
                Some(Ordering::Less | Ordering::Equal)
            ))
        };
        backwards(self).unwrap_or(false)
    }

    fn line(&mut self, region: &Region) -> Step<Line> {
        let mut ends = Vec::new();
        self.collect_ends(region, &mut ends)?;
        let samples = self.samples(&ends)?;
        let mut pieces = Vec::with_capacity(2 * ends.len() + 1);
        let placed = self.placed(region, &ends)?;
        for piece in 0..=2 * ends.len() {
            pieces.push(self.holds(&placed, &ends, &samples, piece)?);
        }
        // Ends where nothing changes are none.
        let mut line = Line {
            ends: Vec::new(),
            pieces: vec![pieces[0]],
        };
        for (index, &end) in ends.iter().enumerate() {
            let (at, after) = (pieces[2 * index + 1], pieces[2 * index + 2]);
            let before = line.pieces.last().copied().unwrap_or(false);
            if before != at || at != after {
                line.ends.push(end);
                line.pieces.extend([at, after]);
            }
        }
        Ok(line)
    }

    fn collect_ends(&mut self, region: &Region, ends: &mut Vec<Id>) -> Step<()> {
        match region {
            Region::Interval(from, to) => {
                for end in [from, to] {
                    if infinite(&end.at).is_none() {
                        let id = self.arena.build_scalar(&end.at)?;
                        self.insert_end(id, ends)?;
                    }
                }
            }
            Region::Points(points) => {
                for point in points {
                    let id = self.arena.build_scalar(point)?;
                    self.insert_end(id, ends)?;
                }
            }
            Region::Condition {
                variable, terms, ..
            } => {
                let mut found = Vec::new();
                for pair in terms.windows(2) {
                    let difference = self.link_difference(pair)?;
                    self.arena
                        .critical_points(difference, variable, &mut found)?;
                }
                for id in found {
                    self.insert_end(id, ends)?;
                }
            }
            Region::Union(parts) | Region::Intersection(parts) => {
                for part in parts {
                    self.collect_ends(part, ends)?;
                }
            }
            Region::Difference(a, b) => {
                self.collect_ends(a, ends)?;
                self.collect_ends(b, ends)?;
            }
        }
        Ok(())
    }

    pub(super) fn link_difference(&mut self, pair: &[Expr]) -> Step<Id> {
        let (left, right) = (
            self.arena.build_scalar(&pair[0])?,
            self.arena.build_scalar(&pair[1])?,
        );
        self.arena.sub(left, right)
    }

    fn insert_end(&mut self, id: Id, ends: &mut Vec<Id>) -> Step<()> {
        if self.arena.facts(id).symbolic {
            return Err(Stop::Unsupported("a region with parameters"));
        }
        if ends.len() >= MAX_ENDS {
            return Err(Stop::Fuel);
        }
        if let Err(place) = self.search(id, ends)? {
            ends.insert(place, id);
        }
        Ok(())
    }

    pub(super) fn order(&mut self, a: Id, b: Id) -> Step<Ordering> {
        if a == b {
            return Ok(Ordering::Equal);
        }
        if let (Some(left), Some(right)) = (self.arena.number(a), self.arena.number(b)) {
            let price = exact::bits(left).saturating_add(exact::bits(right)) as u64 / 8;
            self.arena.fuel.spend(20 + price)?;
            return Ok(left.cmp(right));
        }
        let difference = self.arena.sub(a, b)?;
        if let Some(order) = eval::sign(&self.arena, difference)? {
            return Ok(order);
        }
        if self.nodes(a, b)?.is_equal() {
            return Ok(Ordering::Equal);
        }
        Err(Stop::Unsupported("ends that cannot be ordered"))
    }
}

/// `Some(negative)` for an infinity.
pub(super) fn infinite(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(false),
        Expr::Neg(inner) => infinite(inner).map(|negative| !negative),
        _ => None,
    }
}
