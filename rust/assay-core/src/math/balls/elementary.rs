//! The exponential, logarithm, sine and arctangent of [`Big`], in fixed point by halving and Taylor series.
//!
//! Each works with guard bits that cover its own rounding errors, counted in the comments, and then adds one bound
//! for them to the radius; the radius of the argument enters by the mean value theorem.

use std::cmp::Ordering;
use std::sync::OnceLock;

use dashu::base::SquareRoot as _;
use dashu::integer::IBig;

use super::big::Big;
use super::{Mag, Real};

/// Bits of the stored constants: 1,024 of precision, as many of reduction, and guards.
const CONSTANT_BITS: u32 = 2_560;
/// Arguments of the sine are reduced up to `2^1024`.
const MAX_REDUCTION: i64 = 1_024;
const GUARD: u32 = 32;

/// `2^bits * (atanh or atan)(1/n)` with an error below the number of its terms.
fn inverse_series(n: u32, bits: u32, alternating: bool) -> IBig {
    let mut power = (IBig::ONE << bits as usize) / n;
    let square = n * n;
    let mut sum = power.clone();
    let mut k = 1u32;
    loop {
        power /= square;
        if power.is_zero() {
            return sum;
        }
        let term = &power / (2 * k + 1);
        if alternating && k % 2 == 1 {
            sum -= term;
        } else {
            sum += term;
        }
        k += 1;
    }
}

/// `2^CONSTANT_BITS * pi`, by Machin's formula; the error is far below `2^32`.
fn stored_pi() -> &'static IBig {
    static PI: OnceLock<IBig> = OnceLock::new();
    PI.get_or_init(|| {
        let (a, b) = (
            inverse_series(5, CONSTANT_BITS, true),
            inverse_series(239, CONSTANT_BITS, true),
        );
        a * 16 - b * 4
    })
}

/// `2^CONSTANT_BITS * ln 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749)`.
fn stored_ln2() -> &'static IBig {
    static LN2: OnceLock<IBig> = OnceLock::new();
    LN2.get_or_init(|| {
        let part = |n| inverse_series(n, CONSTANT_BITS, false);
        part(26) * 18 - part(4801) * 2 + part(8749) * 8
    })
}

/// A stored constant with `bits` after the point, to within one unit.
fn constant(stored: &IBig, bits: u32) -> IBig {
    stored.clone() >> (CONSTANT_BITS - bits.min(CONSTANT_BITS - 40)) as usize
}

pub(super) fn pi(precision: u32) -> Big {
    let bits = precision.min(CONSTANT_BITS - 40);
    Big::new(
        constant(stored_pi(), bits),
        -i64::from(bits),
        Mag::power_of_two(-i64::from(bits)),
    )
}

/// `a * b` in fixed point.
fn product(a: &IBig, b: &IBig, bits: u32) -> IBig {
    (a * b) >> bits as usize
}

/// The nearest integer to `numerator / denominator`, `denominator > 0`.
fn nearest(numerator: &IBig, denominator: &IBig) -> IBig {
    let doubled = (numerator << 1usize) + denominator;
    let divisor = denominator << 1usize;
    let quotient = &doubled / &divisor;
    // Division cuts towards zero; the floor is wanted.
    if doubled < IBig::ZERO && &quotient * &divisor != doubled {
        quotient - IBig::ONE
    } else {
        quotient
    }
}

/// How often an argument is halved before its series: about the square root of the work.
fn halvings(bits: u32) -> u32 {
    6 + bits / 64
}

pub(super) fn exp(x: &Big, precision: u32) -> Big {
    let top = x.top();
    if x.radius().is_infinite()
        || top > 58
        || x.radius().exponent().is_some_and(|exponent| exponent > 0)
    {
        // A radius of one or more says too little, and e^(2^58) is beyond what is followed.
        return Big::entire();
    }
    let extra = top.max(0) as u32;
    let halve = halvings(precision);
    let bits = precision + extra + 2 * halve + GUARD;
    let argument = x.fixed(bits);
    let ln2 = constant(stored_ln2(), bits);
    let count = nearest(&argument, &ln2);
    // One unit from the cut of x, one per count from ln 2: below 2^(extra + 2).
    let rest = argument - &count * ln2;
    let small = rest >> halve as usize;
    // e^small - 1 by its series; each term is cut once.
    let mut term = small.clone();
    let mut sum = small.clone();
    let mut k = 2u32;
    while !(term.is_zero() || term == IBig::NEG_ONE) {
        term = product(&term, &small, bits) / k;
        sum += &term;
        k += 1;
    }
    // (1 + s)^2 - 1 = 2s + s^2 doubles the error each time.
    for _ in 0..halve {
        sum = (&sum << 1usize) + product(&sum, &sum, bits);
    }
    let value = sum + (IBig::ONE << bits as usize);
    let Ok(shift) = i64::try_from(&count) else {
        return Big::entire();
    };
    // All errors: below 2^(halve + 2) * (terms + 4) + 2^(extra + 2) units, well under 2^(2 halve + extra + 16).
    let error = i64::from(2 * halve + extra + 16) - i64::from(bits) + shift;
    let exponent = shift - i64::from(bits);
    let own = Big::new(value.clone(), exponent, Mag::power_of_two(error));
    // |e^(x+h) - e^x| <= e^x h e^h <= 4 e^x h for h <= 1
    let spread = own.above().mul(x.radius()).mul(Mag::power_of_two(2));
    Big::rounded(
        value,
        exponent,
        Mag::power_of_two(error).add(spread),
        precision,
    )
}

/// The logarithm of the midpoint, which is positive.
pub(super) fn ln(x: &Big, precision: u32) -> Big {
    let shift = x.top();
    let halve = halvings(precision) / 2 + 2;
    let extra = (64 - shift.unsigned_abs().leading_zeros()).min(64);
    let bits = precision + 2 * halve + extra + GUARD;
    // m = x / 2^shift is in [1/2, 1).
    let m = Big::new(x.mantissa().clone(), x.exponent() - shift, Mag::ZERO).fixed(bits);
    let one = IBig::ONE << bits as usize;
    let mut root = m.into_parts().1;
    for _ in 0..halve {
        root = (root << bits as usize).sqrt();
    }
    let root = IBig::from(root);
    // ln r = 2 atanh((r - 1) / (r + 1)); a root's relative error is halved each time, so at most two units remain.
    let z = ((&root - &one) << bits as usize) / (&root + &one);
    let square = product(&z, &z, bits);
    let mut power = z.clone();
    let mut sum = z;
    let mut k = 3u32;
    loop {
        power = product(&power, &square, bits);
        if power.is_zero() || power == IBig::NEG_ONE {
            break;
        }
        sum += &power / k;
        k += 2;
    }
    let logarithm = (sum << (halve + 1) as usize) + constant(stored_ln2(), bits) * shift;
    // (terms + 6) 2^(halve + 1) from the series, |shift| from ln 2: below 2^(2 halve + extra + 16) units.
    let error = i64::from(2 * halve + extra + 16) - i64::from(bits);
    Big::rounded(
        logarithm,
        -i64::from(bits),
        Mag::power_of_two(error),
        precision,
    )
}

pub(super) fn sin_cos(x: &Big, precision: u32) -> (Big, Big) {
    let unit = || Big::new(IBig::ZERO, 0, Mag::power_of_two(0));
    if x.is_zero() {
        return (Big::zero(), Big::from_integer(1));
    }
    if x.radius().exponent().is_some_and(|exponent| exponent > 1) || x.top() > MAX_REDUCTION {
        return (unit(), unit());
    }
    let extra = x.top().max(0) as u32;
    let halve = halvings(precision) / 2 + 2;
    let bits = precision + extra + 2 * halve + GUARD;
    let argument = x.fixed(bits);
    let half_pi = constant(stored_pi(), bits) >> 1usize;
    let count = nearest(&argument, &half_pi);
    let small = (argument - &count * half_pi) >> halve as usize;
    let (mut sin, mut cos) = series_sin_cos(&small, bits);
    let one = IBig::ONE << bits as usize;
    for _ in 0..halve {
        // The double angle; errors grow at most fourfold.
        let square = product(&sin, &sin, bits);
        sin = product(&sin, &cos, bits) << 1usize;
        cos = &one - (square << 1usize);
    }
    let quadrant = u8::try_from(((count % 4) + 4) % 4).unwrap_or(0);
    let (sin, cos) = match quadrant {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    };
    let error = i64::from(2 * halve + extra + 16) - i64::from(bits);
    let radius = Mag::power_of_two(error).add(x.radius());
    let ball = |value| Big::rounded(value, -i64::from(bits), radius, precision);
    (ball(sin), ball(cos))
}

fn series_sin_cos(x: &IBig, bits: u32) -> (IBig, IBig) {
    let square = product(x, x, bits);
    let (mut sin, mut cos) = (x.clone(), IBig::ONE << bits as usize);
    let (mut odd, mut even) = (x.clone(), cos.clone());
    let mut k = 1u32;
    loop {
        even = -(product(&even, &square, bits) / (2 * k * (2 * k - 1)));
        odd = -(product(&odd, &square, bits) / (2 * k * (2 * k + 1)));
        if even.is_zero() || even == IBig::NEG_ONE || even == IBig::ONE {
            return (sin, cos);
        }
        cos += &even;
        sin += &odd;
        k += 1;
    }
}

pub(super) fn atan(x: &Big, precision: u32) -> Big {
    if x.is_zero() {
        return Big::zero();
    }
    if x.is_entire() {
        return Big::new(IBig::ZERO, 0, Mag::power_of_two(1));
    }
    if x.top() > 0 && x.sign().is_some() {
        // atan x = +-pi/2 - atan(1/x)
        let working = precision + 8;
        let inverse = Big::from_integer(1).div(x, working);
        if !inverse.is_entire() {
            let right = pi(working).mul(&Big::new(IBig::ONE, -1, Mag::ZERO), working);
            let right = if x.sign() == Some(Ordering::Less) {
                right.neg()
            } else {
                right
            };
            return right.sub(&atan_small(&inverse, working), precision);
        }
    }
    atan_small(x, precision)
}

/// For a midpoint of magnitude below two.
fn atan_small(x: &Big, precision: u32) -> Big {
    let halve = halvings(precision) / 2 + 1;
    let bits = precision + 2 * halve + GUARD;
    let one = IBig::ONE << bits as usize;
    let mut t = x.fixed(bits);
    for _ in 0..halve {
        // tan(a/2) = t / (1 + sqrt(1 + t^2)); errors halve.
        let norm = (&one << bits as usize) + &t * &t;
        let root = IBig::from(norm.into_parts().1.sqrt());
        t = (t << bits as usize) / (root + &one);
    }
    let square = product(&t, &t, bits);
    let (mut power, mut sum) = (t.clone(), t);
    let mut k = 1u32;
    loop {
        power = -product(&power, &square, bits);
        if power.is_zero() || power == IBig::NEG_ONE || power == IBig::ONE {
            break;
        }
        sum += &power / (2 * k + 1);
        k += 1;
    }
    // (terms + 4) 2^halve units, and the derivative is at most one.
    let error = i64::from(2 * halve + 16) - i64::from(bits);
    Big::rounded(
        sum << halve as usize,
        -i64::from(bits),
        Mag::power_of_two(error).add(x.radius()),
        precision,
    )
}
