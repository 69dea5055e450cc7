//! Scientific notation: `1.2e5`, `1.2 \times 10^{-5}`.

use dashu::integer::IBig;
use dashu::rational::RBig;

use super::super::ast::{Expr, Number, Written};
use super::super::lexer::{Bracket, Gap, Kind};
use super::cursor::{Parser, Term};
use super::literal::{Digits, power_of_ten};
use super::policy::Policy;
use super::{ParseError, ParseErrorKind};

/// Largest power of ten that is multiplied out; beyond it the notation is kept as a power.
const MAX_EXPONENT: i64 = 4096;

impl Parser<'_> {
    /// Consumes `e5`, `E-3`, or `\times 10^{5}` after a decimal.
    pub(super) fn exponent(&mut self, decimal: bool) -> Result<Option<i64>, ParseError> {
        let mark = self.look(0);
        if mark.kind == Kind::Letter && mark.gap == Gap::None && matches!(self.text(), "e" | "E") {
            let (sign, at) = match self.look(1).kind {
                Kind::Minus => (-1, 2),
                Kind::Plus => (1, 2),
                _ => (1, 1),
            };
            let power = self.look(at);
            if power.kind == Kind::Digits && power.gap == Gap::None && self.look(1).gap == Gap::None
            {
                // `3e-4` without a point may be a difference of `3e` and 4.
                if at == 2 && !decimal && self.text() == "e" && self.second(Policy::EXPONENT) {
                    return Ok(None);
                }
                let value = parse_exponent(self.text_of(power));
                self.skip(at + 1);
                if self.look(0).gap == Gap::None
                    && matches!(self.peek(), Kind::Dot | Kind::Letter | Kind::Word)
                {
                    return Err(self.error(ParseErrorKind::MalformedNumber));
                }
                return Ok(Some(sign * value));
            }
        }
        if decimal
            && mark.kind == Kind::Times
            && self.text_of(self.look(1)) == "10"
            && self.look(2).kind == Kind::Caret
        {
            return Ok(self.power_of_ten_after_times());
        }
        Ok(None)
    }

    /// `\times 10^5`, `\times 10^{-5}`: consumed only if the exponent is an integer literal.
    fn power_of_ten_after_times(&mut self) -> Option<i64> {
        let grouped = matches!(
            self.look(3).kind,
            Kind::Open(Bracket::Group | Bracket::Paren)
        );
        let mut at = if grouped { 4 } else { 3 };
        let sign = match self.look(at).kind {
            Kind::Minus => {
                at += 1;
                -1
            }
            Kind::Plus => {
                at += 1;
                1
            }
            _ => 1,
        };
        let power = self.look(at);
        if power.kind != Kind::Digits {
            return None;
        }
        at += 1;
        if grouped {
            if self.look(3).partner as usize != self.index() + at {
                return None;
            }
            at += 1;
        }
        // `10^{5}!` and `10^5^2` are not literals.
        if matches!(self.look(at).kind, Kind::Bang | Kind::Caret | Kind::Dot) {
            return None;
        }
        let value = sign * parse_exponent(self.text_of(power));
        self.skip(at);
        Some(value)
    }

    /// `digits * 10^(exponent - places)`, multiplied out if that is small.
    pub(super) fn scientific(
        &mut self,
        digits: &Digits,
        places: usize,
        exponent: i64,
    ) -> Result<Term, ParseError> {
        let mantissa = digits.integer();
        let shift = exponent - i64::try_from(places).unwrap_or(i64::MAX);
        if shift.abs() <= MAX_EXPONENT {
            let power = power_of_ten(shift.unsigned_abs() as usize);
            let value = if shift >= 0 {
                RBig::from(IBig::from(mantissa * power))
            } else {
                RBig::from_parts(mantissa.into(), power)
            };
            let written = Written::Decimal {
                places: (-shift) as i32,
            };
            return self.leaf(Expr::Number(Number { value, written }));
        }
        let number = if places == 0 {
            Number::integer(mantissa.into())
        } else {
            Number {
                value: RBig::from_parts(mantissa.into(), power_of_ten(places)),
                written: Written::decimal(places),
            }
        };
        let power = Expr::Pow(
            Box::new(Expr::integer(10.into())),
            Box::new(Expr::integer(exponent.into())),
        );
        self.node(Expr::Mul(vec![Expr::Number(number), power]), 2)
    }
}

/// Exponents beyond a billion are cut: no such power is ever multiplied out.
fn parse_exponent(digits: &str) -> i64 {
    digits
        .parse::<i64>()
        .map_or(1_000_000_000_000, |value| value.min(1_000_000_000_000))
}
