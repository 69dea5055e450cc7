//! Numbers as written: grouping, decimals, repetends, exponents, mixed numbers, bases.

use dashu::base::UnsignedAbs as _;
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::super::ast::{Expr, Number, Written};
use super::super::lexer::{Bracket, Gap, Kind};
use super::cursor::{Parser, Term};
use super::policy::Policy;
use super::{ParseError, ParseErrorKind};

/// A numeral with a base, from one token to another.
#[derive(Clone, Copy)]
pub(super) struct Based {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) base: u32,
}

/// Decimal digits as they are collected.
#[derive(Default)]
pub(super) struct Digits {
    small: u128,
    count: usize,
    /// The digits themselves once they exceed `small`.
    text: String,
}

impl Digits {
    /// Digits that always fit in a `u128`.
    const SMALL: usize = 38;

    pub(super) fn push(&mut self, digits: &str) {
        let count = self.count + digits.len();
        if count <= Self::SMALL {
            for byte in digits.bytes() {
                self.small = self.small * 10 + u128::from(byte.wrapping_sub(b'0'));
            }
        } else {
            if self.text.is_empty() && self.count > 0 {
                self.text = format!("{:0width$}", self.small, width = self.count);
            }
            self.text.push_str(digits);
        }
        self.count = count;
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn integer(&self) -> UBig {
        if self.count <= Self::SMALL {
            return UBig::from(self.small);
        }
        // Only ASCII digits are ever pushed, so this cannot fail.
        UBig::from_str_radix(&self.text, 10).unwrap_or_default()
    }
}

pub(super) fn power_of_ten(exponent: usize) -> UBig {
    match u32::try_from(exponent)
        .ok()
        .and_then(|small| 10_u64.checked_pow(small))
    {
        Some(power) => UBig::from(power),
        None => UBig::from(10_u8).pow(exponent),
    }
}

/// Digits in groups with one separator, from the first one on that was asked for. Places are indices of tokens.
#[derive(Clone, Copy)]
pub(super) struct Run {
    separator: Option<Kind>,
    gap: Gap,
    from: usize,
    end: usize,
    /// The last group that has not three digits.
    not_three: Option<usize>,
    /// The last group but the final one that has not two digits.
    not_two: Option<usize>,
    /// The last group that begins with a zero.
    zero: Option<usize>,
}

impl Run {
    /// How many tokens the groups take that begin at `start`: all of three digits, or Indian ones of two before a last three;
    /// otherwise none.
    fn tokens(&self, start: usize) -> usize {
        let step = if self.separator.is_some() { 2 } else { 1 };
        let tokens = self.end - start;
        let since = |group: Option<usize>| group.is_some_and(|group| group >= start);
        let western = !since(self.not_three);
        let last_is_three = self.not_three != Some(self.end.saturating_sub(1));
        let indian = self.separator == Some(Kind::Comma)
            && tokens > step
            && last_is_three
            && !since(self.not_two);
        if western || indian { tokens } else { 0 }
    }
}

impl Parser<'_> {
    /// `1_000_000`, as programs write it: groups of three digits, which no base has.
    fn underscored(&mut self, digits: &mut Digits) {
        while self.peek() == Kind::Underscore
            && self.look(0).gap == Gap::None
            && self.look(1).kind == Kind::Digits
            && self.look(1).gap == Gap::None
            && self.text_of(self.look(1)).len() == 3
        {
            self.bump();
            digits.push(self.text());
            self.bump();
        }
    }

    /// A number that starts at the current digits or point.
    pub(super) fn number(&mut self) -> Result<Term, ParseError> {
        let mut digits = Digits::default();
        let mut places = 0;
        let start = self.index();
        if self.peek() == Kind::Digits {
            digits.push(self.text());
            self.bump();
            self.groups(&mut digits);
        }
        if self.index() == start + 1 && digits.count() <= 3 {
            self.underscored(&mut digits);
        }
        let grouped = self.index() > start + 1;
        if !grouped
            && self.peek() == Kind::Underscore
            && matches!(self.look(0).gap, Gap::None)
            && digits.count() > 0
        {
            return self.based(start);
        }
        let decimal = self.decimals(&mut digits, &mut places)?;
        if let Some(number) = self.repetend(&digits, places, decimal)? {
            return self.leaf(Expr::Number(number));
        }
        if digits.count() == 0 {
            return Err(self.error(ParseErrorKind::MalformedNumber));
        }
        if let Some(exponent) = self.exponent(decimal)? {
            return self.scientific(&digits, places, exponent);
        }
        if decimal {
            let value = RBig::from_parts(digits.integer().into(), power_of_ten(places));
            let written = Written::decimal(places);
            let number = self.scaled(Number { value, written });
            return self.leaf(Expr::Number(number));
        }
        let whole = digits.integer();
        if let Some((above, below)) = self.mixed_part(&whole) {
            let value = RBig::from_parts(IBig::from(whole * &below + above), below);
            return self.leaf(Expr::Number(Number {
                value,
                written: Written::Fraction,
            }));
        }
        let number = self.scaled(Number::integer(whole.into()));
        self.leaf(Expr::Number(number))
    }

    /// Consumes the further groups of `1,234`, `1{,}234`, `1\,234` or `1 234`.
    fn groups(&mut self, digits: &mut Digits) {
        let first = self.text_of(self.at(self.index() - 1));
        if first.len() > 3 || first.starts_with('0') {
            return;
        }
        let (run, ambiguous) = match (self.look(0).kind, self.look(0).gap) {
            (Kind::GroupComma, _) => (self.run_of_groups(Some(Kind::GroupComma), Gap::None), false),
            (Kind::Comma, Gap::None) => (self.run_of_groups(Some(Kind::Comma), Gap::None), true),
            (Kind::Prime, Gap::None) => (self.run_of_groups(Some(Kind::Prime), Gap::None), false),
            (Kind::Digits, gap @ (Gap::Thin | Gap::Blank)) => {
                (self.run_of_groups(None, gap), false)
            }
            (Kind::Dot, Gap::None) => (self.run_of_groups(Some(Kind::Dot), Gap::None), false),
            _ => return,
        };
        let start = self.index();
        let tokens = run.tokens(start);
        // One group after a point is a decimal.
        if tokens == 0 || (run.separator == Some(Kind::Dot) && tokens == 2) {
            return;
        }
        // No list has `000` in it, and hardly one ends in `234.50`.
        let zero = run.zero.is_some_and(|group| group >= start);
        let ambiguous = ambiguous && !zero && self.look(tokens).kind != Kind::Dot;
        // At the top `1,234` is first of all a number; inside brackets it is first of all a list.
        if ambiguous && self.second(Policy::THOUSANDS) != self.bracketed {
            return;
        }
        for _ in 0..tokens {
            if self.peek() == Kind::Digits {
                digits.push(self.text());
            }
            self.bump();
        }
    }

    /// The groups of digits that follow, looked at once for all numbers of a long list.
    fn run_of_groups(&mut self, separator: Option<Kind>, gap: Gap) -> Run {
        let start = self.index();
        if let Some(run) = self.run
            && run.separator == separator
            && run.gap == gap
            && (run.from..run.end).contains(&start)
        {
            return run;
        }
        let step = if separator.is_some() { 2 } else { 1 };
        let mut run = Run {
            separator,
            gap,
            from: start,
            end: start,
            not_three: None,
            not_two: None,
            zero: None,
        };
        loop {
            let mark = self.at(run.end);
            let at = run.end + step - 1;
            let group = self.at(at);
            let fits = match separator {
                Some(kind) => mark.kind == kind && mark.gap == Gap::None && group.gap == Gap::None,
                None => group.gap == gap,
            };
            if !fits || group.kind != Kind::Digits {
                break;
            }
            let before = run.end.checked_sub(1).filter(|_| run.end > start);
            if let Some(before) = before
                && self.at(before).end - self.at(before).start != 2
            {
                run.not_two = Some(before);
            }
            if group.end - group.start != 3 {
                run.not_three = Some(at);
            }
            if self.text_of(group).starts_with('0') {
                run.zero = Some(at);
            }
            run.end += step;
        }
        self.run = Some(run);
        run
    }

    /// Consumes `.25`, or `{,}25` as Europe writes it. Whether there was a decimal point.
    fn decimals(&mut self, digits: &mut Digits, places: &mut usize) -> Result<bool, ParseError> {
        let mark = self.look(0);
        let next = self.look(1);
        let point = matches!(mark.kind, Kind::Dot | Kind::GroupComma)
            && (mark.gap == Gap::None || digits.count() == 0);
        if !point || next.gap != Gap::None {
            return Ok(false);
        }
        if next.kind != Kind::Digits {
            // A repetend may follow the point directly; nothing else may.
            let repeats = matches!(
                next.kind,
                Kind::Overline | Kind::DotAccent | Kind::Open(Bracket::Paren)
            );
            if !repeats || mark.kind != Kind::Dot {
                return Err(self.error(ParseErrorKind::MalformedNumber));
            }
            self.bump();
            return Ok(true);
        }
        self.bump();
        loop {
            let text = self.text();
            digits.push(text);
            *places += text.len();
            self.bump();
            // `3.141\,592`
            let more = self.look(0);
            if !(more.kind == Kind::Digits && more.gap == Gap::Thin) {
                break;
            }
        }
        if self.peek() == Kind::Dot
            && self.look(0).gap == Gap::None
            && self.look(1).kind == Kind::Digits
        {
            return Err(self.error(ParseErrorKind::MalformedNumber));
        }
        Ok(true)
    }

    /// After an integer, consumes a proper fraction of numerals: `\frac13`, ` 1/3`. The fraction's terms.
    fn mixed_part(&mut self, whole: &UBig) -> Option<(UBig, UBig)> {
        let (above, below, tokens) = match self.peek() {
            _ if *whole == UBig::ZERO => return None,
            Kind::Frac => self.numeral_fraction()?,
            Kind::Digits if self.look(0).gap == Gap::Blank && self.look(1).kind == Kind::Slash => {
                let below = self.look(2);
                if below.kind != Kind::Digits
                    || matches!(self.look(3).kind, Kind::Dot | Kind::Slash | Kind::Caret)
                {
                    return None;
                }
                (self.text(), self.text_of(below), 3)
            }
            _ => return None,
        };
        let above = UBig::from_str_radix(above, 10).ok()?;
        let below = UBig::from_str_radix(below, 10).ok()?;
        if above == UBig::ZERO || above >= below {
            return None;
        }
        self.skip(tokens);
        Some((above, below))
    }

    /// The terms of a `\frac` of two numerals at the current token, and how many tokens it takes.
    fn numeral_fraction(&self) -> Option<(&str, &str, usize)> {
        let next = self.look(1);
        if next.kind == Kind::Digits {
            // `\frac12`: one digit each.
            let text = self.text_of(next);
            return (text.len() == 2)
                .then(|| (text.get(..1).unwrap_or(""), text.get(1..).unwrap_or(""), 2));
        }
        let group = |at: usize| {
            let inside = self.look(at + 1);
            let whole = self.look(at).kind == Kind::Open(Bracket::Group)
                && inside.kind == Kind::Digits
                && self.look(at + 2).kind == Kind::Close(Bracket::Group);
            whole.then(|| self.text_of(inside))
        };
        Some((group(1)?, group(4)?, 7))
    }

    /// `101_2`, `101_{2}`: the value of digits in a base.
    fn based(&mut self, start: usize) -> Result<Term, ParseError> {
        let digits = self.text_of(self.at(start)).to_owned();
        self.bump();
        let base = self.base_subscript()?;
        let value =
            in_base(&digits, base).ok_or_else(|| self.error(ParseErrorKind::MalformedNumber))?;
        self.base = Some(Based {
            start,
            end: self.index(),
            base,
        });
        self.leaf(Expr::integer(value.into()))
    }

    /// The base in a subscript: an integer from 2 to 36, in digits or as a word.
    pub(super) fn base_subscript(&mut self) -> Result<u32, ParseError> {
        let grouped = self.eat(Kind::Open(Bracket::Group));
        let text = self.text();
        let base = match text {
            "two" | "bin" => 2,
            "eight" | "oct" => 8,
            "ten" | "dec" => 10,
            "sixteen" | "hex" => 16,
            digits => digits.parse().unwrap_or(0),
        };
        if !(2..=36).contains(&base) {
            return Err(self.error(ParseErrorKind::MalformedNumber));
        }
        self.bump();
        if grouped {
            self.expect(Kind::Close(Bracket::Group))?;
        }
        Ok(base)
    }
}

/// The value of alphanumeric digits in a base; nothing if one is not a digit of that base.
pub(super) fn in_base(digits: &str, base: u32) -> Option<UBig> {
    UBig::from_str_radix(digits, base).ok()
}

/// Whether the number is an integer of small size, and its value.
pub(super) fn small_integer(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Number(Number { value, .. }) if value.is_int() && *value >= RBig::ZERO => {
            u32::try_from(value.numerator().clone().unsigned_abs()).ok()
        }
        _ => None,
    }
}
