//! Amounts of money, and scale words after a number.

use dashu::rational::RBig;

use super::super::ast::{Number, Value, Written};
use super::super::lexer::Kind;
use super::super::units;
use super::ParseError;
use super::cursor::{Parser, Term};
use super::expr::SUM;

impl Parser<'_> {
    /// `\$5`, `-\$5`, `US$5`, `RMB 5`: an amount with its currency in front.
    pub(super) fn currency_amount(&mut self) -> Result<Option<Value>, ParseError> {
        let minus = usize::from(self.peek() == Kind::Minus);
        let sign = self.look(minus);
        let mut tokens = minus + 1;
        match (sign.kind, self.look(tokens).kind) {
            (Kind::Currency, _) | (Kind::Word, Kind::Digits) => {}
            (Kind::Word, Kind::Currency)
                if matches!(self.text_of(sign), "US" | "HK" | "AU" | "CA") =>
            {
                tokens += 1;
            }
            // `Rs. 5`
            (Kind::Word, Kind::Dot) => tokens += 1,
            _ => return Ok(None),
        }
        let Some(code) = units::currency(self.text_of(sign)) else {
            return Ok(None);
        };
        self.skip(tokens);
        let money = std::mem::replace(&mut self.money, true);
        let value = self.amount_of_money(code, minus == 1);
        self.money = money;
        value.map(Some)
    }

    /// The amount after a currency sign, with what it is per: `5/hour`, `5 million`.
    fn amount_of_money(&mut self, code: &str, negative: bool) -> Result<Value, ParseError> {
        let amount = self.expr(SUM)?;
        let amount = if negative {
            self.negate(amount)?
        } else {
            amount
        };
        let text = self.text();
        let slash = self.peek() == Kind::Slash;
        let rate = slash || text.starts_with("per") || text.starts_with('每');
        let value = if slash {
            self.rate(amount)?
        } else {
            self.with_unit(amount)?
        };
        match value {
            Value::Quantity(expr, unit) if rate => {
                Ok(Value::Quantity(expr, format!("{code}{unit}").into()))
            }
            Value::Expr(expr) | Value::Quantity(expr, _) => Ok(Value::Quantity(expr, code.into())),
            _ => Err(self.unexpected()),
        }
    }

    /// Whether `/hour` follows an amount of money.
    pub(super) fn at_rate(&mut self) -> bool {
        self.money && matches!(self.look(1).kind, Kind::Word | Kind::Text) && self.at_unit()
    }

    fn rate(&mut self, amount: Term) -> Result<Value, ParseError> {
        let ahead = self.unit_ahead().ok_or_else(|| self.unexpected())?;
        self.skip(ahead.tokens);
        Ok(Value::Quantity(amount.expr, ahead.name))
    }

    /// Multiplies a numeral by a scale word: `3.5 million`, `2万`.
    pub(super) fn scaled(&mut self, number: Number) -> Number {
        let word = self.text();
        if !matches!(self.peek(), Kind::Word | Kind::Text) {
            return number;
        }
        let factor = if let Some((scale, factor)) = chinese_scale(word) {
            self.consume(scale.len());
            factor
        } else if let Some(factor) = units::scale(word) {
            self.bump();
            factor
        } else {
            return number;
        };
        self.unit_after_word = Some(self.index());
        let written = match number.written {
            Written::Decimal { places } => Written::Decimal {
                places: places - factor.ilog10().cast_signed(),
            },
            written => written,
        };
        Number {
            value: number.value * RBig::from(factor),
            written,
        }
    }
}

/// The scale at the start of a Chinese word; not the kilo of a unit.
fn chinese_scale(word: &str) -> Option<(&'static str, u64)> {
    const SCALES: &[(&str, u64)] = &[
        ("万亿", 1_000_000_000_000),
        ("百万", 1_000_000),
        ("千万", 10_000_000),
        ("亿", 100_000_000),
        ("万", 10_000),
        ("千", 1_000),
        ("百", 100),
    ];
    let kilo = units::canonical(word).is_some_and(|_| word.starts_with('千'));
    SCALES
        .iter()
        .copied()
        .find(|(scale, _)| word.starts_with(scale) && !kilo)
}
