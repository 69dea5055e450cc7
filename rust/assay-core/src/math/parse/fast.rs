//! Plain numbers, without tokens.

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::super::ast::{Expr, Number, Value, Written};

/// Most digits a number read here may have: it fits in 64 bits.
const MAX_DIGITS: usize = 18;

/// Reads `-12`, `3.50`, `3/4` and `1,234`, nothing else; with the canonical text.
pub(super) fn number(text: &str) -> Option<(Vec<Value>, String)> {
    let text = text.trim_ascii();
    if text.len() > 2 * MAX_DIGITS + 2 {
        return None;
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, rest) = digits(unsigned)?;
    let expr = match rest.as_bytes() {
        [] => Expr::integer(signed(whole, negative)),
        [b'.', ..] => {
            let fraction = rest.get(1..)?;
            let (value, after) = digits(fraction)?;
            let places = fraction.len();
            if !after.is_empty() || places + (unsigned.len() - rest.len()) > MAX_DIGITS {
                return None;
            }
            let scale = 10_u64.pow(places as u32);
            Expr::Number(Number {
                value: RBig::from_parts(signed(whole * scale + value, negative), UBig::from(scale)),
                written: Written::decimal(places),
            })
        }
        [b'/', ..] => {
            let (below, after) = digits(rest.get(1..)?)?;
            if !after.is_empty() {
                return None;
            }
            Expr::Div(
                Box::new(Expr::integer(signed(whole, negative))),
                Box::new(Expr::integer(IBig::from(below))),
            )
        }
        [b',', ..] => {
            let values = grouped(negative, unsigned)?;
            return Some((values, text.to_owned()));
        }
        _ => return None,
    };
    Some((vec![Value::Expr(expr)], text.to_owned()))
}

/// `3,14` as most of Europe writes 3.14, beside the list it also is. `0,5` is one, too; `2,5` and `3,141` are not told
/// from a list and from thousands.
pub(super) fn decimal_comma(text: &str) -> Option<Value> {
    let text = text.trim_ascii();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once(',')?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let zero = whole == "0";
    let ambiguous = matches!(fraction.len(), 1 | 3) || (whole.len() > 1 && whole.starts_with('0'));
    if !plain(whole) || !plain(fraction) || (ambiguous && !zero) {
        return None;
    }
    let (mut values, _) = number(&text.replace(',', "."))?;
    values.pop()
}

/// `1,234` in groups of three: a number, and a list unless a group has a leading zero.
fn grouped(negative: bool, text: &str) -> Option<Vec<Value>> {
    let mut number = 0_u64;
    let mut list = Vec::new();
    let mut ambiguous = true;
    for (index, group) in text.split(',').enumerate() {
        let (value, after) = digits(group)?;
        let fits = if index == 0 {
            group.len() <= 3 && !group.starts_with('0')
        } else {
            group.len() == 3
        };
        if !fits || !after.is_empty() || index > 5 {
            return None;
        }
        ambiguous &= !group.starts_with('0');
        number = number * 1000 + value;
        list.push(Value::Expr(Expr::integer(signed(
            value,
            negative && index == 0,
        ))));
    }
    let mut values = vec![Value::Expr(Expr::integer(signed(number, negative)))];
    if ambiguous {
        values.push(Value::List(list));
    }
    Some(values)
}

fn signed(value: u64, negative: bool) -> IBig {
    let value = IBig::from(value);
    if negative { -value } else { value }
}

/// The leading digits of a text, at least one, and what follows them.
fn digits(text: &str) -> Option<(u64, &str)> {
    let bytes = text.as_bytes();
    let mut value = 0_u64;
    let mut length = 0;
    while let Some(digit) = bytes.get(length).filter(|byte| byte.is_ascii_digit()) {
        if length == MAX_DIGITS {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
        length += 1;
    }
    (length > 0).then(|| (value, text.get(length..).unwrap_or("")))
}
