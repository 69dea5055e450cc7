//! Chinese numerals.

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::super::ast::{Expr, Number, Written};
use super::{MAX_WORDS, divide, signed};

/// The number at the start of a Chinese text, and how many bytes it takes.
///
/// Reads `三百二十`, `两万零五`, `负三`, `零点五`, `三分之二`, `百分之五`, `一半`.
pub(crate) fn chinese(text: &str) -> Option<(Expr, usize)> {
    let mut rest = text;
    let negative = rest.starts_with('负');
    if negative {
        rest = rest.strip_prefix('负')?;
    }
    if let Some(after) = rest.strip_prefix("百分之") {
        let (amount, after) = decimal(after)?;
        let expr = signed(Expr::Percent(Box::new(Expr::Number(amount))), negative);
        return Some((expr, text.len() - after.len()));
    }
    if let Some(after) = rest.strip_prefix("一半") {
        return Some((
            signed(divide(UBig::ONE, 2), negative),
            text.len() - after.len(),
        ));
    }
    let (number, after) = decimal(rest)?;
    if let Some(above) = after.strip_prefix("分之")
        && number.value.is_int()
    {
        let (above, after) = whole(above)?;
        let fraction = Expr::Div(
            Box::new(Expr::integer(above.into())),
            Box::new(Expr::Number(number)),
        );
        return Some((signed(fraction, negative), text.len() - after.len()));
    }
    Some((
        signed(Expr::Number(number), negative),
        text.len() - after.len(),
    ))
}

fn decimal(text: &str) -> Option<(Number, &str)> {
    let (value, after) = whole(text)?;
    let Some(mut rest) = after.strip_prefix('点') else {
        return Some((Number::integer(value.into()), after));
    };
    let mut digits = UBig::ZERO;
    let mut places = 0;
    while let Some(digit) = rest.chars().next().and_then(numeral) {
        digits = digits * 10_u8 + UBig::from(digit);
        places += 1;
        rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..)?;
    }
    let scale = UBig::from(10_u8).pow(places);
    let number = Number {
        value: RBig::from_parts(IBig::from(value * &scale + digits), scale),
        written: Written::decimal(places),
    };
    (places > 0).then_some((number, rest))
}

/// `三百二十`, `一万零五`, or digits one by one as in `二零二四`.
fn whole(text: &str) -> Option<(UBig, &str)> {
    let (mut total, mut section) = (UBig::ZERO, 0_u64);
    let mut digit: Option<u64> = None;
    let (mut seen, mut positional, mut scaled) = (0, UBig::ZERO, false);
    let mut end = 0;
    for c in text.chars() {
        // `五千克` is five kilograms.
        let here = text.get(end..).unwrap_or("");
        if c == '千'
            && digit.is_some()
            && ["千克", "千米", "千瓦", "千卡", "千焦", "千帕"]
                .iter()
                .any(|unit| here.starts_with(unit))
        {
            break;
        }
        if let Some(value) = numeral(c) {
            positional = positional * 10_u8 + UBig::from(value);
            digit = Some(value);
        } else if let Some(unit) = small_scale(c) {
            // `千克`, `百米` after a number are units.
            if digit.is_none() && seen > 0 && !scaled {
                break;
            }
            section += digit.take().unwrap_or(1) * unit;
            scaled = true;
        } else if let Some(unit) = match c {
            '万' => Some(10_000_u64),
            '亿' => Some(100_000_000),
            _ => None,
        } {
            if seen == 0 {
                return None;
            }
            section += digit.take().unwrap_or(0);
            // `万` scales what stands since the last large unit, `亿` everything before it.
            if unit == 10_000 {
                total += UBig::from(section) * UBig::from(unit);
            } else {
                total = (total + UBig::from(section)) * UBig::from(unit);
            }
            section = 0;
            scaled = true;
        } else {
            break;
        }
        seen += 1;
        end += c.len_utf8();
        if seen > MAX_WORDS {
            return None;
        }
    }
    if seen == 0 {
        return None;
    }
    let rest = text.get(end..)?;
    if scaled {
        Some((total + UBig::from(section + digit.unwrap_or(0)), rest))
    } else {
        Some((positional, rest))
    }
}

fn numeral(c: char) -> Option<u64> {
    Some(match c {
        '零' | '〇' => 0,
        '一' | '壹' => 1,
        '二' | '两' | '贰' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

fn small_scale(c: char) -> Option<u64> {
    Some(match c {
        '十' | '拾' => 10,
        '百' | '佰' => 100,
        '千' | '仟' => 1000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: i64) -> Expr {
        Expr::integer(value.into())
    }

    fn over(above: i64, below: i64) -> Expr {
        Expr::Div(Box::new(integer(above)), Box::new(integer(below)))
    }

    #[test]
    fn chinese_words() {
        for (text, value, rest) in [
            ("三百二十", integer(320), ""),
            ("十", integer(10), ""),
            ("十五", integer(15), ""),
            ("二十五元", integer(25), "元"),
            ("两万零五", integer(20005), ""),
            ("一亿三千万", integer(130_000_000), ""),
            ("二零二四", integer(2024), ""),
            ("负三", integer(-3), ""),
            ("三分之二", over(2, 3), ""),
            ("五千克", integer(5), "千克"),
            ("五千", integer(5000), ""),
        ] {
            let (expr, length) = chinese(text).unwrap();
            assert_eq!((expr, &text[length..]), (value, rest), "{text}");
        }
        let percent = Expr::Percent(Box::new(integer(5)));
        assert_eq!(chinese("百分之五"), Some((percent, "百分之五".len())));
        assert_eq!(chinese("元"), None);
        assert_eq!(chinese("万"), None);
    }
}
