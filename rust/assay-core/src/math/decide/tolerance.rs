//! When a decimal may stand for an exact value.

use dashu::base::{Abs as _, Signed as _};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use crate::math::Tolerance;
use crate::math::ast::{Expr, Number, Written};
use crate::math::exact;

/// A decimal needs this many decimals, and as many significant digits, before it may stand for something else.
const MIN_DIGITS: i32 = 2;

/// How precisely a side that is one decimal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    /// Digits after the point; negative where an exponent moves the last digit before it.
    places: i32,
    /// From the first digit that is not zero to the last written one.
    significant: i32,
}

/// The decimal that `expr` is written as: `3.14`, `-0.5`, `12.5%`, `1.2 * 10^5`.
fn decimal(expr: &Expr) -> Option<Decimal> {
    match expr {
        Expr::Number(Number {
            value,
            written: Written::Decimal { places },
        }) => Some(Decimal {
            places: *places,
            significant: significant(value, *places),
        }),
        Expr::Neg(inner) => decimal(inner),
        Expr::Percent(inner) => decimal(inner).map(|decimal| Decimal {
            places: decimal.places + 2,
            ..decimal
        }),
        Expr::Mul(parts) => match &parts[..] {
            [mantissa, power] => {
                let decimal = decimal(mantissa)?;
                let shift = power_of_ten(power)?;
                Some(Decimal {
                    places: decimal.places.checked_sub(shift)?,
                    ..decimal
                })
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) => true,
        Expr::Neg(inner) => is_literal(inner),
        _ => false,
    }
}

fn power_of_ten(expr: &Expr) -> Option<i32> {
    let Expr::Pow(base, exponent) = expr else {
        return None;
    };
    let small = |expr: &Expr| match expr {
        Expr::Number(number) => exact::small(&number.value),
        Expr::Neg(inner) => match &**inner {
            Expr::Number(number) => exact::small(&number.value).map(|value| -value),
            _ => None,
        },
        _ => None,
    };
    (small(base)? == 10).then(|| i32::try_from(small(exponent)?).ok())?
}

fn significant(value: &RBig, places: i32) -> i32 {
    // places + the digits before the point, from the size of the value.
    if value.is_zero() {
        return 0;
    }
    let magnitude = value.clone().abs();
    let mut before = 0;
    let mut bound = RBig::ONE;
    let ten = RBig::from(10);
    while magnitude >= bound && before < 400 {
        bound *= &ten;
        before += 1;
    }
    if before > 0 {
        return places + before;
    }
    let mut zeros = 0;
    let mut scaled = magnitude * &ten;
    while scaled < RBig::ONE && zeros < 400 {
        scaled *= &ten;
        zeros += 1;
    }
    places - zeros
}

/// How far apart two sides may be, as a number; `None` when they have to be equal.
///
/// [`Tolerance::LastPlace`]: half a unit in the last place of the one side that is a decimal, if that side has at least
/// two decimals (or is written with an exponent) and two significant digits. Two decimals have to be equal, and a whole number
/// that is written out is not rounded by an exponent: `1.0e5` is not 100001.
pub(super) fn allowed(gold: &Expr, answer: &Expr, tolerance: Tolerance) -> Option<Allowed> {
    let (left, right) = (decimal(gold), decimal(answer));
    match tolerance {
        Tolerance::Exact => None,
        Tolerance::LastPlace => {
            let (one, other) = match (left, right) {
                (Some(one), None) => (one, answer),
                (None, Some(one)) => (one, gold),
                _ => return None,
            };
            let fine = one.places >= MIN_DIGITS || one.places < 0 && !is_literal(other);
            (fine && one.significant >= MIN_DIGITS && one.places.abs() < 1_000)
                .then(|| Allowed::Absolute(half_unit(one.places)))
        }
        Tolerance::Within { absolute, relative } => {
            if left.is_none() && right.is_none() {
                return None;
            }
            let exact = |value: f64| {
                RBig::try_from(value)
                    .ok()
                    .filter(|value| !value.is_negative())
            };
            Some(Allowed::Within {
                absolute: exact(absolute)?,
                relative: exact(relative)?,
            })
        }
    }
}

/// The distance that two sides may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Allowed {
    Absolute(RBig),
    /// The larger of `absolute` and `relative * |gold|`.
    Within {
        absolute: RBig,
        relative: RBig,
    },
}

fn half_unit(places: i32) -> RBig {
    let power = UBig::from(10u8).pow(places.unsigned_abs() as usize);
    if places >= 0 {
        RBig::from_parts(IBig::ONE, power * 2u8)
    } else {
        RBig::from_parts(IBig::from(power), UBig::from(2u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(numerator: i64, denominator: u64, places: i32) -> Expr {
        Expr::Number(Number {
            value: RBig::from_parts(numerator.into(), denominator.into()),
            written: Written::Decimal { places },
        })
    }

    fn third() -> Expr {
        let number = |value: i64| {
            Expr::Number(Number {
                value: value.into(),
                written: Written::Integer,
            })
        };
        Expr::Div(Box::new(number(1)), Box::new(number(3)))
    }

    #[test]
    fn one_decimal_with_two_digits_is_tolerant() {
        let rule = |a: &Expr, b: &Expr| allowed(a, b, Tolerance::LastPlace);
        let unit = |n: i64, d: u64| Some(Allowed::Absolute(RBig::from_parts(n.into(), d.into())));
        assert_eq!(rule(&written(33, 100, 2), &third()), unit(1, 200));
        assert_eq!(rule(&third(), &written(33, 100, 2)), unit(1, 200));
        // one decimal, one significant digit, none
        assert_eq!(rule(&written(3, 10, 1), &third()), None);
        assert_eq!(rule(&written(5, 100, 2), &third()), None);
        assert_eq!(rule(&written(0, 1, 2), &third()), None);
        assert_eq!(rule(&written(33, 100, 2), &written(333, 1000, 3)), None);
        assert_eq!(rule(&third(), &third()), None);
        // 1.23e6
        assert_eq!(rule(&written(1_230_000, 1, -4), &third()), unit(5_000, 1));
        let percent = Expr::Percent(Box::new(written(3_333, 100, 2)));
        assert_eq!(rule(&percent, &third()), unit(1, 20_000));
        assert_eq!(allowed(&percent, &third(), Tolerance::Exact), None);
    }
}
