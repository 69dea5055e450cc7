//! The ambiguities of mathematical notation, one bit each, and the canonical text.

use super::super::lexer::{Bracket, Gap, Kind, Token};

/// A set of ambiguities: those met in a text, or those to be read the second way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy(u16);

impl Policy {
    pub(super) const NONE: Self = Self(0);
    /// `(1, 2)` is an interval, `[1, 2]` a list.
    pub(super) const INTERVAL: Self = Self(1);
    /// `1,234` at the top is a list; inside brackets it is a number.
    pub(super) const THOUSANDS: Self = Self(1 << 1);
    /// In `1/2x` the product binds tighter.
    pub(super) const JUXTAPOSED: Self = Self(1 << 2);
    /// `f(x)` is a product; `T(n) = ..` a function.
    pub(super) const APPLY: Self = Self(1 << 3);
    /// `5m` is five metres, `12cm` a product.
    pub(super) const UNIT: Self = Self(1 << 4);
    /// `3e-4` is a difference.
    pub(super) const EXPONENT: Self = Self(1 << 5);
    /// `e` and `i` are variables.
    pub(super) const LETTER: Self = Self(1 << 6);
    /// `\log x` is to base ten.
    pub(super) const DECIMAL_LOG: Self = Self(1 << 7);
    /// `0.1(6)` is a product.
    pub(super) const REPEAT: Self = Self(1 << 8);
    /// `C_5^2` is a number of combinations.
    pub(super) const COMBINATIONS: Self = Self(1 << 9);
    /// `\sqrt23` is `\sqrt{2}3`.
    pub(super) const ONE_DIGIT: Self = Self(1 << 10);
    /// Of `(x, y) = (1, 2)` only the right side counts.
    pub(super) const ASSIGNED: Self = Self(1 << 11);

    /// `12:30` is a ratio.
    pub(super) const TIME: Self = Self(1 << 12);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The policies to read with after `NONE`: each ambiguity met the second way (the first five), then all of them.
    pub(super) fn flips(self) -> impl Iterator<Item = Self> {
        let single = (0..16)
            .map(|bit| Self(1 << bit))
            .filter(move |&flip| self.has(flip))
            .take(5);
        single.chain((self.0.count_ones() > 1).then_some(self))
    }
}

/// The tokens joined, with a blank only where two would run together.
pub(super) fn canonical(source: &str, tokens: &[Token]) -> String {
    let mut out = String::with_capacity(source.len());
    let mut skip_close = 0;
    for (index, &token) in tokens.iter().enumerate() {
        match token.kind {
            // Braces round one token say nothing.
            Kind::Open(Bracket::Group) if token.partner as usize == index + 2 => {
                skip_close = index + 2;
                continue;
            }
            Kind::Close(Bracket::Group) if skip_close == index && index > 0 => continue,
            _ => {}
        }
        let text = token.text(source);
        let spelling = match token.kind {
            Kind::End => continue,
            Kind::Times => "*",
            Kind::Slash => "/",
            Kind::Frac => "\\frac",
            Kind::Degree => "°",
            Kind::Percent => "%",
            Kind::Ellipsis => "...",
            Kind::Caret => "^",
            Kind::Open(Bracket::Bar) | Kind::Close(Bracket::Bar) | Kind::Bar => "|",
            Kind::Relation(relation) => relation_sign(relation),
            Kind::Blackboard => {
                out.push_str("\\mathbb ");
                text
            }
            Kind::Name => {
                out.push_str("\\name ");
                text
            }
            _ => text,
        };
        let apart = token.gap != Gap::None
            || matches!(tokens.get(index.wrapping_sub(1)), Some(last) if last.kind != Kind::Digits);
        if apart
            && spelling.starts_with(char::is_alphanumeric)
            && out.ends_with(char::is_alphanumeric)
        {
            out.push(' ');
        }
        out.push_str(spelling);
    }
    out
}

fn relation_sign(relation: super::super::ast::Relation) -> &'static str {
    use super::super::ast::Relation;
    match relation {
        Relation::Equal => "=",
        Relation::NotEqual => "≠",
        Relation::Less => "<",
        Relation::LessEqual => "≤",
        Relation::Greater => ">",
        Relation::GreaterEqual => "≥",
        Relation::Approx => "≈",
    }
}
