//! Real balls of any precision, on big integers.

use std::cmp::Ordering;

use dashu::base::{BitTest as _, PowerOfTwo as _, Sign, SquareRoot as _};
use dashu::integer::{IBig, UBig, Word};
use dashu::rational::RBig;

use super::elementary;
use super::{Mag, Real};

/// `mantissa * 2^exponent`, give or take `radius`.
#[derive(Clone, Debug)]
pub(crate) struct Big {
    mantissa: IBig,
    exponent: i64,
    radius: Mag,
}

/// Magnitudes beyond `2^(2^58)` are not followed.
const MAX_EXPONENT: i64 = 1 << 58;

impl Big {
    pub(super) fn new(mantissa: IBig, exponent: i64, radius: Mag) -> Self {
        Self {
            mantissa,
            exponent,
            radius,
        }
    }

    /// Rounds the midpoint to `precision` bits, and the radius up by what that costs.
    pub(super) fn rounded(mantissa: IBig, exponent: i64, radius: Mag, precision: u32) -> Self {
        let length = bit_len(&mantissa);
        let surplus = length.saturating_sub(precision as usize);
        let top = exponent.saturating_add(length as i64);
        if mantissa.is_zero() {
            return Self::new(mantissa, 0, radius);
        }
        if radius.is_infinite() || !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&top) {
            return Self::entire();
        }
        if surplus == 0 {
            return Self::new(mantissa, exponent, radius);
        }
        let exponent = exponent + surplus as i64;
        // A power of ten is long and still exact in few bits.
        let exact = mantissa
            .trailing_zeros()
            .is_some_and(|zeros| zeros >= surplus);
        let cut = if exact {
            Mag::ZERO
        } else {
            Mag::power_of_two(exponent)
        };
        Self::new(mantissa >> surplus, exponent, radius.add(cut))
    }

    /// An upper bound of the midpoint's magnitude.
    fn midpoint_above(&self) -> Mag {
        let (head, exponent, exact) = self.head();
        Mag::new(
            head as f64 * if exact { 1.0 } else { 1.0 + 4.0 * f64::EPSILON },
            exponent,
        )
    }

    /// A lower bound of the midpoint's magnitude.
    fn midpoint_below(&self) -> Mag {
        let (head, exponent, _) = self.head();
        Mag::new(head as f64, exponent)
    }

    /// The leading 53 bits of the midpoint's magnitude, their exponent, and whether they are all.
    fn head(&self) -> (u64, i64, bool) {
        let length = bit_len(&self.mantissa);
        let shift = length.saturating_sub(53);
        let head = match self.mantissa.as_sign_words() {
            (_, []) => 0,
            (_, [one]) => *one >> shift,
            _ => u64::try_from(self.mantissa.clone().into_parts().1 >> shift)
                .unwrap_or(u64::MAX >> 11),
        };
        (head, self.exponent.saturating_add(shift as i64), shift == 0)
    }

    /// An upper bound of the magnitude of every number in the ball.
    pub(crate) fn above(&self) -> Mag {
        self.midpoint_above().add(self.radius)
    }

    /// A lower bound of the magnitude of every number in the ball, for a ball that excludes zero by a margin; else zero.
    fn below(&self) -> Mag {
        let low = self.midpoint_below();
        let double = self.radius.add(self.radius);
        // Half the midpoint is a bound if the radius takes at most the other half.
        if double < low {
            if self.radius.is_zero() {
                low
            } else {
                low.mul(Mag::power_of_two(-1)).mul(Mag::new(1.0 - 1e-12, 0))
            }
        } else {
            Mag::ZERO
        }
    }

    pub(crate) fn radius(&self) -> Mag {
        self.radius
    }

    /// The midpoint as a fixed-point number with `bits` after the point, cut off towards minus infinity.
    pub(super) fn fixed(&self, bits: u32) -> IBig {
        let shift = self.exponent + i64::from(bits);
        if shift >= 0 {
            self.mantissa.clone() << shift as usize
        } else {
            shift_right(&self.mantissa, -shift)
        }
    }

    /// The exponent of the midpoint's leading bit plus one: `|midpoint| < 2^top`.
    pub(super) fn top(&self) -> i64 {
        self.exponent.saturating_add(bit_len(&self.mantissa) as i64)
    }

    pub(super) fn mantissa(&self) -> &IBig {
        &self.mantissa
    }

    pub(super) fn exponent(&self) -> i64 {
        self.exponent
    }

    /// Whether the two balls meet and everything in either is within `2^-bits` of everything in the other.
    pub(crate) fn is_close(&self, other: &Self, bits: i64) -> bool {
        if self.is_disjoint(other) {
            return false;
        }
        let width = self.radius.add(other.radius);
        width
            .exponent()
            .is_none_or(|exponent| exponent + 2 <= -bits)
    }
}

/// The length of the magnitude.
fn bit_len(value: &IBig) -> usize {
    let words = value.as_sign_words().1;
    words.last().map_or(0, |&top| {
        words.len() * Word::BITS as usize - top.leading_zeros() as usize
    })
}

/// `value >> by`, for any distance.
fn shift_right(value: &IBig, by: i64) -> IBig {
    if by as usize > bit_len(value) + 1 {
        return if value.sign() == Sign::Negative && !value.is_zero() {
            IBig::NEG_ONE
        } else {
            IBig::ZERO
        };
    }
    value.clone() >> by as usize
}

impl Real for Big {
    fn zero() -> Self {
        Self::new(IBig::ZERO, 0, Mag::ZERO)
    }

    fn entire() -> Self {
        Self::new(IBig::ZERO, 0, Mag::INFINITE)
    }

    fn from_integer(value: i64) -> Self {
        Self::new(value.into(), 0, Mag::ZERO)
    }

    fn from_rational(value: &RBig, precision: u32) -> Self {
        let (top, bottom) = (value.numerator(), value.denominator());
        if bottom.is_one() {
            return Self::rounded(top.clone(), 0, Mag::ZERO, precision);
        }
        let shift = precision as i64 + 2 + bottom.bit_len() as i64 - bit_len(top) as i64;
        let shifted = if shift >= 0 {
            top.clone() << shift as usize
        } else {
            top.clone() >> (-shift) as usize
        };
        let exact = bottom.is_power_of_two() && shift >= bottom.bit_len() as i64;
        let quotient = shifted / IBig::from(bottom.clone());
        // Cut off twice: once by the shift, once by the division.
        let radius = if exact {
            Mag::ZERO
        } else {
            Mag::power_of_two(1 - shift)
        };
        Self::rounded(quotient, -shift, radius, precision)
    }

    fn pi(precision: u32) -> Self {
        elementary::pi(precision)
    }

    fn add(&self, other: &Self, precision: u32) -> Self {
        let radius = self.radius.add(other.radius);
        if self.mantissa.is_zero() {
            return Self::rounded(other.mantissa.clone(), other.exponent, radius, precision);
        }
        if other.mantissa.is_zero() {
            return Self::rounded(self.mantissa.clone(), self.exponent, radius, precision);
        }
        let (high, low) = if self.top() >= other.top() {
            (self, other)
        } else {
            (other, self)
        };
        // What lies wholly below the last kept bit goes into the radius.
        let floor = high.exponent.min(high.top() - i64::from(precision) - 4);
        if low.top() < floor {
            let radius = radius.add(low.midpoint_above());
            return Self::rounded(high.mantissa.clone(), high.exponent, radius, precision);
        }
        let exponent = high.exponent.min(low.exponent);
        if high.exponent - exponent > 4 * i64::from(precision) + 4_096 {
            // A long exact tail on the low side: cut it first.
            let cut = Self::rounded(low.mantissa.clone(), low.exponent, Mag::ZERO, precision);
            return high.add(
                &cut.widened(&Self::new(IBig::ZERO, 0, low.radius)),
                precision,
            );
        }
        let sum = (high.mantissa.clone() << (high.exponent - exponent) as usize)
            + (low.mantissa.clone() << (low.exponent - exponent) as usize);
        Self::rounded(sum, exponent, radius, precision)
    }

    fn neg(&self) -> Self {
        Self::new(-self.mantissa.clone(), self.exponent, self.radius)
    }

    fn mul(&self, other: &Self, precision: u32) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::zero();
        }
        let cross = self
            .midpoint_above()
            .mul(other.radius)
            .add(self.radius.mul(other.above()));
        Self::rounded(
            &self.mantissa * &other.mantissa,
            self.exponent.saturating_add(other.exponent),
            cross,
            precision,
        )
    }

    fn div(&self, other: &Self, precision: u32) -> Self {
        let low = other.below();
        if low.is_zero() || self.radius.is_infinite() {
            return Self::entire();
        }
        if self.is_zero() {
            return Self::zero();
        }
        let shift = i64::from(precision) + 2 + bit_len(&other.mantissa) as i64
            - bit_len(&self.mantissa) as i64;
        let shift = shift.max(0);
        let quotient = (self.mantissa.clone() << shift as usize) / &other.mantissa;
        let exponent = self
            .exponent
            .saturating_sub(other.exponent)
            .saturating_sub(shift);
        // |a/b - m/n| <= (r + |m/n| s) / |b|, and one unit for the cut.
        let value = Self::new(quotient.clone(), exponent, Mag::power_of_two(exponent)).above();
        let radius = self
            .radius
            .add(value.mul(other.radius))
            .div(low)
            .add(Mag::power_of_two(exponent));
        Self::rounded(quotient, exponent, radius, precision)
    }

    fn sqrt(&self, precision: u32) -> Self {
        if self.is_zero() || self.sign() == Some(Ordering::Less) {
            return Self::zero();
        }
        let low = self.below();
        if low.is_zero() || self.mantissa.sign() == Sign::Negative {
            return Self::new(IBig::ZERO, 0, self.above().sqrt());
        }
        let wanted = 2 * (i64::from(precision) + 2);
        let mut shift = (wanted - bit_len(&self.mantissa) as i64).max(0);
        if (self.exponent - shift) % 2 != 0 {
            shift += 1;
        }
        let shifted: UBig = self.mantissa.clone().into_parts().1 << shift as usize;
        let root = shifted.sqrt();
        let exact = &root * &root == shifted;
        let exponent = (self.exponent - shift) / 2;
        // |sqrt a - sqrt m| <= r / sqrt(low)
        let spread = if self.radius.is_zero() {
            Mag::ZERO
        } else {
            // A lower bound of the root: rounding up the reciprocal's root keeps the direction.
            self.radius.mul(Mag::power_of_two(0).div(low).sqrt())
        };
        let cut = if exact {
            Mag::ZERO
        } else {
            Mag::power_of_two(exponent)
        };
        Self::rounded(IBig::from(root), exponent, spread.add(cut), precision)
    }

    fn exp(&self, precision: u32) -> Self {
        elementary::exp(self, precision)
    }

    fn ln(&self, precision: u32) -> Self {
        if self.sign() != Some(Ordering::Greater) {
            return Self::entire();
        }
        let low = self.below();
        if low.is_zero() {
            return Self::entire();
        }
        elementary::ln(self, precision).widened(&Self::new(IBig::ZERO, 0, self.radius.div(low)))
    }

    fn sin_cos(&self, precision: u32) -> (Self, Self) {
        elementary::sin_cos(self, precision)
    }

    fn atan(&self, precision: u32) -> Self {
        elementary::atan(self, precision)
    }

    fn is_zero(&self) -> bool {
        self.mantissa.is_zero() && self.radius.is_zero()
    }

    fn is_entire(&self) -> bool {
        self.radius.is_infinite()
    }

    fn sign(&self) -> Option<Ordering> {
        if self.is_zero() {
            return Some(Ordering::Equal);
        }
        if self.radius >= self.midpoint_below() {
            return None;
        }
        Some(if self.mantissa.sign() == Sign::Negative {
            Ordering::Less
        } else {
            Ordering::Greater
        })
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        let precision = 64 + bit_len(&self.mantissa).max(bit_len(&other.mantissa)) as u32;
        matches!(
            self.sub(other, precision).sign(),
            Some(Ordering::Less | Ordering::Greater)
        )
    }

    fn floor(&self) -> Option<IBig> {
        // Integers beyond this are not told apart by anyone who rounds them.
        if self.radius.is_infinite() || self.top() > 1 << 16 {
            return None;
        }
        let precision = 64 + self.top().max(0) as u32 + bit_len(&self.mantissa) as u32;
        let whole = self.fixed(0);
        let at = |value: &IBig| Self::new(value.clone(), 0, Mag::ZERO);
        let above = self.sub(&at(&whole), precision);
        let below = self.sub(&at(&(whole.clone() + IBig::ONE)), precision);
        let settled = matches!(above.sign(), Some(Ordering::Greater | Ordering::Equal))
            && below.sign() == Some(Ordering::Less);
        settled.then_some(whole)
    }

    fn around_zero(&self) -> Self {
        Self::new(IBig::ZERO, 0, self.above())
    }

    fn widened(&self, other: &Self) -> Self {
        Self::new(
            self.mantissa.clone(),
            self.exponent,
            self.radius.add(other.above()),
        )
    }

    fn price(precision: u32) -> (u64, u64) {
        let words = u64::from(precision / 64 + 1);
        (30 + 2 * words * words / 4, 400 + words * words * 60)
    }
}
