//! Numbers with a proven error: a midpoint and a radius, real and complex.
//!
//! [`Fast`] is the first look, in `f64`; [`Big`] repeats it with as many bits as it takes. Whatever the radius says is
//! proven: two disjoint balls are two different numbers. A ball that could be anything is `entire`; no operation panics.

mod big;
mod complex;
mod elementary;
mod fast;
mod mag;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use dashu::integer::IBig;
use dashu::rational::RBig;

pub(crate) use big::Big;
pub(crate) use complex::Complex;
pub(crate) use fast::Fast;
pub(crate) use mag::Mag;

/// Arithmetic on real balls. `precision` counts bits of the result's midpoint; [`Fast`] ignores it.
pub(crate) trait Real: Clone {
    /// The exact zero.
    fn zero() -> Self;
    /// Any number at all.
    fn entire() -> Self;
    fn from_rational(value: &RBig, precision: u32) -> Self;
    fn from_integer(value: i64) -> Self;
    fn pi(precision: u32) -> Self;
    fn add(&self, other: &Self, precision: u32) -> Self;
    fn neg(&self) -> Self;
    fn mul(&self, other: &Self, precision: u32) -> Self;
    /// Entire when `other` may be zero.
    fn div(&self, other: &Self, precision: u32) -> Self;
    /// Of the part that is not negative; zero if there is none.
    fn sqrt(&self, precision: u32) -> Self;
    fn exp(&self, precision: u32) -> Self;
    /// Entire when the ball is not positive.
    fn ln(&self, precision: u32) -> Self;
    fn sin_cos(&self, precision: u32) -> (Self, Self);
    fn atan(&self, precision: u32) -> Self;
    /// Whether it is exactly zero.
    fn is_zero(&self) -> bool;
    fn is_entire(&self) -> bool;
    /// How every number in the ball compares with zero, if they all do alike.
    fn sign(&self) -> Option<Ordering>;
    /// Whether no number is in both.
    fn is_disjoint(&self, other: &Self) -> bool;
    /// The integer below, if it is the same for the whole ball.
    fn floor(&self) -> Option<IBig>;
    /// A ball around zero that holds the magnitude of every number in this one.
    fn around_zero(&self) -> Self;
    /// The ball, wider by the radius of `other` around zero.
    fn widened(&self, other: &Self) -> Self;
    /// What an operation costs, in units of fuel, for one multiplication and for one transcendental function.
    fn price(precision: u32) -> (u64, u64);

    fn sub(&self, other: &Self, precision: u32) -> Self {
        self.add(&other.neg(), precision)
    }
}
