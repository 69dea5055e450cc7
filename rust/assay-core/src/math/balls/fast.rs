//! Real balls in `f64`: the first look, which settles most that is different.

use std::cmp::Ordering;

use dashu::base::{BitTest as _, EstimatedLog2 as _};
use dashu::integer::IBig;
use dashu::rational::RBig;

use super::Real;

/// `mid`, give or take `radius`; entire when the radius is infinite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fast {
    mid: f64,
    radius: f64,
}

/// Twice the relative error of one rounded operation, so that the radius' own rounding is covered.
const ROUNDING: f64 = 2.0 * f64::EPSILON;
/// Far more than the relative error of any platform's `exp`, `ln`, `sin`, `cos` and `atan`.
const LIBRARY: f64 = 64.0 * f64::EPSILON;
/// Below this, results may be subnormal and lose their relative accuracy.
const TINY: f64 = 1e-290;

impl Fast {
    fn new(mid: f64, radius: f64) -> Self {
        if mid.is_finite() && radius.is_finite() {
            Self { mid, radius }
        } else {
            Self::entire()
        }
    }

    /// The result of one operation, with a relative error of its own on top of what its arguments bring.
    fn rounded(mid: f64, radius: f64, relative: f64) -> Self {
        Self::new(mid, radius * (1.0 + ROUNDING) + mid.abs() * relative + TINY)
    }

    pub(crate) fn mid(self) -> f64 {
        self.mid
    }

    #[cfg(test)]
    pub(super) fn bounds(self) -> (f64, f64) {
        (self.mid, self.radius)
    }
}

impl Real for Fast {
    fn zero() -> Self {
        Self {
            mid: 0.0,
            radius: 0.0,
        }
    }

    fn entire() -> Self {
        Self {
            mid: 0.0,
            radius: f64::INFINITY,
        }
    }

    fn from_integer(value: i64) -> Self {
        let mid = value as f64;
        if value.unsigned_abs() < 1 << 53 {
            Self { mid, radius: 0.0 }
        } else {
            Self::rounded(mid, 0.0, ROUNDING)
        }
    }

    fn from_rational(value: &RBig, _precision: u32) -> Self {
        let (top, bottom) = (value.numerator(), value.denominator());
        if let (Ok(top), Ok(bottom)) = (i64::try_from(top), i64::try_from(bottom)) {
            let whole = Self::from_integer(top);
            return if bottom == 1 {
                whole
            } else {
                whole.div(&Self::from_integer(bottom), 53)
            };
        }
        let log = value.numerator().bit_len() as i64 - bottom.bit_len() as i64;
        if log.unsigned_abs() > 900 || value.log2_bounds().0.is_nan() {
            return Self::entire();
        }
        Self::rounded(value.to_f64_fast(), 0.0, LIBRARY)
    }

    fn pi(_precision: u32) -> Self {
        Self {
            mid: std::f64::consts::PI,
            radius: 1e-15,
        }
    }

    fn add(&self, other: &Self, _precision: u32) -> Self {
        if other.is_zero() {
            return *self;
        }
        if self.is_zero() {
            return *other;
        }
        let mid = self.mid + other.mid;
        let radius = self.radius + other.radius;
        // Small integers add exactly, which keeps what is zero exactly zero.
        if radius == 0.0
            && mid.abs() < 1e15
            && self.mid.trunc() == self.mid
            && other.mid.trunc() == other.mid
        {
            return Self { mid, radius };
        }
        Self::rounded(mid, radius, ROUNDING)
    }

    fn neg(&self) -> Self {
        Self {
            mid: -self.mid,
            radius: self.radius,
        }
    }

    fn mul(&self, other: &Self, _precision: u32) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::zero();
        }
        let mid = self.mid * other.mid;
        let radius = self.mid.abs() * other.radius
            + other.mid.abs() * self.radius
            + self.radius * other.radius;
        if radius == 0.0
            && mid.abs() < 1e15
            && self.mid.trunc() == self.mid
            && other.mid.trunc() == other.mid
        {
            return Self { mid, radius };
        }
        Self::rounded(mid, radius * (1.0 + ROUNDING), ROUNDING)
    }

    fn div(&self, other: &Self, _precision: u32) -> Self {
        let low = other.mid.abs() - other.radius;
        if low.is_nan() || low <= TINY {
            return Self::entire();
        }
        if self.is_zero() {
            return Self::zero();
        }
        let low = low * (1.0 - ROUNDING);
        let mid = self.mid / other.mid;
        let radius = (self.radius + mid.abs() * other.radius) / low;
        Self::rounded(mid, radius * (1.0 + 4.0 * ROUNDING), ROUNDING)
    }

    fn sqrt(&self, _precision: u32) -> Self {
        if self.mid + self.radius <= 0.0 {
            return Self::zero();
        }
        let low = self.mid - self.radius;
        if low <= self.mid * 0.25 {
            let high = (self.mid.abs() + self.radius).sqrt();
            return Self::new(0.0, high * (1.0 + ROUNDING));
        }
        Self::rounded(
            self.mid.sqrt(),
            self.radius / low.sqrt() * (1.0 + 4.0 * ROUNDING),
            ROUNDING,
        )
    }

    fn exp(&self, _precision: u32) -> Self {
        if self.radius > 1.0 || self.mid > 650.0 {
            return Self::entire();
        }
        let mid = self.mid.exp();
        Self::rounded(mid, 4.0 * mid * self.radius, LIBRARY)
    }

    fn ln(&self, _precision: u32) -> Self {
        let low = self.mid - self.radius;
        if low.is_nan() || low <= TINY {
            return Self::entire();
        }
        Self::rounded(
            self.mid.ln(),
            self.radius / low * (1.0 + 4.0 * ROUNDING) + f64::EPSILON,
            LIBRARY,
        )
    }

    fn sin_cos(&self, _precision: u32) -> (Self, Self) {
        // Beyond this the library's own reduction is not to be relied on.
        if self.radius > 1.0 || self.mid.abs() > 1e6 {
            let unit = Self {
                mid: 0.0,
                radius: 1.0,
            };
            return (unit, unit);
        }
        let (sin, cos) = self.mid.sin_cos();
        let radius = self.radius + LIBRARY;
        (Self::new(sin, radius), Self::new(cos, radius))
    }

    fn atan(&self, _precision: u32) -> Self {
        if self.is_entire() {
            return Self {
                mid: 0.0,
                radius: 2.0,
            };
        }
        Self::rounded(self.mid.atan(), self.radius, LIBRARY)
    }

    fn is_zero(&self) -> bool {
        self.mid == 0.0 && self.radius == 0.0
    }

    fn is_entire(&self) -> bool {
        self.radius == f64::INFINITY
    }

    fn sign(&self) -> Option<Ordering> {
        if self.is_zero() {
            return Some(Ordering::Equal);
        }
        if self.mid.abs() <= self.radius {
            return None;
        }
        Some(if self.mid < 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        })
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        let distance = (self.mid - other.mid).abs() * (1.0 - ROUNDING);
        distance > (self.radius + other.radius) * (1.0 + ROUNDING)
    }

    fn floor(&self) -> Option<IBig> {
        let (low, high) = (
            (self.mid - self.radius).floor(),
            (self.mid + self.radius).floor(),
        );
        (low == high
            && low.abs() < 1e15
            && (self.radius == 0.0 || (self.mid - self.mid.round()).abs() > self.radius))
            .then(|| IBig::from(low as i64))
    }

    fn around_zero(&self) -> Self {
        Self::new(0.0, (self.mid.abs() + self.radius) * (1.0 + ROUNDING))
    }

    fn widened(&self, other: &Self) -> Self {
        Self::new(
            self.mid,
            (self.radius + other.mid.abs() + other.radius) * (1.0 + ROUNDING),
        )
    }

    fn price(_precision: u32) -> (u64, u64) {
        (4, 12)
    }
}
