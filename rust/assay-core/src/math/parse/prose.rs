//! Telling words from formulas.

use super::super::ast::{Expr, Value};
use super::super::lexer::{Gap, Kind, Token};
use super::super::{units, words};
use super::name::is_variables;

/// What the tokens of a text look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A formula, or something that may be one.
    Formula,
    /// Letters only, one run: a product of variables or a word.
    Run,
    /// Words, which no formula explains.
    Words,
}

/// Judges a text by its tokens.
pub(super) fn look(source: &str, tokens: &[Token]) -> Look {
    let (mut long, mut letters, mut other, mut gaps, mut commands) = (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    for (index, token) in tokens.iter().enumerate() {
        let text = token.text(source);
        match token.kind {
            Kind::End => break,
            Kind::Word if !is_variables(text) => long += 1,
            Kind::Text if text.chars().count() > 1 => long += 1,
            Kind::Word | Kind::Text | Kind::And | Kind::Or => letters += 1,
            Kind::Function(_) | Kind::Percent | Kind::Mod | Kind::Named | Kind::Constant(_) if text.starts_with(|c: char| c.is_ascii_alphabetic()) => letters += 1,
            Kind::Letter => letters += 1,
            Kind::Comma | Kind::Dot | Kind::Minus | Kind::Prime | Kind::Colon | Kind::DoublePrime | Kind::Bang | Kind::Semicolon => other += 1,
            Kind::Digits | Kind::Open(_) | Kind::Close(_) => other += 1,
            _ => commands += 1,
        }
        gaps += usize::from(index > 0 && token.gap != Gap::None);
    }
    if commands > 0 {
        return Look::Formula;
    }
    if other == 0 && long + letters == 1 {
        return Look::Run;
    }
    let words = long + letters;
    if (other == 0 && gaps > 0 && (long > 0 || letters > gaps + 1 || has_pair(tokens)))
        || (long >= 1 && words >= 3 && words > other)
        || (long >= 1 && other <= 1 && words >= 1)
    {
        return Look::Words;
    }
    Look::Formula
}

/// Two runs of two or more letters side by side.
fn has_pair(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| matches!(token.kind, Kind::Word | Kind::Text | Kind::And | Kind::Or))
}

/// The text of an answer in words: lower case, single blanks, no quotes or articles at the start.
pub(super) fn fold(plain: &str) -> Option<Value> {
    let lower = plain.to_lowercase();
    let text = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_matches(|c: char| matches!(c, '\'' | '"' | '!' | '?' | '.' | ',')).trim();
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
    let unit = units::canonical(rest).or_else(|| super::unit::noun(rest))?;
    Some(Value::Quantity(expr, unit.into()))
}
