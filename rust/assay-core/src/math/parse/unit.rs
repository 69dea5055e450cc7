//! Units, currencies and scale words around a number.

use dashu::integer::IBig;
use dashu::rational::RBig;

use super::super::ast::{Expr, Function, Number, Value, Written};
use super::super::lexer::{Bracket, Gap, Kind, Token};
use super::super::units;
use super::ParseError;
use super::cursor::{Parser, Term};
use super::expr::SUM;
use super::name::is_variables;
use super::policy::Policy;

/// Most tokens a unit may take.
const MAX_TOKENS: usize = 12;
/// Most words an unknown counting noun may have.
const MAX_WORDS: usize = 3;

/// A unit found ahead.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    name: Box<str>,
    tokens: usize,
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

    fn unit_ahead(&mut self) -> Option<Ahead> {
        if self.is_split() {
            return None;
        }
        if let Some((index, found)) = &self.unit
            && *index == self.index()
        {
            return found.clone();
        }
        let found = self.find_unit();
        self.unit = Some((self.index(), found.clone()));
        found
    }

    fn find_unit(&mut self) -> Option<Ahead> {
        let numeric = self.after_numeral();
        let (ahead, sure) = match self.known_unit(numeric) {
            Some(found) => found,
            None => return self.counted_noun().filter(|_| numeric),
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
        let mut text = String::new();
        let mut sure = Sure::Letter;
        let mut depth = 0_usize;
        let mut tokens = 0;
        loop {
            let token = self.look(tokens);
            let piece = self.text_of(token);
            let word = text.ends_with(char::is_alphanumeric);
            match token.kind {
                Kind::Open(Bracket::Group) => depth += 1,
                Kind::Close(Bracket::Group) if depth > 0 => depth -= 1,
                Kind::Text
                | Kind::Word
                | Kind::Function(Function::Min | Function::Sec)
                | Kind::Percent => {
                    if token.kind == Kind::Percent && !piece.starts_with('p') {
                        return None;
                    }
                    let level = if token.kind == Kind::Text || piece.len() > 3 {
                        Sure::Certain
                    } else {
                        Sure::Word
                    };
                    sure = sure.max(level);
                    if word {
                        text.push(' ');
                    }
                    text.push_str(piece);
                }
                Kind::Letter => {
                    if depth > 0 {
                        // `\mathrm{m/s}`
                        sure = sure.max(Sure::Word);
                    }
                    if word && !text.ends_with('µ') {
                        text.push(if token.gap == Gap::None && depth == 0 {
                            '*'
                        } else {
                            ' '
                        });
                    }
                    text.push_str(piece);
                }
                Kind::Named if matches!(piece, "\\mu" | "\\Omega") => {
                    text.push_str(if piece == "\\mu" { "µ" } else { "ohm" })
                }
                Kind::Degree if matches!(self.text_of(self.look(tokens + 1)), "C" | "F") => {
                    text.push_str(if self.text_of(self.look(tokens + 1)) == "C" {
                        "degC"
                    } else {
                        "degF"
                    });
                    sure = Sure::Certain;
                    tokens += 1;
                }
                Kind::DegreeUnit => {
                    text.push_str(piece);
                    sure = Sure::Certain;
                }
                Kind::Slash if tokens > 0 || self.money => {
                    text.push('/');
                    sure = sure.max(Sure::Word);
                }
                Kind::Times if tokens > 0 => text.push('*'),
                Kind::Caret if tokens > 0 => text.push('^'),
                Kind::Minus if text.ends_with('^') => text.push('-'),
                Kind::Digits if text.ends_with(['^', '-']) => text.push_str(piece),
                Kind::Digits
                    if text.ends_with(['m', 's', 't', 'n'])
                        && token.gap == Gap::None
                        && piece.len() == 1
                        && !text.contains('^') =>
                {
                    text.push('^');
                    text.push_str(piece);
                }
                Kind::Dot if word => {}
                // `5 ft 3 in`: a further amount follows.
                Kind::Digits if word && numeric && depth == 0 => break,
                _ if depth == 0 && tokens > 0 && self.ends_unit(token) => break,
                _ => return None,
            }
            tokens += 1;
            if tokens > MAX_TOKENS {
                return None;
            }
        }
        let name = units::canonical(&text)?.into_boxed_str();
        Some((Ahead { name, tokens }, sure))
    }

    fn ends_unit(&self, token: Token) -> bool {
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

    /// `apples` of `5 apples`: words up to the end of the item that say nothing else.
    fn counted_noun(&self) -> Option<Ahead> {
        let mut name = String::new();
        let mut tokens = 0;
        loop {
            let token = self.look(tokens);
            let piece = self.text_of(token).trim();
            let noun = match token.kind {
                Kind::Text => true,
                Kind::Word => piece.len() > 3 || !is_variables(piece),
                _ => false,
            };
            if !noun {
                break;
            }
            for word in piece.split_whitespace() {
                if !name.is_empty() {
                    name.push(' ');
                }
                name.push_str(&word.to_lowercase());
            }
            tokens += 1;
            if tokens > MAX_WORDS {
                return None;
            }
        }
        if tokens == 0 || !self.ends_unit(self.look(tokens)) {
            return None;
        }
        let name = noun(&name)?.into();
        Some(Ahead { name, tokens })
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
        (degrees && matches!(self.peek(), Kind::Text | Kind::Word) && self.ends_unit(self.look(1)))
            .then_some(1)
    }

    /// Whether a degree sign here belongs to a temperature.
    pub(super) fn at_temperature(&mut self) -> bool {
        let scale = self.look(1);
        matches!(scale.kind, Kind::Letter | Kind::Text)
            && matches!(self.text_of(scale), "C" | "F")
            && self.at_unit()
    }

    /// `\$5`, `-\$5`, `US$5`, `RMB 5`: an amount with its currency in front.
    pub(super) fn currency_amount(&mut self) -> Result<Option<Value>, ParseError> {
        let minus = usize::from(self.peek() == Kind::Minus);
        let sign = self.look(minus);
        let mut tokens = minus + 1;
        match sign.kind {
            Kind::Currency => {}
            Kind::Word
                if self.look(tokens).kind == Kind::Currency
                    && matches!(self.text_of(sign), "US" | "HK" | "AU" | "CA") =>
            {
                tokens += 1
            }
            Kind::Word if matches!(self.look(tokens).kind, Kind::Digits | Kind::Dot) => {
                if self.look(tokens).kind == Kind::Dot {
                    tokens += 1;
                }
            }
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
        let rate = self.peek() == Kind::Slash || text.starts_with("per") || text.starts_with('每');
        let value = if self.peek() == Kind::Slash {
            self.rate(amount)?
        } else {
            self.with_unit(amount)?
        };
        Ok(match value {
            Value::Expr(expr) => Value::Quantity(expr, code.into()),
            Value::Quantity(expr, unit) if rate => {
                Value::Quantity(expr, format!("{code}{unit}").into())
            }
            Value::Quantity(expr, _) => Value::Quantity(expr, code.into()),
            _ => return Err(self.unexpected()),
        })
    }

    fn rate(&mut self, amount: Term) -> Result<Value, ParseError> {
        let ahead = self.unit_ahead().ok_or_else(|| self.unexpected())?;
        self.skip(ahead.tokens);
        Ok(Value::Quantity(amount.expr, ahead.name))
    }

    /// Multiplies a numeral by a scale word: `3.5 million`, `2万`.
    pub(super) fn scaled(&mut self, number: Number) -> Number {
        let word = self.text();
        let factor = match self.peek() {
            Kind::Word | Kind::Text if !word.is_ascii() => {
                let found = [
                    ("万亿", 1_000_000_000_000),
                    ("百万", 1_000_000),
                    ("千万", 10_000_000),
                    ("亿", 100_000_000),
                    ("万", 10_000),
                    ("千", 1_000),
                    ("百", 100),
                ]
                .into_iter()
                .find(|(scale, _)| {
                    word.starts_with(scale)
                        && !word.starts_with("千米")
                        && !word.starts_with("千克")
                        && !word.starts_with("千瓦")
                        && !word.starts_with("千卡")
                });
                let Some((scale, factor)) = found else {
                    return number;
                };
                self.consume(scale.len());
                factor
            }
            Kind::Word | Kind::Text => match units::scale(word) {
                Some(factor) => {
                    self.bump();
                    factor
                }
                None => return number,
            },
            _ => return number,
        };
        self.unit_after_word = Some(self.index());
        let written = match number.written {
            Written::Decimal { places } => Written::Decimal {
                places: places - factor.ilog10() as i32,
            },
            written => written,
        };
        Number {
            value: number.value * RBig::from(factor),
            written,
        }
    }
}

/// The canonical form of a counting noun of one to three words in lower case.
pub(super) fn noun(name: &str) -> Option<String> {
    let words = name.split(' ').count();
    let letters = name
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''));
    let long = name.chars().count() > 1;
    (words <= MAX_WORDS && letters && long && !says_more(name)).then(|| singular(name))
}

/// Words that make a phrase more than a count: it must not be read as one.
fn says_more(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "not",
        "no",
        "or",
        "and",
        "if",
        "is",
        "are",
        "was",
        "than",
        "least",
        "most",
        "more",
        "less",
        "fewer",
        "about",
        "but",
        "isn't",
        "wrong",
        "incorrect",
        "when",
        "where",
        "for",
        "with",
        "because",
        "since",
        "so",
        "to",
        "from",
        "by",
        "minus",
        "plus",
        "times",
        "over",
        "divided",
        "squared",
        "cubed",
        "base",
        "mod",
        "modulo",
        "of",
        "half",
        "percent",
        "otherwise",
        "only",
        "never",
        "true",
        "false",
        "remainder",
        "until",
        "factorial",
        "degrees",
        "hundred",
        "thousand",
        "million",
        "billion",
    ];
    name.split(' ').any(|word| WORDS.contains(&word))
        || name.contains(['不', '非', '没', '如', '当', '至', '或', '约', '余', '第'])
}

/// A noun without its plural ending, so that one apple and five apples are counted in the same unit.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if name.ends_with(ending) {
            return name.get(..name.len() - 2).unwrap_or(name).to_owned();
        }
    }
    match name.strip_suffix('s') {
        Some(stem) if !stem.ends_with(['s', 'u', 'i']) && stem.len() > 1 => stem.to_owned(),
        _ => name.to_owned(),
    }
}
