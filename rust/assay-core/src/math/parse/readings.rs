//! Every reading of an answer, the likeliest first.

use super::super::Kind;
use super::super::ast::{Expr, Number, Relation, Value};
use super::super::lexer::{self, Token};
use super::cursor::Parser;
use super::policy::Policy;
use super::prose::{self, Look};
use super::special;
use super::{ParseError, ParseErrorKind, ParseOptions, list, set, strip};

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
pub(super) fn readings(
    source: &str,
    tokens: &[Token],
    styled: bool,
    options: ParseOptions,
) -> Result<Vec<Value>, ParseError> {
    let mut found = Readings(Vec::with_capacity(1));
    if options.kind != Kind::Text && !may_be_words(source) {
        formula(source, tokens, &mut found)?;
        return Ok(found.0);
    }
    let plain = special::plain(source);
    if options.kind == Kind::Text {
        let text = prose::fold(&plain);
        return text
            .map(|text| vec![text])
            .ok_or(ParseError::new(ParseErrorKind::Empty, 0));
    }
    if let Some(option) = special::choice(&plain, options.kind == Kind::Choice) {
        found.push(option.choice);
        if let Some(text) = option.text {
            // The option's text is the answer, too, if it is a formula.
            let text = strip::strip(text);
            let _ = formula(text, &lexer::tokens(text), &mut found);
        }
        if option.certain || options.kind == Kind::Choice {
            return Ok(found.0);
        }
    }
    if let Some(value) = special::truth(&plain).or_else(|| prose::number_words(&plain)) {
        found.push(value);
        return Ok(found.0);
    }
    if let Some(value) = special::phrase(&plain) {
        found.push(value);
        if let Some(text) = prose::fold(&plain) {
            found.push(text);
        }
        return Ok(found.0);
    }
    let choices = found.0.len();
    let error = formula(source, tokens, &mut found).err();
    let words = !plain.contains(['\\', '{', '}']) && special::is_balanced(&plain);
    let look = if words {
        prose::look(source, tokens)
    } else {
        Look::Formula
    };
    if look != Look::Formula {
        found
            .0
            .retain(|value| matches!(value, Value::Choice(..)) || prose::explains(value));
    }
    let text = match look {
        Look::Formula => false,
        Look::Words => found.0.is_empty(),
        // One run of letters is a product of variables and a word.
        Look::Run => {
            choices == 0 && matches!(found.0.first(), None | Some(Value::Expr(Expr::Mul(_))))
        }
    };
    // What was set as text is also that text.
    let text = text
        || styled
            && words
            && choices == 0
            && plain.chars().filter(|c| c.is_alphabetic()).nth(1).is_some();
    if text
        && let Some(Value::Text(text)) = prose::fold(&plain)
        && special::choice(&text, false).is_none()
    {
        found.push(Value::Text(text));
    }
    if found.0.is_empty() {
        return Err(error.unwrap_or(ParseError::new(ParseErrorKind::Unexpected, 0)));
    }
    Ok(found.0)
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
                    if next.is_ascii_alphabetic()
                        || matches!(
                            next,
                            b' ' | b')' | b'.' | b':' | b'}' | b']' | b',' | 0x80..
                        )
                    {
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
    let read = |policy: Policy| {
        let mut parser = Parser::new(source, tokens, policy);
        let result = parser.answer();
        (parser.seen, result)
    };
    let (seen, first) = read(Policy::NONE);
    let error = match first {
        Ok(value) => {
            let more = also(&value);
            found.push(value);
            if let Some(value) = more {
                found.push(value);
            }
            None
        }
        Err(error) => Some(error),
    };
    for policy in seen.flips() {
        if let (_, Ok(value)) = read(policy) {
            let more = also(&value);
            found.push(value);
            if let Some(value) = more {
                found.push(value);
            }
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
                rows => rows
                    .iter()
                    .filter_map(|row| <&[Expr; 1]>::try_from(row.as_slice()).ok())
                    .map(|[cell]| cell)
                    .collect(),
            };
            let whole = line.len() == rows.iter().map(Vec::len).sum::<usize>() && line.len() > 1;
            whole.then(|| Value::Tuple(line.into_iter().cloned().map(Value::Expr).collect()))
        }
        // `3i - 2j + k`: the vector (3, -2, 1).
        Value::Expr(Expr::Add(terms)) => components(terms),
        // A labelled point: `A(1, 2)`.
        Value::Expr(Expr::Apply(name, arguments)) => {
            let label = arguments.len() > 1
                && name.len() == 1
                && name.bytes().all(|byte| byte.is_ascii_uppercase());
            label.then(|| Value::Tuple(arguments.iter().cloned().map(Value::Expr).collect()))
        }
        Value::All(parts) => indexed(parts),
        _ => None,
    }
}

/// The components of a sum of multiples of the base vectors `i`, `j` and perhaps `k`, each at most once. Plain letters have
/// to be `i` and `j` at least; with accents a missing one is zero.
fn components(terms: &[Expr]) -> Option<Value> {
    let mut found: [Option<Expr>; 3] = [const { None }; 3];
    let mut accents = true;
    for term in terms {
        let (base, coefficient) = component(term)?;
        accents &= base.accented;
        let place = found.get_mut(base.axis)?;
        if place.is_some() {
            return None;
        }
        *place = Some(coefficient);
    }
    let [first, second, third] = found;
    if !accents && (first.is_none() || second.is_none()) {
        return None;
    }
    let or_zero = |part: Option<Expr>| part.unwrap_or_else(|| Expr::integer(0.into()));
    let plane = [or_zero(first), or_zero(second)];
    let all = plane.into_iter().chain(third);
    Some(Value::Tuple(all.map(Value::Expr).collect()))
}

/// One of the vectors `i`, `j`, `k`, plain or as `\\hat{i}`.
struct Base {
    axis: usize,
    accented: bool,
}

fn base(expr: &Expr) -> Option<Base> {
    let Expr::Symbol(name) = expr else {
        return None;
    };
    let inside = ["\\hat{", "\\vec{", "\\widehat{", "\\overrightarrow{"]
        .iter()
        .find_map(|accent| name.strip_prefix(accent)?.strip_suffix('}'));
    let letter = inside.unwrap_or(name);
    let axis = ["i", "j", "k", "\\imath", "\\jmath"]
        .iter()
        .position(|base| *base == letter)?;
    Some(Base {
        axis: axis % 3,
        accented: inside.is_some(),
    })
}

/// `2 j`: the vector `j` and the coefficient 2.
fn component(term: &Expr) -> Option<(Base, Expr)> {
    match term {
        Expr::Symbol(_) => Some((base(term)?, Expr::integer(1.into()))),
        Expr::Neg(inner) => {
            let (base, coefficient) = component(inner)?;
            let negative = match coefficient {
                Expr::Number(number) => Expr::Number(Number {
                    value: -number.value,
                    ..number
                }),
                other => Expr::Neg(Box::new(other)),
            };
            Some((base, negative))
        }
        Expr::Mul(parts) => {
            let (last, before) = parts.split_last()?;
            let base = base(last)?;
            let coefficient = match before {
                [one] => one.clone(),
                many => Expr::Mul(many.to_vec()),
            };
            Some((base, coefficient))
        }
        _ => None,
    }
}

/// `x_1 = 1, x_2 = 3`: the two solutions of one unknown.
fn indexed(parts: &[Value]) -> Option<Value> {
    let base = |part: &Value| {
        let name = list::assigned_name(part)?;
        name.split_once('_')
            .filter(|(_, index)| index.bytes().all(|byte| byte.is_ascii_digit()))
            .map(|(base, _)| base.to_owned())
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
        solutions.push(Value::Chain(
            vec![Expr::symbol(&first), value],
            vec![Relation::Equal],
        ));
    }
    Some(Value::List(solutions))
}
