//! The gaps and the ends of the real line, one after the other, and which of them belong to a region.

use std::cmp::Ordering;

use dashu::rational::RBig;

use super::region::{Region, infinite};
use crate::math::arena::Id;
use crate::math::ast::{Expr, Relation};
use crate::math::balls::Fast;
use crate::math::decide::Comparison;
use crate::math::eval::{self, Evaluator, Point};
use crate::math::fuel::{Step, Stop};

/// A region whose ends are known by their number: piece `2 k` is the gap before end `k`, piece `2 k + 1` that end.
pub(super) enum Placed<'r> {
    /// From the first to the last piece; none without a last one.
    Pieces(usize, Option<usize>),
    /// For each piece whether it belongs: pieces put together.
    Known(Vec<bool>),
    Condition(&'r str, &'r [Expr], &'r [Relation]),
    Union(Vec<Placed<'r>>),
    Intersection(Vec<Placed<'r>>),
    Difference(Box<[Placed<'r>; 2]>),
}

impl Comparison<'_> {
    /// A rational inside every gap.
    pub(super) fn samples(&mut self, ends: &[Id]) -> Step<Vec<RBig>> {
        let point = Point::default();
        let mut mids = Vec::with_capacity(ends.len());
        {
            let mut evaluator = Evaluator::<Fast>::new(&self.arena, &point, 53);
            for &end in ends {
                mids.push(evaluator.evaluate(end)?.value.re.mid());
            }
        }
        let (Some(&first), Some(&last)) = (mids.first(), mids.last()) else {
            return Ok(vec![RBig::ZERO]);
        };
        let mut places = vec![first - first.abs() - 1.0];
        places.extend(mids.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])));
        places.push(last + last.abs() + 1.0);
        // Too close together for f64, or beyond its range.
        if mids.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Stop::Unsupported("ends too close together"));
        }
        places
            .into_iter()
            .map(|place| RBig::try_from(place).map_err(|_| Stop::Unsupported("ends out of range")))
            .collect()
    }

    /// Finds every end once, so that asking for a piece is cheap.
    pub(super) fn placed<'r>(&mut self, region: &'r Region, ends: &[Id]) -> Step<Placed<'r>> {
        Ok(match region {
            Region::Interval(from, to) => {
                let first = match infinite(&from.at) {
                    Some(true) => 0,
                    Some(false) => usize::MAX,
                    None => 2 * self.position(&from.at, ends)? + if from.closed { 1 } else { 2 },
                };
                let last = match infinite(&to.at) {
                    Some(true) => None,
                    Some(false) => Some(2 * ends.len()),
                    None => Some(2 * self.position(&to.at, ends)? + usize::from(to.closed)),
                };
                Placed::Pieces(first, last)
            }
            Region::Points(points) => {
                let mut places = Vec::with_capacity(points.len());
                for point in points {
                    let piece = 2 * self.position(point, ends)? + 1;
                    places.push(Placed::Pieces(piece, Some(piece)));
                }
                self.together(places, 2 * ends.len() + 1)?
            }
            Region::Condition {
                variable,
                terms,
                relations,
            } => Placed::Condition(variable, terms, relations),
            Region::Union(parts) => {
                let parts = self.placed_all(parts, ends)?;
                self.together(parts, 2 * ends.len() + 1)?
            }
            Region::Intersection(parts) => Placed::Intersection(self.placed_all(parts, ends)?),
            Region::Difference(a, b) => {
                Placed::Difference(Box::new([self.placed(a, ends)?, self.placed(b, ends)?]))
            }
        })
    }

    /// A union; of parts that are known, which of the pieces it has.
    fn together<'r>(&mut self, parts: Vec<Placed<'r>>, pieces: usize) -> Step<Placed<'r>> {
        let known = |part: &Placed<'_>| matches!(part, Placed::Pieces(..) | Placed::Known(_));
        if !parts.iter().all(known) {
            return Ok(Placed::Union(parts));
        }
        let mut union = vec![false; pieces];
        for part in parts {
            match part {
                Placed::Pieces(first, Some(last)) if first <= last => {
                    self.arena.fuel.spend((last - first) as u64 / 16 + 1)?;
                    union[first..=last].fill(true);
                }
                Placed::Known(of_part) => {
                    self.arena.fuel.spend(pieces as u64)?;
                    union.iter_mut().zip(of_part).for_each(|(a, b)| *a |= b);
                }
                _ => {}
            }
        }
        Ok(Placed::Known(union))
    }

    fn placed_all<'r>(&mut self, regions: &'r [Region], ends: &[Id]) -> Step<Vec<Placed<'r>>> {
        regions
            .iter()
            .map(|region| self.placed(region, ends))
            .collect()
    }

    /// Whether a piece belongs to the region.
    pub(super) fn holds(
        &mut self,
        region: &Placed<'_>,
        ends: &[Id],
        samples: &[RBig],
        piece: usize,
    ) -> Step<bool> {
        self.arena.fuel.spend(1)?;
        match region {
            Placed::Pieces(first, last) => {
                Ok(piece >= *first && last.is_some_and(|last| piece <= last))
            }
            Placed::Known(pieces) => Ok(pieces.get(piece).copied().unwrap_or(false)),
            Placed::Condition(variable, terms, relations) => {
                let at = if piece % 2 == 1 {
                    ends[piece / 2]
                } else {
                    self.arena.rational(samples[piece / 2].clone())?
                };
                for (pair, relation) in terms.windows(2).zip(*relations) {
                    if !self.relation_holds(pair, *relation, variable, at, piece % 2 == 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Placed::Union(parts) => {
                for part in parts {
                    if self.holds(part, ends, samples, piece)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Placed::Intersection(parts) => {
                for part in parts {
                    if !self.holds(part, ends, samples, piece)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Placed::Difference(parts) => Ok(self.holds(&parts[0], ends, samples, piece)?
                && !self.holds(&parts[1], ends, samples, piece)?),
        }
    }

    fn position(&mut self, expr: &Expr, ends: &[Id]) -> Step<usize> {
        let id = self.arena.build_scalar(expr)?;
        self.arena.fuel.spend(ends.len() as u64 / 8)?;
        if let Some(index) = ends.iter().position(|&end| end == id) {
            return Ok(index);
        }
        let found = self.search(id, ends)?;
        found.map_err(|_| Stop::Unsupported("an end that is not among the ends"))
    }

    /// As [`slice::binary_search`].
    pub(super) fn search(&mut self, id: Id, ends: &[Id]) -> Step<Result<usize, usize>> {
        let (mut low, mut high) = (0, ends.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.order(id, ends[middle])? {
                Ordering::Equal => return Ok(Ok(middle)),
                Ordering::Less => high = middle,
                Ordering::Greater => low = middle + 1,
            }
        }
        Ok(Err(low))
    }

    fn relation_holds(
        &mut self,
        pair: &[Expr],
        relation: Relation,
        variable: &str,
        at: Id,
        is_end: bool,
    ) -> Step<bool> {
        let difference = self.link_difference(pair)?;
        let value = match self.arena.substitute(difference, variable, at) {
            Ok(value) => value,
            Err(Stop::Undefined(_)) => return Ok(false),
            Err(stop) => return Err(stop),
        };
        let value = self.arena.expand_products(value)?;
        let sign = match eval::sign(&self.arena, value) {
            Ok(Some(sign)) => sign,
            // At a root of one of the factors, what is not told from zero is zero.
            Ok(None) if is_end => Ordering::Equal,
            Ok(None) => return Err(Stop::Unsupported("a sign that is not told")),
            Err(Stop::Undefined(_)) => return Ok(false),
            Err(stop) => return Err(stop),
        };
        Ok(match relation {
            Relation::Equal | Relation::Approx => sign == Ordering::Equal,
            Relation::NotEqual => sign != Ordering::Equal,
            Relation::Less => sign == Ordering::Less,
            Relation::LessEqual => sign != Ordering::Greater,
            Relation::Greater => sign == Ordering::Greater,
            Relation::GreaterEqual => sign != Ordering::Less,
        })
    }
}
