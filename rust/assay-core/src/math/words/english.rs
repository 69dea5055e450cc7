//! English number words.

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::super::ast::{Expr, Number, Written};
use super::{MAX_WORDS, divide, signed};

/// The number at the start of an English text in lower case, and what follows it.
///
/// Reads `twenty-one`, `three hundred and five`, `two thirds`, `one and a half`, `minus three point one four`.
pub(crate) fn english(text: &str) -> Option<(Expr, &str)> {
    if let Some(rest) = text.strip_prefix("half") {
        return rest.trim().is_empty().then(|| (divide(UBig::ONE, 2), ""));
    }
    let mut words = Words::new(text)?;
    let negative = words.eat(&["minus", "negative"]);
    let whole = words.whole()?;
    if words.eat(&["point"]) {
        let (digits, places) = words.digits()?;
        let scale = UBig::from(10_u8).pow(places);
        let value = RBig::from_parts(IBig::from(whole * &scale + digits), scale);
        let written = Written::decimal(places);
        return Some((
            signed(Expr::Number(Number { value, written }), negative),
            words.rest(),
        ));
    }
    if let Some(below) = words.eat_denominator() {
        let fraction = divide(whole, below);
        return Some((signed(fraction, negative), words.rest()));
    }
    let before = words.at;
    if words.eat(&["and"]) {
        let above = words.whole().filter(|above| *above < UBig::from(100_u8));
        let below = words.eat_denominator();
        if let (Some(above), Some(below)) = (above, below)
            && above < UBig::from(below)
        {
            let value = RBig::from_parts(IBig::from(whole * below + above), UBig::from(below));
            let mixed = Expr::Number(Number {
                value,
                written: Written::Fraction,
            });
            return Some((signed(mixed, negative), words.rest()));
        }
        words.at = before;
    }
    Some((signed(Expr::integer(whole.into()), negative), words.rest()))
}

/// The words of a text with their ends.
struct Words<'a> {
    text: &'a str,
    pieces: Vec<(&'a str, usize)>,
    at: usize,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let first = text.split([' ', '-']).next().unwrap_or("");
        let starts = small(first).is_some() || matches!(first, "a" | "an" | "minus" | "negative");
        if !starts {
            return None;
        }
        let mut words = Vec::new();
        let mut end = 0;
        for piece in text.split_inclusive([' ', '-']) {
            let word = piece.trim_end_matches([' ', '-', ',']);
            if !word.is_empty() {
                words.push((word, end + word.len()));
            }
            end += piece.len();
            if words.len() > MAX_WORDS {
                return None;
            }
        }
        Some(Self {
            text,
            pieces: words,
            at: 0,
        })
    }

    fn word(&self) -> &'a str {
        self.pieces.get(self.at).map_or("", |word| word.0)
    }

    fn eat(&mut self, options: &[&str]) -> bool {
        let found = options.contains(&self.word());
        if found {
            self.at += 1;
        }
        found
    }

    fn rest(&self) -> &'a str {
        let end = self
            .at
            .checked_sub(1)
            .and_then(|last| self.pieces.get(last))
            .map_or(0, |word| word.1);
        self.text.get(end..).unwrap_or("").trim()
    }

    /// `three hundred and five thousand and one`.
    fn whole(&mut self) -> Option<UBig> {
        let start = self.at;
        let (mut total, mut current) = (UBig::ZERO, None::<u64>);
        loop {
            let word = self.word();
            let next = self.pieces.get(self.at + 1).map_or("", |word| word.0);
            if matches!(word, "a" | "an") && current.is_none() && total == UBig::ZERO {
                if scale(next).is_none() && next != "half" && next != "quarter" && next != "third" {
                    break;
                }
                current = Some(1);
            } else if let Some(value) = small(word) {
                let room = match current {
                    None => true,
                    // After tens a unit, after hundreds anything below.
                    Some(have) => {
                        value < 100 && have % 100 == 0
                            || value < 10 && have % 10 == 0 && have % 100 >= 20
                    }
                };
                if !room || value == 0 && current.is_some() {
                    break;
                }
                current = Some(current.unwrap_or(0) + value);
            } else if let Some(factor) = scale(word) {
                let Some(have) = current.filter(|have| *have > 0) else {
                    break;
                };
                if factor <= 100 {
                    current = have.checked_mul(factor);
                } else {
                    total += UBig::from(have) * UBig::from(factor);
                    current = None;
                    self.at += 1;
                    if self.word() == "and"
                        && small(self.pieces.get(self.at + 1).map_or("", |word| word.0)).is_some()
                        && self.no_fraction_after(1)
                    {
                        self.at += 1;
                    }
                    if small(self.word()).is_none() {
                        break;
                    }
                    continue;
                }
            } else if word == "and"
                && current.is_some_and(|have| have >= 100 && have % 100 == 0)
                && small(next).is_some()
                && self.no_fraction_after(1)
            {
                // `three hundred and five`
            } else {
                break;
            }
            self.at += 1;
        }
        (self.at > start).then(|| total + UBig::from(current.unwrap_or(0)))
    }

    /// Whether the number that starts so many words on is not the top of a fraction.
    fn no_fraction_after(&self, ahead: usize) -> bool {
        let word = self
            .pieces
            .get(self.at + ahead + 1)
            .map_or("", |word| word.0);
        denominator(word).is_none()
    }

    fn eat_denominator(&mut self) -> Option<u64> {
        let value = denominator(self.word())?;
        self.at += 1;
        Some(value)
    }

    /// The digits after `point`, and how many.
    fn digits(&mut self) -> Option<(UBig, usize)> {
        let mut value = UBig::ZERO;
        let mut places = 0;
        while let Some(digit) = small(self.word()).filter(|digit| *digit < 10) {
            value = value * 10_u8 + UBig::from(digit);
            places += 1;
            self.at += 1;
        }
        (places > 0).then_some((value, places))
    }
}

fn small(word: &str) -> Option<u64> {
    const WORDS: &[&str] = &[
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: &[&str] = &[
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    if let Some(value) = WORDS.iter().position(|known| *known == word) {
        return Some(value as u64);
    }
    TENS.iter()
        .position(|known| *known == word)
        .map(|tens| 10 * (tens as u64 + 2))
}

fn scale(word: &str) -> Option<u64> {
    Some(match word {
        "dozen" => 12,
        "hundred" => 100,
        "thousand" => 1_000,
        "million" => 1_000_000,
        "billion" => 1_000_000_000,
        "trillion" => 1_000_000_000_000,
        _ => return None,
    })
}

fn denominator(word: &str) -> Option<u64> {
    const ORDINALS: &[&str] = &[
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
    ];
    let one = word.strip_suffix('s').unwrap_or(word);
    Some(match one {
        "half" | "halve" => 2,
        "quarter" => 4,
        "twentieth" => 20,
        "hundredth" => 100,
        "thousandth" => 1000,
        _ => ORDINALS.iter().position(|ordinal| *ordinal == one)? as u64 + 3,
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
    fn english_words() {
        for (text, value, rest) in [
            ("twenty-one", integer(21), ""),
            ("three hundred and five", integer(305), ""),
            ("two thousand and one", integer(2001), ""),
            ("one million two hundred thousand", integer(1_200_000), ""),
            ("a hundred apples", integer(100), "apples"),
            ("minus seven", integer(-7), ""),
            ("two thirds", over(2, 3), ""),
            ("three-quarters", over(3, 4), ""),
            ("a half", over(1, 2), ""),
            ("zero", integer(0), ""),
            ("two dozen", integer(24), ""),
        ] {
            assert_eq!(english(text), Some((value, rest)), "{text}");
        }
        let (mixed, _) = english("one and a half").unwrap();
        assert!(matches!(
            mixed,
            Expr::Number(Number {
                written: Written::Fraction,
                ..
            })
        ));
        let (decimal, _) = english("three point one four").unwrap();
        assert!(matches!(
            decimal,
            Expr::Number(Number {
                written: Written::Decimal { places: 2 },
                ..
            })
        ));
        for text in ["apples", "", "and", "hundred"] {
            assert_eq!(english(text), None, "{text}");
        }
    }
}
