//! Every reading of an answer, the likeliest first.

use super::super::Kind;
use super::super::ast::{Expr, Relation, Value};
use super::super::lexer::{self, Token};
use super::cursor::Parser;
use super::policy::Policy;
use super::prose::{self, Look};
use super::special;
use super::{ParseError, ParseErrorKind, ParseOptions, list, set};

/// Most readings of one answer.
const MAX_READINGS: usize = 8;

/// Readings in order, without repeats.
struct Readings(Vec<Value>);

impl Readings {
    fn push(&mut self, value: Value) {
        if self.0.len() < MAX_READINGS && !self.0.contains(&value) {
            self.0.push(value);
        }
    }
}

/// Reads the tokens in every sensible way; the error of the formula reading if there is none.
pub(super) fn readings(source: &str, tokens: &[Token], options: &ParseOptions) -> Result<Vec<Value>, ParseError> {
    let mut found = Readings(Vec::with_capacity(1));
    if options.kind == Kind::Text {
        let text = prose::fold(&special::plain(source));
        return text.map(|text| vec![text]).ok_or(ParseError::new(ParseErrorKind::Empty, 0));
    }
    let lettered = may_be_words(source);
    let plain = if lettered { special::plain(source) } else { String::new() };
    let mut option_text = None;
    if lettered {
        if let Some((choice, rest)) = special::choice(&plain, options.kind == Kind::Choice) {
            found.push(choice);
            option_text = rest;
        }
        if options.kind == Kind::Choice && !found.0.is_empty() {
            return Ok(found.0);
        }
        for value in [special::truth(&plain), special::phrase(&plain), prose::number_words(&plain)].into_iter().flatten() {
            found.push(value);
        }
    }
    let look = if lettered { prose::look(source, tokens) } else { Look::Formula };
    // A truth word, a number in words or a phrase is not a product of letters as well.
    let decided = found.0.iter().any(|value| !matches!(value, Value::Choice(..)));
    let mut error = None;
    if !decided && option_text.is_none() {
        error = formula(source, tokens, &mut found).err();
        if look == Look::Words && !found.0.iter().any(explains_words) {
            found.0.retain(|value| matches!(value, Value::Choice(..)));
        }
    }
    if let Some(rest) = option_text {
        // The option's text is the answer, too, if it is a formula.
        let rest = super::strip::strip(rest);
        let _ = formula(rest, &lexer::tokens(rest), &mut found);
    }
    let word = look == Look::Run && plain.chars().count() > 1 || look == Look::Words || matches!(found.0.first(), Some(Value::Set(_)) if decided);
    if word && (!decided || !matches!(found.0.first(), Some(Value::Truth(_) | Value::Expr(_) | Value::Quantity(..)))) {
        found.0.retain(|value| !is_long_symbol(value));
        if let Some(text) = prose::fold(&plain) {
            found.push(text);
        }
    }
    match error {
        Some(error) if found.0.is_empty() => Err(error),
        _ if found.0.is_empty() => Err(ParseError::new(ParseErrorKind::Empty, 0)),
        _ => Ok(found.0),
    }
}

/// Whether a text has letters that are not part of commands; a cheap first look.
fn may_be_words(source: &str) -> bool {
    let bytes = source.as_bytes();
    let mut command = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => command = true,
            byte if byte.is_ascii_alphabetic() => {
                if !command {
                    // One letter beside a digit or a sign is a variable.
                    let next = bytes.get(at + 1).copied().unwrap_or(b' ');
                    if next.is_ascii_alphabetic() || matches!(next, b' ' | b')' | b'.' | b':' | b'}' | b']' | b',' | 0x80..) {
                        return true;
                    }
                }
            }
            0x80.. => return true,
            b'{' if command => {
                // The group of a style may hold words.
                command = false;
            }
            _ => command = false,
        }
    }
    false
}

/// The formula readings under each policy, and what else they may mean.
fn formula(source: &str, tokens: &[Token], found: &mut Readings) -> Result<(), ParseError> {
    let mut read = |policy: Policy| {
        let mut parser = Parser::new(source, tokens, policy);
        let result = parser.answer();
        (parser.seen, result)
    };
    let (seen, first) = read(Policy::NONE);
    let error = match first {
        Ok(value) => {
            let more = also(&value);
            found.push(value);
            more.into_iter().for_each(|value| found.push(value));
            None
        }
        Err(error) => Some(error),
    };
    for policy in seen.flips() {
        if let (_, Ok(value)) = read(policy) {
            let more = also(&value);
            found.push(value);
            more.into_iter().for_each(|value| found.push(value));
        }
    }
    match error {
        Some(error) if found.0.is_empty() => Err(error),
        _ => Ok(()),
    }
}

/// Other types the same value may have: nested tuples a matrix, a column a tuple, indexed unknowns a list.
fn also(value: &Value) -> Option<Value> {
    match value {
        Value::Tuple(rows) => set::matrix(rows).map(Value::Expr),
        Value::Expr(Expr::Matrix(rows)) => {
            let line: Vec<&Expr> = match rows.as_slice() {
                [row] => row.iter().collect(),
                rows => rows.iter().filter_map(|row| <&[Expr; 1]>::try_from(row.as_slice()).ok()).map(|[cell]| cell).collect(),
            };
            let whole = line.len() == rows.iter().map(Vec::len).sum::<usize>() && line.len() > 1;
            whole.then(|| Value::Tuple(line.into_iter().cloned().map(Value::Expr).collect()))
        }
        Value::All(parts) => indexed(parts),
        _ => None,
    }
}

/// `x_1 = 1, x_2 = 3`: the two solutions of one unknown.
fn indexed(parts: &[Value]) -> Option<Value> {
    let base = |part: &Value| {
        let name = list::assigned_name(part)?;
        name.split_once('_').filter(|(_, index)| index.bytes().all(|byte| byte.is_ascii_digit())).map(|(base, _)| base.to_owned())
    };
    let first = base(parts.first()?)?;
    let mut solutions = Vec::with_capacity(parts.len());
    for part in parts {
        let Value::Chain(terms, _) = part else {
            return None;
        };
        if base(part)? != first {
            return None;
        }
        let value = terms.get(1)?.clone();
        solutions.push(Value::Chain(vec![Expr::symbol(&first), value], vec![Relation::Equal]));
    }
    Some(Value::List(solutions))
}

/// Whether a reading gives every word of an answer in words a meaning.
fn explains_words(value: &Value) -> bool {
    match value {
        Value::Quantity(..) | Value::Time(_) => true,
        Value::List(parts) | Value::Any(parts) | Value::All(parts) | Value::Union(parts) | Value::Set(parts) | Value::Tuple(parts) => {
            parts.iter().all(explains_words)
        }
        Value::Expr(expr) => !has_words(expr),
        Value::Chain(terms, _) => terms.iter().skip(1).all(|term| !has_words(term)),
        Value::Choice(..) => false,
        _ => true,
    }
}

/// Whether an expression has a word for a factor.
fn has_words(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(name) => is_word(name),
        Expr::Mul(parts) | Expr::Add(parts) => parts.iter().any(has_words) || parts.iter().filter(|part| matches!(part, Expr::Symbol(_))).count() > 3,
        Expr::Neg(inner) => has_words(inner),
        _ => false,
    }
}

fn is_word(name: &str) -> bool {
    !name.starts_with('\\') && name.chars().count() > 1 && name.chars().all(char::is_alphabetic) && !is_greek_name(name)
}

fn is_greek_name(name: &str) -> bool {
    super::super::render::is_greek(name)
}

fn is_long_symbol(value: &Value) -> bool {
    matches!(value, Value::Expr(Expr::Symbol(name)) if is_word(name))
}
