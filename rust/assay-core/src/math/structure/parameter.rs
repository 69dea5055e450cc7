//! The letter for "any integer": `k\pi, k \in \mathbb{Z}` and `n\pi, n \in \mathbb{Z}` are one answer.

use super::signs::mapped;
use crate::math::ast::{Expr, Value};
use crate::math::decide::all_symbols;

/// The answer with its parameter named as the reference names its own; nothing where there is none, or where a letter means
/// something else on the other side.
pub(super) fn renamed(gold: &Value, answer: &Value) -> Option<Value> {
    let (name, other) = (parameter(gold)?, parameter(answer)?);
    if name == other || mentions(gold, other) || mentions(answer, name) {
        return None;
    }
    Some(with_name(answer, other, name))
}

/// The one symbol that is said to be of a set with a name.
fn parameter(value: &Value) -> Option<&str> {
    let (Value::List(parts) | Value::All(parts)) = value else {
        return None;
    };
    let mut found = parts.iter().filter_map(|part| match part {
        Value::Element(Expr::Symbol(name), set) => match &**set {
            Value::Expr(Expr::Symbol(set)) if set.starts_with("\\mathbb") => Some(&**name),
            _ => None,
        },
        _ => None,
    });
    let name = found.next()?;
    found.next().is_none().then_some(name)
}

fn parts_of(value: &Value) -> &[Value] {
    match value {
        Value::List(parts)
        | Value::All(parts)
        | Value::Any(parts)
        | Value::Set(parts)
        | Value::Tuple(parts) => parts,
        _ => &[],
    }
}

fn mentions(value: &Value, name: &str) -> bool {
    let mut names = Vec::new();
    match value {
        Value::Expr(expr) | Value::Element(expr, _) => all_symbols(expr, &mut names),
        Value::Chain(terms, _) => terms.iter().for_each(|term| all_symbols(term, &mut names)),
        _ => {}
    }
    names.iter().any(|other| **other == *name)
        || parts_of(value).iter().any(|part| mentions(part, name))
}

fn with_name(value: &Value, from: &str, to: &str) -> Value {
    let expr = |expr: &Expr| {
        mapped(expr, &mut |inner| match inner {
            Expr::Symbol(name) if **name == *from => Some(Expr::symbol(to)),
            _ => None,
        })
    };
    let all = |parts: &[Value]| parts.iter().map(|part| with_name(part, from, to)).collect();
    match value {
        Value::Expr(inner) => Value::Expr(expr(inner)),
        Value::Element(element, set) => Value::Element(expr(element), set.clone()),
        Value::Chain(terms, relations) => {
            Value::Chain(terms.iter().map(expr).collect(), relations.clone())
        }
        Value::List(parts) => Value::List(all(parts)),
        Value::All(parts) => Value::All(all(parts)),
        Value::Any(parts) => Value::Any(all(parts)),
        Value::Set(parts) => Value::Set(all(parts)),
        Value::Tuple(parts) => Value::Tuple(all(parts)),
        other => other.clone(),
    }
}
