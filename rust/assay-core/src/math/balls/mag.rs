//! Upper bounds: numbers that are only ever rounded up.

use std::cmp::Ordering;

/// `mantissa * 2^exponent` with a mantissa in `[1, 2)`, or zero, or infinity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mag {
    mantissa: f64,
    exponent: i64,
}

/// More than any rounding of one operation on mantissas.
const UP: f64 = 1.0 + 8.0 * f64::EPSILON;
/// Exponents beyond this count as infinite; far from where `i64` ends.
const MAX_EXPONENT: i64 = 1 << 60;

impl Mag {
    pub(crate) const ZERO: Self = Self {
        mantissa: 0.0,
        exponent: 0,
    };
    pub(crate) const INFINITE: Self = Self {
        mantissa: f64::INFINITY,
        exponent: 0,
    };

    /// An upper bound of `mantissa * 2^exponent`, `mantissa >= 0`.
    pub(crate) fn new(mantissa: f64, exponent: i64) -> Self {
        if mantissa == 0.0 {
            return Self::ZERO;
        }
        if !mantissa.is_finite() || !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
            // Too small rounds up to the smallest bound there is, too large to infinity.
            return if mantissa.is_finite() && exponent < 0 {
                Self {
                    mantissa: 1.0,
                    exponent: -MAX_EXPONENT,
                }
            } else {
                Self::INFINITE
            };
        }
        // A subnormal does not occur: mantissas come from products of numbers in [1, 2).
        let bits = mantissa.to_bits();
        let shift = ((bits >> 52) & 0x7ff) as i64 - 1023;
        let mantissa = f64::from_bits((bits & !(0x7ff << 52)) | (1023 << 52));
        Self {
            mantissa,
            exponent: exponent + shift,
        }
    }

    /// `2^exponent`.
    pub(crate) fn power_of_two(exponent: i64) -> Self {
        Self::new(1.0, exponent)
    }

    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0.0
    }

    pub(crate) fn is_infinite(self) -> bool {
        self.mantissa == f64::INFINITY
    }

    /// The smallest `n` with `self < 2^n`, or `None` for zero; for infinity, more than any exponent.
    pub(crate) fn exponent(self) -> Option<i64> {
        if self.is_zero() {
            None
        } else if self.is_infinite() {
            Some(2 * MAX_EXPONENT)
        } else {
            Some(self.exponent + 1)
        }
    }

    pub(crate) fn add(self, other: Self) -> Self {
        if self.is_zero() || other.is_infinite() {
            return other;
        }
        if other.is_zero() || self.is_infinite() {
            return self;
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let distance = (high.exponent - low.exponent).min(64) as i32;
        Self::new(
            (high.mantissa + low.mantissa * 2f64.powi(-distance)) * UP,
            high.exponent,
        )
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::ZERO;
        }
        if self.is_infinite() || other.is_infinite() {
            return Self::INFINITE;
        }
        Self::new(
            self.mantissa * other.mantissa * UP,
            self.exponent + other.exponent,
        )
    }

    /// `self / lower` for a lower bound `lower` of a positive number.
    pub(crate) fn div(self, lower: Self) -> Self {
        if self.is_zero() {
            return self;
        }
        if lower.is_zero() || self.is_infinite() {
            return Self::INFINITE;
        }
        if lower.is_infinite() {
            return Self::power_of_two(-MAX_EXPONENT);
        }
        Self::new(
            self.mantissa / lower.mantissa * UP,
            self.exponent - lower.exponent,
        )
    }

    pub(crate) fn sqrt(self) -> Self {
        if self.is_zero() || self.is_infinite() {
            return self;
        }
        let odd = self.exponent.rem_euclid(2);
        let mantissa = if odd == 1 {
            self.mantissa * 2.0
        } else {
            self.mantissa
        };
        Self::new(mantissa.sqrt() * UP, (self.exponent - odd) / 2)
    }
}

impl PartialEq for Mag {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Mag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let rank = |mag: &Self| {
            (
                u8::from(!mag.is_zero()) + u8::from(mag.is_infinite()),
                mag.exponent,
            )
        };
        let (a, b) = (rank(self), rank(other));
        if a.0 != 1 || b.0 != 1 {
            return Some(a.0.cmp(&b.0));
        }
        Some(a.1.cmp(&b.1).then(self.mantissa.total_cmp(&other.mantissa)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(mag: Mag) -> f64 {
        mag.mantissa * 2f64.powi(mag.exponent as i32)
    }

    #[test]
    fn bounds_never_shrink() {
        let (a, b) = (Mag::new(3.0, 0), Mag::new(1.0, -70));
        assert!(value(a) == 3.0 && value(a.add(b)) > 3.0 && value(a.mul(a)) >= 9.0);
        assert!(value(a.div(a)) >= 1.0 && value(a.sqrt().mul(a.sqrt())) >= 3.0);
        assert!(Mag::ZERO < b && b < a && a < Mag::INFINITE);
        assert!(a.div(Mag::ZERO).is_infinite() && Mag::ZERO.mul(Mag::INFINITE).is_zero());
        assert_eq!(Mag::new(1.0, i64::MAX), Mag::INFINITE);
        assert!(!Mag::new(1.0, i64::MIN).is_zero());
    }
}
