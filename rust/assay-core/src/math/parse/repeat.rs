//! Repeating decimals: `0.\overline{3}`, `0.(3)`, `0.\dot{1}4\dot{2}`, `0.333...`.

use dashu::integer::IBig;
use dashu::rational::RBig;

use super::super::ast::{Number, Written};
use super::super::lexer::{Bracket, Gap, Kind};
use super::ParseError;
use super::ParseErrorKind;
use super::cursor::Parser;
use super::literal::{Digits, power_of_ten};
use super::policy::Policy;

impl Parser<'_> {
    /// Consumes a repetend after `digits` with `places` decimals, if there is one.
    pub(super) fn repetend(
        &mut self,
        digits: &Digits,
        places: usize,
        decimal: bool,
    ) -> Result<Option<Number>, ParseError> {
        if !decimal {
            return Ok(None);
        }
        if self.peek() == Kind::Overline && !self.text().starts_with('\\') && places == 0 {
            return Err(self.error(ParseErrorKind::MalformedNumber));
        }
        match self.peek() {
            Kind::Overline if !self.text().starts_with('\\') => {
                let text = self.overlined_digits();
                Ok(Some(repeating(digits, places, &text)))
            }
            Kind::Overline => {
                self.bump();
                let text = self.digit_group()?;
                self.eat(Kind::Ellipsis);
                Ok(Some(repeating(digits, places, &text)))
            }
            Kind::DotAccent => {
                let text = self.dotted()?;
                self.eat(Kind::Ellipsis);
                Ok(Some(repeating(digits, places, &text)))
            }
            Kind::Open(Bracket::Paren) => {
                let inside = self.look(1);
                let digits_only =
                    inside.kind == Kind::Digits && self.look(2).kind == Kind::Close(Bracket::Paren);
                // After a bare point it can be nothing else.
                if self.look(0).gap != Gap::None
                    || !digits_only
                    || (places > 0 && self.second(Policy::REPEAT))
                {
                    return Ok(None);
                }
                let text = self.text_of(inside).to_owned();
                self.skip(3);
                self.eat(Kind::Ellipsis);
                Ok(Some(repeating(digits, places, &text)))
            }
            Kind::Ellipsis if self.look(0).gap == Gap::None => {
                let decimals = self.text_of(self.at(self.index() - 1));
                let period = if decimals.len() == places {
                    period(decimals)
                } else {
                    None
                };
                self.bump();
                // `3.14159...` is a decimal cut short, and keeps its written places.
                Ok(period.map(|text| repeating(digits, places, text)))
            }
            _ => Ok(None),
        }
    }

    /// `0.1\u{305}6\u{305}` with a combining bar over each digit, from the first bar: the repetend after the first digit.
    fn overlined_digits(&mut self) -> String {
        let first = self.text_of(self.at(self.index() - 1));
        let first = first.get(first.len() - 1..).unwrap_or("").to_owned();
        let mut text = String::new();
        self.bump();
        while self.peek() == Kind::Digits
            && self.look(1).kind == Kind::Overline
            && self.text().len() == 1
        {
            text.push_str(self.text());
            self.skip(2);
        }
        text.push_str(&first);
        text
    }

    /// `{142857}` or one digit.
    fn digit_group(&mut self) -> Result<String, ParseError> {
        let grouped = self.eat(Kind::Open(Bracket::Group));
        if self.peek() != Kind::Digits {
            return Err(self.error(ParseErrorKind::MalformedNumber));
        }
        let text = self.text();
        let text = if grouped {
            text
        } else {
            text.get(..1).unwrap_or("")
        }
        .to_owned();
        self.consume(text.len());
        if grouped {
            self.expect(Kind::Close(Bracket::Group))?;
        }
        Ok(text)
    }

    /// `\dot{3}`, or `\dot{1}4285\dot{7}` from the first dotted digit to the last.
    fn dotted(&mut self) -> Result<String, ParseError> {
        self.bump();
        let mut text = self.digit_group()?;
        let between = usize::from(self.peek() == Kind::Digits);
        if self.look(between).kind == Kind::DotAccent {
            if between == 1 {
                text.push_str(self.text());
                self.bump();
            }
            self.bump();
            text.push_str(&self.digit_group()?);
        }
        Ok(text)
    }
}

/// `0.16` and `6` make one sixth: `(digits * 10^k - digits + repetend ..) / (10^places * (10^k - 1))`.
fn repeating(digits: &Digits, places: usize, repetend: &str) -> Number {
    let mut tail = Digits::default();
    tail.push(repetend);
    let nines = power_of_ten(repetend.len()) - 1_u8;
    let above = digits.integer() * &nines + tail.integer();
    Number {
        value: RBig::from_parts(IBig::from(above), nines * power_of_ten(places)),
        written: Written::Repeating,
    }
}

/// The repetend of decimals that end in at least three equal digits or two equal longer blocks, of at most six digits.
fn period(decimals: &str) -> Option<&str> {
    let length = decimals.len();
    (1..=6).find_map(|size| {
        let times = if size == 1 { 3 } else { 2 };
        let last = decimals.get(length.checked_sub(size * times)?..)?;
        let block = last.get(..size)?;
        let repeats = last
            .as_bytes()
            .chunks(size)
            .all(|chunk| chunk == block.as_bytes());
        (repeats && block.bytes().any(|byte| byte != b'0')).then_some(block)
    })
}
