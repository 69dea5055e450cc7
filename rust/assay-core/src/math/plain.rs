//! The short way for what most references are: plain integers and decimals, without parsing or allocating.

use super::{Options, Outcome, Stage, Tolerance, Units, Verdict};

/// Digits that surely fit the arithmetic below: `10^36 < 2^127`.
const MAX_DIGITS: u32 = 36;

/// `mantissa * 10^-places`, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain {
    mantissa: i128,
    places: u32,
}

/// Both sides as plain numbers, compared exactly; `None` when either is anything else, or when a tolerance
/// would have to be considered.
pub(crate) fn verify(gold: &str, answer: &str, options: &Options) -> Option<Verdict> {
    if options.units == Units::Require && gold != answer {
        return None;
    }
    let gold = read(gold, options.units)?;
    let answer = read(answer, options.units)?;
    let equal = gold.aligned_with(answer)? == answer.aligned_with(gold)?;
    // Under `LastPlace` a whole number that is not the decimal is at least one unit of its last place away.
    let within = matches!(options.tolerance, Tolerance::Within { .. });
    if !equal && within && (gold.places > 0 || answer.places > 0) {
        return None;
    }
    Some(if equal {
        Verdict::new(Outcome::Equal, Stage::Exact, "the same number")
    } else {
        Verdict::new(Outcome::Different, Stage::Exact, "two different numbers")
    })
}

/// Whether a reference is a plain number, which is read as fast as it is found among others.
pub(crate) fn is_number(text: &str) -> bool {
    read(text, Units::Require).is_some()
}

impl Plain {
    /// The mantissa over the finer of the two numbers' powers of ten; `None` when it does not fit.
    fn aligned_with(self, other: Self) -> Option<i128> {
        let shift = other.places.saturating_sub(self.places);
        self.mantissa.checked_mul(10i128.checked_pow(shift)?)
    }
}

/// Reads `-12`, `1,234.50` or `$3$`, and `\$3` where units are ignored. A comma must stand before three digits, and a point
/// between digits.
fn read(text: &str, units: Units) -> Option<Plain> {
    let text = text.trim_ascii();
    let text = match text.strip_prefix("\\$") {
        Some(amount)
            if units == Units::Ignore && amount.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            amount
        }
        _ => text,
    };
    let text = match text.strip_prefix('$').map(|inner| inner.strip_suffix('$')) {
        Some(Some(inner)) => inner.trim_ascii(),
        Some(None) => return None,
        None => text,
    };
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &[][..]),
    };
    if whole.is_empty() || point.is_some() && fraction.is_empty() {
        return None;
    }
    let mut mantissa: i128 = 0;
    let mut count: u32 = 0;
    let mut push = |byte: u8| -> Option<()> {
        if !byte.is_ascii_digit() || count == MAX_DIGITS {
            return None;
        }
        mantissa = mantissa * 10 + i128::from(byte - b'0');
        count += 1;
        Some(())
    };
    let groups = whole.split(|&byte| byte == b',');
    for (index, group) in groups.enumerate() {
        let grouped = group.len() != whole.len();
        let fits = match (grouped, index) {
            (false, _) => true,
            // "0,123" and "0123,456" are lists or mistakes, not thousands.
            (true, 0) => (1..=3).contains(&group.len()) && group[0] != b'0',
            (true, _) => group.len() == 3,
        };
        if !fits {
            return None;
        }
        for &byte in group {
            push(byte)?;
        }
    }
    for &byte in fraction {
        push(byte)?;
    }
    Some(Plain {
        mantissa: if negative { -mantissa } else { mantissa },
        places: fraction.len() as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(gold: &str, answer: &str) -> Option<Outcome> {
        verify(gold, answer, &Options::default()).map(|verdict| verdict.outcome)
    }

    #[test]
    fn plain_numbers_compare_exactly() {
        for (gold, answer, expected) in [
            ("42", "42", Some(Outcome::Equal)),
            ("42", " $42$ ", Some(Outcome::Equal)),
            ("1234", "\\$1,234.00", Some(Outcome::Equal)),
            ("1234", "\\$1,235", Some(Outcome::Different)),
            ("1234", "\\$$1,234$", None),
            ("1,234", "1234.00", Some(Outcome::Equal)),
            ("-3.5", "-3.50", Some(Outcome::Equal)),
            ("0", "-0", Some(Outcome::Equal)),
            ("007", "7", Some(Outcome::Equal)),
            ("42", "43", Some(Outcome::Different)),
            ("3.14", "3.15", Some(Outcome::Different)),
            ("3", "3.001", Some(Outcome::Different)),
            ("12,34", "1234", None),
            ("1.", "1", None),
            (".5", "0.5", None),
            ("x", "1", None),
            ("", "", None),
            ("$", "$", None),
            ("99999999999999999999999999999999999999", "1", None),
            ("1e5", "100000", None),
        ] {
            assert_eq!(outcome(gold, answer), expected, "{gold} against {answer}");
        }
    }
}
