//! Two nodes by their values: balls that are disjoint prove a difference, balls that stay together make equality probable.
//!
//! **Error bound.** `Equal` means that at every sampled point both values lie within `2^-200` of each other, relative to
//! the larger of one and their magnitude, and that this is `2^-(200 + 2 M)` where numbers of more than `64 + M` bits or
//! values beyond `2^(64 + M)` or below `2^-(64 + M)` occur on the way, so that no such number can hide in the cancelled
//! digits. For functions of one or more symbols two such points are asked for; distinct analytic functions agree that
//! closely at a random point with a probability of the order of `2^-200`. It is a heuristic bound, not a proof:
//! `Equal` from here is flagged `probable`.

use std::cmp::Ordering;

use super::points::{self, REGIONS, Region};
use crate::math::arena::{Arena, Id};
use crate::math::balls::{Big, Complex, Fast, Real};
use crate::math::eval::{Evaluator, Point, Valued};
use crate::math::fuel::{Step, Stop};

/// Bits that must agree.
const AGREEMENT: i64 = 200;
/// The precisions after `f64`.
const PRECISIONS: [u32; 2] = [320, 1_024];

/// What values say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Proven.
    Different,
    /// Within the stated bound.
    Close,
    /// Neither.
    Open,
}

/// What the first look in `f64` says, and the points that are worth a closer one.
pub(super) struct FirstLook {
    pub(super) values: Values,
    /// Points where both sides are defined, those where both are real first.
    pub(super) points: Vec<Point>,
}

/// Both values at one point.
struct Pair<R> {
    a: Valued<R>,
    b: Valued<R>,
}

impl<R: Real> Pair<R> {
    fn is_real(&self) -> bool {
        !(self.a.left_reals || self.b.left_reals)
    }

    fn is_disjoint(&self) -> bool {
        self.a.value.is_disjoint(&self.b.value)
    }

    fn is_known(&self) -> bool {
        !(self.a.value.is_entire() || self.b.value.is_entire())
    }
}

/// Both values, or nothing where one is undefined.
fn evaluate<R: Real>(evaluator: &mut Evaluator<'_, R>, a: Id, b: Id) -> Step<Option<Pair<R>>> {
    let mut value = |id| match evaluator.evaluate(id) {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Undefined(_)) => Ok(None),
        Err(stop) => Err(stop),
    };
    Ok(match (value(a)?, value(b)?) {
        (Some(a), Some(b)) => Some(Pair { a, b }),
        _ => None,
    })
}

/// In `f64`, at a point of each region; constants need one point only.
///
/// A difference counts where both sides are real, so that `sqrt(x^2)` and `x` differ but `ln(x^2)` and `2 ln x` do not.
/// Only if there is no such point do complex values count.
pub(super) fn first_look(arena: &Arena, a: Id, b: Id, seed: u64) -> Step<FirstLook> {
    let symbolic = arena.facts(a).symbolic || arena.facts(b).symbolic;
    if !symbolic {
        return constant_look(arena, a, b);
    }
    let mut names = arena.symbols(a);
    names.extend(arena.symbols(b));
    names.sort_unstable();
    names.dedup();
    let (mut real, mut complex) = (Vec::new(), Vec::new());
    let mut complex_differ = false;
    for region in REGIONS {
        let point = points::point(&names, region, seed);
        let Some(pair) = evaluate(&mut Evaluator::<Fast>::new(arena, &point, 53), a, b)? else {
            continue;
        };
        if !pair.is_known() {
            continue;
        }
        if pair.is_real() {
            if pair.is_disjoint() {
                return Ok(FirstLook {
                    values: Values::Different,
                    points: Vec::new(),
                });
            }
            real.push(point);
        } else {
            complex_differ |= pair.is_disjoint();
            complex.push(point);
        }
    }
    if real.is_empty() {
        if complex_differ {
            return Ok(FirstLook {
                values: Values::Different,
                points: Vec::new(),
            });
        }
        real = complex;
    }
    if real.is_empty() {
        // Nothing in f64: large values, or poles. The closer look may see more.
        real = [Region::Positive, Region::Mixed]
            .map(|region| points::point(&names, region, seed))
            .into();
    } else if real.len() == 1 {
        real.push(points::point(&names, Region::Positive, points::step(seed)));
    }
    Ok(FirstLook {
        values: Values::Open,
        points: real,
    })
}

fn constant_look(arena: &Arena, a: Id, b: Id) -> Step<FirstLook> {
    let point = Point::default();
    let mut evaluator = Evaluator::<Fast>::new(arena, &point, 53);
    let (left, right) = (evaluator.evaluate(a)?, evaluator.evaluate(b)?);
    let different = left.value.is_disjoint(&right.value);
    let values = if different {
        Values::Different
    } else {
        Values::Open
    };
    Ok(FirstLook {
        values,
        points: vec![point],
    })
}

/// The values of constants in `f64`, for finding candidates among many; nothing for what is symbolic or undefined.
pub(in crate::math) fn approximations(
    arena: &Arena,
    ids: &[Id],
) -> Step<Vec<Option<Complex<Fast>>>> {
    let point = Point::default();
    let mut evaluator = Evaluator::<Fast>::new(arena, &point, 53);
    let mut values = Vec::with_capacity(ids.len());
    for &id in ids {
        let value = if arena.facts(id).symbolic {
            Ok(None)
        } else {
            evaluator.evaluate(id).map(Some)
        };
        values.push(match value {
            Ok(value) => value.map(|valued| valued.value),
            Err(Stop::Fuel) => return Err(Stop::Fuel),
            Err(_) => None,
        });
    }
    Ok(values)
}

/// With 320 bits, and 1,024 where those do not tell.
pub(super) fn closer_look(arena: &Arena, a: Id, b: Id, points: &[Point]) -> Step<Values> {
    let symbolic = arena.facts(a).symbolic || arena.facts(b).symbolic;
    let wanted = if symbolic { 2 } else { 1 };
    let mut close = 0;
    for point in points {
        match look_at(arena, a, b, point)? {
            Values::Different => return Ok(Values::Different),
            Values::Close => close += 1,
            Values::Open => {}
        }
        if close == wanted {
            return Ok(Values::Close);
        }
    }
    Ok(Values::Open)
}

fn look_at(arena: &Arena, a: Id, b: Id, point: &Point) -> Step<Values> {
    let longest = i64::from(arena.facts(a).bits.max(arena.facts(b).bits));
    for precision in PRECISIONS {
        let mut evaluator = Evaluator::<Big>::new(arena, point, precision);
        let Some(pair) = evaluate(&mut evaluator, a, b)? else {
            return Ok(Values::Open);
        };
        if !pair.is_known() {
            continue;
        }
        if pair.is_disjoint() {
            return Ok(Values::Different);
        }
        let hidden = (longest - 64).max(evaluator.widest_exponent() - 64).max(0);
        let wanted = AGREEMENT + 2 * hidden;
        let (a, b) = (&pair.a.value, &pair.b.value);
        let scale = [&a.re, &a.im]
            .iter()
            .filter_map(|part| part.above().exponent())
            .max()
            .unwrap_or(0)
            .max(0);
        let bits = wanted.saturating_sub(scale);
        if a.re.is_close(&b.re, bits) && a.im.is_close(&b.im, bits) {
            return Ok(Values::Close);
        }
    }
    Ok(Values::Open)
}

/// Whether a node has a value at all, as far as a look with 320 bits tells: `None` when it may be infinite.
pub(super) fn is_defined(arena: &Arena, id: Id, seed: u64) -> Step<Option<bool>> {
    let names = arena.symbols(id);
    let mut unknown = false;
    for region in REGIONS {
        let point = points::point(&names, region, seed);
        match Evaluator::<Fast>::new(arena, &point, 53).evaluate(id) {
            Ok(valued) if !valued.value.is_entire() => return Ok(Some(true)),
            Ok(_) => unknown = true,
            Err(Stop::Undefined(_)) => {}
            Err(stop) => return Err(stop),
        }
        if unknown {
            match Evaluator::<Big>::new(arena, &point, PRECISIONS[0]).evaluate(id) {
                Ok(valued) if !valued.value.is_entire() => return Ok(Some(true)),
                Ok(_) | Err(Stop::Undefined(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        if names.is_empty() {
            break;
        }
    }
    Ok(if unknown { None } else { Some(false) })
}

/// Whether two constants are at most `tolerance` apart; `None` if that cannot be told.
pub(super) fn is_within(arena: &mut Arena, a: Id, b: Id, tolerance: Id) -> Step<Option<bool>> {
    let difference = arena.sub(a, b)?;
    let point = Point::default();
    let mut evaluator = Evaluator::<Big>::new(arena, &point, PRECISIONS[0]);
    let distance = evaluator.evaluate(difference)?.value.modulus(PRECISIONS[0]);
    let allowed = evaluator.evaluate(tolerance)?.value.re;
    Ok(match distance.sub(&allowed, PRECISIONS[0]).sign() {
        Some(Ordering::Greater) => Some(false),
        Some(Ordering::Less | Ordering::Equal) => Some(true),
        None => None,
    })
}
