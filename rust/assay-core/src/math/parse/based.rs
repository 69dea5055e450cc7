//! Numerals with letters for digits, and Chinese numerals: what the lexer cuts differently than the eye.

use super::super::ast::Value;
use super::super::lexer::{Bracket, Gap, Kind};
use super::super::units;
use super::super::words;
use super::ParseError;
use super::cursor::{Parser, Term};
use super::literal::in_base;

impl Parser<'_> {
    /// `1A_{16}`, `(1011)_2`, `0x1F`: a numeral whose digits are not one token. Consumes it, or nothing.
    pub(super) fn alphanumeric(&mut self) -> Option<Value> {
        let start = self.index();
        let value = self.numeral_with_base();
        if value.is_none() {
            self.seek(start);
        }
        value
    }

    fn numeral_with_base(&mut self) -> Option<Value> {
        let bracket = matches!(self.peek(), Kind::Open(Bracket::Paren | Bracket::Group));
        if bracket {
            self.bump();
        }
        let mut digits = String::new();
        let mut tokens = 0;
        loop {
            let token = self.look(tokens);
            let piece = self.text_of(token);
            let digit = matches!(
                token.kind,
                Kind::Digits | Kind::Letter | Kind::Word | Kind::Text
            ) && (tokens == 0 || token.gap == Gap::None)
                && piece.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !digit || tokens > 64 {
                break;
            }
            digits.push_str(piece);
            tokens += 1;
        }
        // One run of digits is a literal like any other; letters alone are names.
        if tokens == 0
            || !digits.bytes().any(|byte| byte.is_ascii_digit())
                && (digits.len() < 2 || digits.bytes().any(|byte| byte.is_ascii_lowercase()))
        {
            return None;
        }
        if !bracket && let Some((base, rest)) = prefixed(&digits) {
            let value = in_base(rest, base)?;
            self.skip(tokens);
            return Some(Value::Base(value.into(), base));
        }
        if !bracket && tokens == 1 && self.peek() == Kind::Digits {
            return None;
        }
        self.skip(tokens);
        if bracket {
            if !matches!(self.peek(), Kind::Close(Bracket::Paren | Bracket::Group)) {
                return None;
            }
            self.bump();
        }
        if self.peek() != Kind::Underscore {
            return None;
        }
        self.bump();
        let base = self.base_subscript().ok()?;
        let value = in_base(&digits, base)?;
        Some(Value::Base(value.into(), base))
    }

    /// `二十五元`: a numeral in Chinese characters with its unit.
    pub(super) fn chinese_amount(&mut self) -> Result<Option<Value>, ParseError> {
        let text = self.text();
        if self.peek() != Kind::Text || text.is_ascii() {
            return Ok(None);
        }
        let Some((expr, length)) = words::chinese(text) else {
            return Ok(None);
        };
        let unit = text.get(length..).unwrap_or("");
        self.bump();
        let term = Term { expr, height: 3 };
        self.count()?;
        if unit.is_empty() {
            return self.with_unit(term).map(Some);
        }
        if unit == "度" {
            let degrees = self.node(
                super::super::ast::Expr::Degrees(Box::new(term.expr)),
                term.height,
            )?;
            return Ok(Some(Value::Expr(degrees.expr)));
        }
        let name = units::canonical(unit).unwrap_or_else(|| unit.to_owned());
        if unit.chars().count() > 4 {
            return Err(self.unexpected());
        }
        Ok(Some(Value::Quantity(term.expr, name.into())))
    }
}

/// `0x1F`, `0b101`, `0o17`.
fn prefixed(digits: &str) -> Option<(u32, &str)> {
    let rest = digits.strip_prefix('0')?;
    let (letter, rest) = (rest.get(..1)?, rest.get(1..)?);
    let base = match letter {
        "x" | "X" => 16,
        "b" | "B" => 2,
        "o" | "O" => 8,
        _ => return None,
    };
    (!rest.is_empty()).then_some((base, rest))
}
