//! The decision: readings against readings, each pair from the cheapest step to the dearest.

mod combine;
mod discrete;
mod numeric;
pub(crate) mod points;
mod powers;
mod scalar;
mod tolerance;

use super::arena::Arena;
use super::fuel::BUDGET;
use super::{Options, Verdict};
use crate::math::ast::Expr;

/// One comparison: its options, its arena with the fuel, and the seed of its random points.
pub(super) struct Comparison<'a> {
    options: &'a Options,
    arena: Arena,
    seed: u64,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(options: &'a Options, seed: u64) -> Self {
        Self { options, arena: Arena::new(BUDGET), seed }
    }
}
