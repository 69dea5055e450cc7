//! Units after a number.

use dashu::integer::IBig;
use dashu::rational::RBig;

use super::super::ast::{Expr, Function, Value};
use super::super::lexer::{Bracket, Gap, Kind, Token};
use super::super::units;
use super::ParseError;
use super::cursor::{Parser, Term};
use super::noun::is_amount;
use super::policy::Policy;

/// Most tokens a unit may take.
const MAX_TOKENS: usize = 12;

/// A unit found ahead.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    pub(super) name: Box<str>,
    pub(super) tokens: usize,
    /// A counted noun rather than a unit of the table.
    pub(super) noun: bool,
}

/// How sure a run of letters is to be a unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sure {
    /// `5m`: first of all a product.
    Letter,
    /// `5cm`: first of all a unit.
    Word,
    /// `5\text{m}`, `5 meters`.
    Certain,
}

impl Parser<'_> {
    /// Whether the rest of this item is a unit.
    pub(super) fn at_unit(&mut self) -> bool {
        self.unit_ahead().is_some()
    }

    pub(super) fn unit_ahead(&mut self) -> Option<Ahead> {
        if self.is_split() && self.peek() != Kind::Text {
            return None;
        }
        let here = (self.index(), self.is_split());
        if let Some((at, found)) = &self.unit
            && *at == here
        {
            return found.clone();
        }
        let found = self.find_unit();
        self.unit = Some((here, found.clone()));
        found
    }

    fn find_unit(&mut self) -> Option<Ahead> {
        let numeric = self.after_numeral();
        let Some((ahead, sure)) = self.known_unit(numeric) else {
            let counted =
                numeric && !self.is_split() && self.before() != Kind::Close(Bracket::Paren);
            return if counted { self.counted_noun() } else { None };
        };
        match sure {
            Sure::Certain => Some(ahead),
            Sure::Word => (numeric && !self.second(Policy::UNIT)).then_some(ahead),
            Sure::Letter => (numeric && self.second(Policy::UNIT)).then_some(ahead),
        }
    }

    /// Whether what was read last ends a numeral, a fraction or a bracket.
    fn after_numeral(&self) -> bool {
        matches!(
            self.before(),
            Kind::Digits | Kind::Close(_) | Kind::Percent | Kind::Ellipsis | Kind::Constant(_)
        ) || self.unit_after_word == Some(self.index())
    }

    /// Tokens up to the end of the item that spell a unit of the table.
    fn known_unit(&self, numeric: bool) -> Option<(Ahead, Sure)> {
        let mut spelling = Spelling::new(numeric, self.money);
        let mut tokens = 0;
        loop {
            let token = self.look(tokens);
            // A scale word may have taken the start of the first piece.
            let piece = if tokens == 0 {
                self.text()
            } else {
                self.text_of(token)
            };
            let scale = self.text_of(self.look(tokens + 1));
            if token.kind == Kind::Degree && matches!(scale, "C" | "F") {
                spelling
                    .text
                    .push_str(if scale == "C" { "degC" } else { "degF" });
                spelling.sure = Sure::Certain;
                tokens += 1;
            } else if spelling.take(token, piece).is_none() {
                let done = spelling.ends_before(token)
                    || spelling.depth == 0 && tokens > 0 && ends_unit(token);
                if !done {
                    return None;
                }
                break;
            }
            tokens += 1;
            if tokens > MAX_TOKENS {
                return None;
            }
        }
        let name = units::canonical(&spelling.text)?.into_boxed_str();
        if name.starts_with('/') && !self.money && !spelling.text.starts_with("per") {
            return None;
        }
        let ahead = Ahead {
            name,
            tokens,
            noun: false,
        };
        Some((ahead, spelling.sure))
    }

    /// The value of a term that may carry a unit.
    pub(super) fn with_unit(&mut self, term: Term) -> Result<Value, ParseError> {
        match self.peek() {
            Kind::Currency => {
                let Some(code) = units::currency(self.text()) else {
                    return Err(self.unexpected());
                };
                self.bump();
                return Ok(Value::Quantity(term.expr, code.into()));
            }
            Kind::Text
            | Kind::Word
            | Kind::Letter
            | Kind::Named
            | Kind::Open(Bracket::Group)
            | Kind::DegreeUnit
            | Kind::Degree
            | Kind::Function(Function::Min | Function::Sec) => {}
            _ => return Ok(Value::Expr(term.expr)),
        }
        if let Some(degrees) = self.degree_words() {
            self.skip(degrees);
            let term = self.node(Expr::Degrees(Box::new(term.expr)), term.height)?;
            return Ok(Value::Expr(term.expr));
        }
        let Some(ahead) = self.unit_ahead() else {
            return Ok(Value::Expr(term.expr));
        };
        if ahead.noun && !is_amount(&term.expr) {
            return Err(self.unexpected());
        }
        self.skip(ahead.tokens);
        if self.peek() == Kind::Digits {
            return self.further_amount(term, &ahead.name);
        }
        Ok(Value::Quantity(term.expr, ahead.name))
    }

    /// `5 ft 3 in`: the second amount in the first unit, added.
    fn further_amount(&mut self, first: Term, unit: &str) -> Result<Value, ParseError> {
        let second = self.number()?;
        let value = self.nested(|parser| parser.with_unit(second))?;
        let Value::Quantity(second, smaller) = value else {
            return Err(self.unexpected());
        };
        let ratio = units::ratio(&smaller, unit)
            .filter(|ratio| *ratio < RBig::ONE)
            .ok_or_else(|| self.unexpected())?;
        let (above, below) = ratio.into_parts();
        let scaled = Expr::Div(
            Box::new(Expr::Mul(vec![second, Expr::integer(above)])),
            Box::new(Expr::integer(IBig::from(below))),
        );
        let sum = self.node(Expr::Add(vec![first.expr, scaled]), first.height + 3)?;
        Ok(Value::Quantity(sum.expr, unit.into()))
    }

    /// `degrees`, `度` at the end of the item: how many tokens.
    pub(super) fn degree_words(&self) -> Option<usize> {
        let degrees = matches!(
            self.text(),
            "degrees" | "degree" | "deg" | "Degrees" | "度" | "°"
        );
        (degrees && matches!(self.peek(), Kind::Text | Kind::Word) && ends_unit(self.look(1)))
            .then_some(1)
    }

    /// Whether a degree sign here belongs to a temperature.
    pub(super) fn at_temperature(&mut self) -> bool {
        let scale = self.look(1);
        matches!(scale.kind, Kind::Letter | Kind::Text)
            && matches!(self.text_of(scale), "C" | "F")
            && self.at_unit()
    }
}

/// Whether a unit may end before this token.
pub(super) fn ends_unit(token: Token) -> bool {
    matches!(
        token.kind,
        Kind::End
            | Kind::Comma
            | Kind::Semicolon
            | Kind::Or
            | Kind::And
            | Kind::Both
            | Kind::Either
            | Kind::Close(_)
            | Kind::NewRow
            | Kind::Ampersand
            | Kind::Relation(_)
            | Kind::Colon
    )
}

/// The text of a unit as its tokens are read.
struct Spelling {
    text: String,
    sure: Sure,
    /// Open groups.
    depth: usize,
    /// Whether a number stands before the unit.
    numeric: bool,
    money: bool,
}

impl Spelling {
    fn new(numeric: bool, money: bool) -> Self {
        Self {
            text: String::new(),
            sure: Sure::Letter,
            depth: 0,
            numeric,
            money,
        }
    }

    fn in_word(&self) -> bool {
        self.text.ends_with(char::is_alphanumeric)
    }

    /// Adds a token; nothing if it cannot be part of a unit.
    fn take(&mut self, token: Token, piece: &str) -> Option<()> {
        let started = !self.text.is_empty();
        match token.kind {
            Kind::Open(Bracket::Group) => self.depth += 1,
            Kind::Close(Bracket::Group) if self.depth > 0 => self.depth -= 1,
            Kind::Text | Kind::Word | Kind::Function(Function::Min | Function::Sec) => {
                self.word(token, piece);
            }
            Kind::Letter => self.letter(token, piece),
            Kind::Named if piece == "\\mu" => self.text.push('µ'),
            Kind::Named if piece == "\\Omega" => self.text.push_str("ohm"),
            Kind::DegreeUnit => {
                self.text.push_str(piece);
                self.sure = Sure::Certain;
            }
            Kind::Slash if started || self.money => {
                self.text.push('/');
                self.sure = self.sure.max(Sure::Word);
            }
            Kind::Times if started => self.text.push('*'),
            Kind::Caret if started => self.text.push('^'),
            Kind::Minus if self.text.ends_with('^') => self.text.push('-'),
            Kind::Digits if self.text.ends_with(['^', '-']) => self.text.push_str(piece),
            // `m2`
            Kind::Digits
                if self.text.ends_with(['m', 's', 't', 'n'])
                    && token.gap == Gap::None
                    && piece.len() == 1
                    && !self.text.contains('^') =>
            {
                self.text.push('^');
                self.text.push_str(piece);
            }
            Kind::Dot if self.in_word() => {}
            _ => return None,
        }
        Some(())
    }

    fn word(&mut self, token: Token, piece: &str) {
        let certain = token.kind == Kind::Text || piece.len() > 3;
        self.sure = self
            .sure
            .max(if certain { Sure::Certain } else { Sure::Word });
        if self.in_word() {
            self.text.push(' ');
        }
        self.text.push_str(piece);
    }

    fn letter(&mut self, token: Token, piece: &str) {
        if self.depth > 0 {
            // `\mathrm{m/s}`
            self.sure = self.sure.max(Sure::Word);
        }
        if self.in_word() && !self.text.ends_with('µ') {
            let glued = token.gap == Gap::None && self.depth == 0;
            self.text.push(if glued { '*' } else { ' ' });
        }
        self.text.push_str(piece);
    }

    /// `5 ft 3 in`: a further amount follows.
    fn ends_before(&self, token: Token) -> bool {
        token.kind == Kind::Digits && self.in_word() && self.numeric && self.depth == 0
    }
}
