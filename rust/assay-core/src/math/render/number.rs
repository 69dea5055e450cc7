//! Numbers in the notation they were written in.

use std::fmt::Write as _;

use dashu::base::{Sign, UnsignedAbs as _};
use dashu::integer::{IBig, UBig};

use super::super::ast::{Number, Written};

/// Longest repetend that is written out; a longer one becomes a fraction.
const MAX_PERIOD: usize = 4096;

/// Writes a number, with its sign.
pub(super) fn number(out: &mut String, number: &Number) {
    let (numerator, denominator) = (number.value.numerator(), number.value.denominator());
    if numerator.sign() == Sign::Negative {
        out.push('-');
    }
    let above = numerator.clone().unsigned_abs();
    match number.written {
        Written::Decimal { places } => decimal(out, &above, denominator, places),
        Written::Repeating => repeating(out, &above, denominator),
        Written::Fraction if above > *denominator => {
            let whole = &above / denominator;
            let rest = above - &whole * denominator;
            let _ = write!(out, "{whole}\\frac{{{rest}}}{{{denominator}}}");
        }
        Written::Integer if *denominator == UBig::ONE => {
            let _ = write!(out, "{above}");
        }
        Written::Integer | Written::Fraction => {
            let _ = write!(out, "\\frac{{{above}}}{{{denominator}}}");
        }
    }
}

/// `places` digits after the point; with an exponent where a plain decimal would not show them.
fn decimal(out: &mut String, above: &UBig, below: &UBig, places: i32) {
    let shift = UBig::from(10_u8).pow(places.unsigned_abs() as usize);
    let digits = if places >= 0 {
        above * shift / below
    } else {
        above / (below * shift)
    };
    if !(1..=32).contains(&places) {
        let _ = write!(out, "{digits}e{}", -places);
        return;
    }
    let places = places as usize;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let _ = write!(out, "{whole}.{fraction}");
}

/// Long division: the digits before the repetend, then the repetend under a bar.
fn repeating(out: &mut String, above: &UBig, below: &UBig) {
    let whole = above / below;
    let mut rest = above - &whole * below;
    let (mut twos, mut fives) = (0_usize, 0_usize);
    let mut period = below.clone();
    while &period % 2_u8 == 0 {
        period /= 2_u8;
        twos += 1;
    }
    while &period % 5_u8 == 0 {
        period /= 5_u8;
        fives += 1;
    }
    let mut digits = String::new();
    let mut next = |rest: &mut UBig| {
        let scaled = &*rest * 10_u8;
        let digit = &scaled / below;
        *rest = scaled - &digit * below;
        let _ = write!(digits, "{digit}");
    };
    let prefix = twos.max(fives);
    for _ in 0..prefix {
        next(&mut rest);
    }
    let start = rest.clone();
    let mut length = 0;
    loop {
        next(&mut rest);
        length += 1;
        if rest == start {
            break;
        }
        if length > MAX_PERIOD {
            let _ = write!(out, "\\frac{{{above}}}{{{below}}}");
            return;
        }
    }
    let (fixed, repetend) = digits.split_at(prefix.min(digits.len()));
    let _ = write!(out, "{whole}.{fixed}\\overline{{{repetend}}}");
}

/// Digits of `value` in `base`, upper case.
pub(super) fn in_base(out: &mut String, value: &IBig, base: u32) {
    let _ = write!(
        out,
        "{}_{{{base}}}",
        value
            .in_radix(u8::try_from(base).unwrap_or(10).clamp(2, 36))
            .to_string()
            .to_uppercase()
    );
}
