//! Exact integers and rationals under a bit budget.

pub(crate) mod factor;

use dashu::base::{Abs as _, BitTest as _, Gcd as _, Signed as _};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::fuel::{Fuel, Step, Stop};

/// A computed integer may have this many bits; larger powers and factorials stay as products.
pub(crate) const MAX_BITS: usize = 1 << 16;

/// `value` as an integer, if it is one.
pub(crate) fn integer(value: &RBig) -> Option<&IBig> {
    value.denominator().is_one().then(|| value.numerator())
}

/// `value` as a small integer, if it is one.
pub(crate) fn small(value: &RBig) -> Option<i64> {
    i64::try_from(integer(value)?).ok()
}

/// `|value|`.
pub(crate) fn magnitude(value: &IBig) -> UBig {
    value.clone().into_parts().1
}

/// Bits of the longer of numerator and denominator.
pub(crate) fn bits(value: &RBig) -> usize {
    let above = value.numerator().bit_len();
    if value.denominator().is_one() {
        return above.max(1);
    }
    above.max(value.denominator().bit_len())
}

pub(crate) fn is_negative(value: &RBig) -> bool {
    value.is_negative()
}

pub(crate) fn add(a: &RBig, b: &RBig, fuel: &Fuel) -> Step<RBig> {
    if are_integers(a, b) {
        fuel.spend(4 + (bits(a).max(bits(b)) / 64) as u64)?;
        return checked((a.numerator() + b.numerator()).into());
    }
    fuel.spend_fraction(bits(a), bits(b))?;
    checked(a + b)
}

pub(crate) fn mul(a: &RBig, b: &RBig, fuel: &Fuel) -> Step<RBig> {
    if are_integers(a, b) {
        fuel.spend_product(bits(a), bits(b))?;
        return checked((a.numerator() * b.numerator()).into());
    }
    fuel.spend_fraction(bits(a), bits(b))?;
    checked(a * b)
}

pub(crate) fn div(a: &RBig, b: &RBig, fuel: &Fuel) -> Step<RBig> {
    if b.is_zero() {
        return Err(Stop::Undefined("a division by zero"));
    }
    fuel.spend_fraction(bits(a), bits(b))?;
    checked(a / b)
}

fn are_integers(a: &RBig, b: &RBig) -> bool {
    a.denominator().is_one() && b.denominator().is_one()
}

/// Literals may be longer than [`MAX_BITS`], but their products may not run away.
fn checked(value: RBig) -> Step<RBig> {
    if bits(&value) > 8 * MAX_BITS {
        return Err(Stop::Fuel);
    }
    Ok(value)
}

/// `base^exponent`; `None` when the result would be longer than [`MAX_BITS`].
pub(crate) fn power(base: &RBig, exponent: i64, fuel: &Fuel) -> Step<Option<RBig>> {
    if exponent == 0 {
        if base.is_zero() {
            return Err(Stop::Undefined("zero to the power of zero"));
        }
        return Ok(Some(RBig::ONE));
    }
    if base.is_zero() {
        if exponent < 0 {
            return Err(Stop::Undefined("a division by zero"));
        }
        return Ok(Some(RBig::ZERO));
    }
    let count = exponent.unsigned_abs();
    let unit = bits(base) == 1 && base.denominator().is_one();
    if !unit && (bits(base) as u64).saturating_mul(count) > MAX_BITS as u64 {
        return Ok(None);
    }
    fuel.spend_power(bits(base) * count.min(MAX_BITS as u64) as usize)?;
    if unit {
        // Plus and minus one: a count beyond the budget needs no loop.
        let negative = base.is_negative() && !count.is_multiple_of(2);
        return Ok(Some(if negative { RBig::NEG_ONE } else { RBig::ONE }));
    }
    // Powers of numerator and denominator stay prime to each other, so this takes no common divisor.
    Ok(Some(base.pow(exponent as isize)))
}

/// `n!`; `None` when it would be longer than [`MAX_BITS`].
pub(crate) fn factorial(n: u64, fuel: &Fuel) -> Step<Option<UBig>> {
    // 5,900! has 65,400 bits.
    if n > 5_900 {
        return Ok(None);
    }
    product(1, n, 1, fuel).map(Some)
}

/// `n (n-2) (n-4) ..`; `None` when it would be longer than [`MAX_BITS`].
pub(crate) fn double_factorial(n: u64, fuel: &Fuel) -> Step<Option<UBig>> {
    if n > 10_000 {
        return Ok(None);
    }
    product(if n.is_multiple_of(2) { 2 } else { 1 }, n, 2, fuel).map(Some)
}

/// The product of `from, from + step, .. <= to`, halves first so that the long products are balanced.
pub(crate) fn product(from: u64, to: u64, step: u64, fuel: &Fuel) -> Step<UBig> {
    if from > to {
        return Ok(UBig::ONE);
    }
    let count = (to - from) / step;
    if count < 8 {
        let mut value = UBig::ONE;
        for index in 0..=count {
            value *= from + index * step;
        }
        fuel.spend(10 * (count + 1))?;
        return Ok(value);
    }
    let middle = from + count / 2 * step;
    let (left, right) = (
        product(from, middle, step, fuel)?,
        product(middle + step, to, step, fuel)?,
    );
    fuel.spend_product(left.bit_len(), right.bit_len())?;
    Ok(left * right)
}

/// The binomial coefficient for `n >= 0`; `None` when it would be longer than [`MAX_BITS`].
pub(crate) fn binomial(n: u64, k: i64, fuel: &Fuel) -> Step<Option<UBig>> {
    let Some(k) = u64::try_from(k).ok().filter(|&k| k <= n) else {
        return Ok(Some(UBig::ZERO));
    };
    let k = k.min(n - k);
    let length = u64::from(64 - n.leading_zeros());
    if k.min(n) > 6_000 || k * length > 4 * MAX_BITS as u64 {
        return Ok(None);
    }
    if k == 0 {
        return Ok(Some(UBig::ONE));
    }
    let top = product(n - k + 1, n, 1, fuel)?;
    let bottom = product(1, k, 1, fuel)?;
    fuel.spend_product(top.bit_len(), bottom.bit_len())?;
    Ok(Some(top / bottom))
}

/// The greatest common divisor of rationals: the largest rational of which both are integer multiples.
pub(crate) fn gcd(a: &RBig, b: &RBig, fuel: &Fuel) -> Step<RBig> {
    fuel.spend_product(bits(a), bits(b))?;
    let (Some(a), Some(b)) = (integer(a), integer(b)) else {
        return Err(Stop::Unsupported("gcd of fractions"));
    };
    Ok(match (a.is_zero(), b.is_zero()) {
        (true, _) => RBig::from(magnitude(b)),
        (_, true) => RBig::from(magnitude(a)),
        _ => RBig::from(a.gcd(b)),
    })
}

/// The least common multiple of integers.
pub(crate) fn lcm(a: &RBig, b: &RBig, fuel: &Fuel) -> Step<RBig> {
    let divisor = gcd(a, b, fuel)?;
    if divisor.is_zero() {
        return Ok(RBig::ZERO);
    }
    let product = mul(a, b, fuel)?;
    div(&product.abs(), &divisor, fuel)
}

/// `a mod b` with the sign of `b`, for rationals.
pub(crate) fn modulo(a: &RBig, b: &RBig, fuel: &Fuel) -> Step<RBig> {
    let quotient = div(a, b, fuel)?;
    let whole = RBig::from(quotient.floor());
    let back = mul(&whole, b, fuel)?;
    add(a, &-back, fuel)
}

/// `value^(1/degree)` if that is an integer.
pub(crate) fn exact_root(value: &UBig, degree: usize, fuel: &Fuel) -> Step<Option<UBig>> {
    if value.is_zero() || value.is_one() || degree == 1 {
        return Ok(Some(value.clone()));
    }
    if degree == 0 || degree >= value.bit_len() {
        return Ok(None);
    }
    fuel.spend_product(value.bit_len(), value.bit_len())?;
    let root = value.nth_root(degree);
    Ok((root.pow(degree) == *value).then_some(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::fuel::BUDGET;

    fn number(n: i64, d: u64) -> RBig {
        RBig::from_parts(IBig::from(n), UBig::from(d))
    }

    #[test]
    fn powers_keep_their_sign_and_budget() {
        let fuel = Fuel::new(BUDGET);
        assert_eq!(power(&number(-2, 3), 3, &fuel), Ok(Some(number(-8, 27))));
        assert_eq!(power(&number(-2, 3), -2, &fuel), Ok(Some(number(9, 4))));
        assert_eq!(
            power(&number(-1, 1), i64::MAX, &fuel),
            Ok(Some(number(-1, 1)))
        );
        assert_eq!(power(&number(2, 1), 1 << 40, &fuel), Ok(None));
        assert!(matches!(
            power(&RBig::ZERO, 0, &fuel),
            Err(Stop::Undefined(_))
        ));
        assert!(matches!(
            power(&RBig::ZERO, -1, &fuel),
            Err(Stop::Undefined(_))
        ));
        assert_eq!(power(&RBig::ZERO, 5, &fuel), Ok(Some(RBig::ZERO)));
    }

    #[test]
    fn combinatorics() {
        let fuel = Fuel::new(BUDGET);
        assert_eq!(factorial(0, &fuel), Ok(Some(UBig::ONE)));
        assert_eq!(
            factorial(20, &fuel),
            Ok(Some(UBig::from(2_432_902_008_176_640_000u64)))
        );
        assert_eq!(factorial(1_000_000, &fuel), Ok(None));
        assert_eq!(double_factorial(9, &fuel), Ok(Some(UBig::from(945u32))));
        assert_eq!(double_factorial(8, &fuel), Ok(Some(UBig::from(384u32))));
        assert_eq!(binomial(10, 3, &fuel), Ok(Some(UBig::from(120u32))));
        assert_eq!(binomial(10, 11, &fuel), Ok(Some(UBig::ZERO)));
        assert_eq!(
            binomial(1_000_000_000, 2, &fuel),
            Ok(Some(UBig::from(499_999_999_500_000_000u64)))
        );
        assert_eq!(binomial(1_000_000_000, 500_000_000, &fuel), Ok(None));
    }

    #[test]
    fn division_with_remainder_and_roots() {
        let fuel = Fuel::new(BUDGET);
        assert_eq!(
            modulo(&number(-7, 1), &number(3, 1), &fuel),
            Ok(number(2, 1))
        );
        assert_eq!(lcm(&number(4, 1), &number(6, 1), &fuel), Ok(number(12, 1)));
        assert_eq!(gcd(&number(0, 1), &number(0, 1), &fuel), Ok(RBig::ZERO));
        assert_eq!(
            exact_root(&UBig::from(27u32), 3, &fuel),
            Ok(Some(UBig::from(3u32)))
        );
        assert_eq!(exact_root(&UBig::from(28u32), 3, &fuel), Ok(None));
    }
}
