//! Telling words from formulas.

use super::super::ast::{Expr, Value};
use super::super::lexer::{Bracket, Kind, Token};
use super::super::render::is_greek;
use super::super::{units, words};
use super::name::is_variables;

/// What the tokens of a text look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A formula, or something that may be one.
    Formula,
    /// One run of two or more letters: a product of variables or a word.
    Run,
    /// Words, with a number perhaps, but no operators.
    Words,
}

/// Judges a text by its tokens.
pub(super) fn look(source: &str, tokens: &[Token]) -> Look {
    let (mut long, mut short, mut other) = (0_usize, 0_usize, 0_usize);
    for token in tokens {
        let text = token.text(source);
        match token.kind {
            Kind::Word if !is_variables(text) => long += 1,
            Kind::Text if text.chars().count() > 1 && !(text.is_ascii() && is_variables(text)) => {
                long += 1;
            }
            Kind::Word | Kind::Text | Kind::And | Kind::Or => short += 1,
            Kind::Function(_)
            | Kind::Percent
            | Kind::Mod
            | Kind::Named
            | Kind::Constant(_)
            | Kind::Times
            | Kind::Union
                if text.starts_with(|c: char| c.is_ascii_alphabetic()) =>
            {
                short += 1;
            }
            Kind::End | Kind::Letter => {}
            Kind::Comma
            | Kind::Dot
            | Kind::Minus
            | Kind::Prime
            | Kind::Colon
            | Kind::DoublePrime
            | Kind::Bang
            | Kind::Semicolon
            | Kind::Digits
            | Kind::Open(Bracket::Paren | Bracket::Square)
            | Kind::Close(Bracket::Paren | Bracket::Square)
            | Kind::Currency => other += 1,
            _ => return Look::Formula,
        }
    }
    match (long, short) {
        (1, 0) | (0, 1) if other == 0 && tokens.len() == 2 => Look::Run,
        (0, 0 | 1) => Look::Formula,
        (0, _) if other > 0 => Look::Formula,
        _ => Look::Words,
    }
}

/// Whether a reading gives every word of an answer in words a meaning, rather than making factors of them.
pub(super) fn explains(value: &Value) -> bool {
    match value {
        Value::List(parts)
        | Value::Any(parts)
        | Value::All(parts)
        | Value::Union(parts)
        | Value::Set(parts)
        | Value::Tuple(parts) => parts.iter().all(explains),
        Value::Expr(expr) => !has_words(expr),
        Value::Chain(terms, _) => terms.iter().skip(1).all(|term| !has_words(term)),
        _ => true,
    }
}

fn has_words(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(name) => is_word(name),
        Expr::Mul(parts) | Expr::Add(parts) => parts.iter().any(has_words),
        Expr::Neg(inner) => has_words(inner),
        _ => false,
    }
}

fn is_word(name: &str) -> bool {
    name.chars().count() > 1 && name.chars().all(char::is_alphabetic) && !is_greek(name)
}

/// The text of an answer in words: lower case, single blanks, no quotes or articles at the start.
pub(super) fn fold(plain: &str) -> Option<Value> {
    let lower = plain.to_lowercase();
    let text = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\'' | '"' | '!' | '?' | '.' | ',' | ':' | ';')
    });
    let text = match text {
        "dne" | "d.n.e" => "does not exist",
        text => text,
    };
    (!text.is_empty()).then(|| Value::Text(text.into()))
}

/// A number in English words, with a unit or a counted noun after it.
pub(super) fn number_words(plain: &str) -> Option<Value> {
    if plain.len() > 256 || !plain.is_ascii() {
        return None;
    }
    let lower = plain.to_ascii_lowercase();
    let (expr, rest) = words::english(&lower)?;
    if rest.is_empty() {
        return Some(Value::Expr(expr));
    }
    if rest == "percent" {
        return Some(Value::Expr(Expr::Percent(Box::new(expr))));
    }
    if rest == "degrees" || rest == "degree" {
        return Some(Value::Expr(Expr::Degrees(Box::new(expr))));
    }
    let unit = units::canonical(rest).or_else(|| super::noun::noun(rest))?;
    Some(Value::Quantity(expr, unit.into()))
}
